"""`node_resource_consolidation`: join what is left free on many hosts, by allocations alone.

From the host with the least VCPU in use up, a host becomes a source when every one of its servers
fits on others, else a destination (spec node-resource-consolidation). Room on destinations is
taken by whoever was placed there before. With `host_choice` auto, Nova's scheduler chooses the
destinations: the sources, and hosts without servers, are disabled meanwhile and enabled again at
the end; that all servers fit is tried out beforehand.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, Bool
from tachyon.optimize.migration import MIGRATION_TYPE
from tachyon.optimize.strategies import characters, measured_load, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.hosts import capacity, held, on_hosts, share
from tachyon.optimize.strategies.measured_load import Measured
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Load, Packer
from tachyon.optimize.strategies.release import Release

#: Why hosts are disabled while their servers leave.
REASON = "Watcher node resource consolidation strategy"


class NodeResourceConsolidation(Strategy):
    """Move servers off hosts whose servers all fit elsewhere."""

    name = "node_resource_consolidation"
    display_name = "Node Resource Consolidation strategy"
    goal = "server_consolidation"
    planner = "node_resource_consolidation"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "host_choice": {
                "description": "Who chooses the destinations: auto leaves it to Nova's scheduler, "
                "specify names each in the plan.",
                "type": "string",
                "enum": ["auto", "specify"],
                "default": "auto",
            },
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.RELEASE_GAIN,
            "measured_threshold": options.threshold(
                "Highest share of a host's physical VCPUs and memory that measured load may take "
                "after a migration to it.",
                0.8,
                most=1.0,
            ),
            **measured_load.PARAMETERS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The load of instances, and what characters ask about."""
        return (*measured_load.needs(self.parameters), *characters.needs(self.parameters))

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves (specify), or propose migrations whose host Nova chooses (auto)."""
        auto = self.parameters["host_choice"] == "auto"
        work = session.fork() if auto else session
        eligibility = self.eligibility(work, context)
        view = session.view
        vcpus = held(view, "VCPU")
        used = on_hosts(
            np.where(view.consumers.alive, vcpus, 0.0), session.homes(), view.provider_rows
        )
        measured = Measured.of(self, work, context, eligibility)
        targets = eligibility.targets
        loads: list[Load] = []
        if measured is not None:
            targets = targets & measured.hosts
            loads = measured.loads(work, self.parameters["measured_threshold"])
        packer = Packer(eligibility, {}, loads, targets)
        release = Release(
            packer,
            migration_limit=self.parameters["migration_limit"],
            minimum_gain=self.parameters["minimum_gain"],
        )
        packer.open_only(release.in_use)
        sources = release.donors & targets & ~self._failed(session, context)
        self._release(release, sources, used, vcpus, context)
        if auto and release.released:
            free = eligibility.targets & ~release.in_use
            context.expected = work
            self._propose(session, work, context, release, np.flatnonzero(free).tolist())

    def _failed(self, session: Session, context: Context) -> Bool:
        """Return the hosts from which a migration of this audit failed before; they stay."""
        mask = np.zeros(session.view.provider_rows, np.bool_)
        rows = [session.state.find_consumer(uuid) for uuid in sorted(context.failed)]
        homes = [session.state.home(row) for row in rows if row is not None]
        mask[[home for home in homes if home >= 0]] = True
        return mask

    def _release(
        self, release: Release, sources: Bool, used: F64, vcpus: F64, context: Context
    ) -> None:
        packer = release.packer
        view = packer.session.view
        column = view.class_index.get("VCPU")
        rows = np.flatnonzero(sources)
        rows = rows[np.argsort(share(used, capacity(view, "VCPU"))[rows], kind="stable")]
        for done, row in enumerate(rows.tolist()):
            context.step(done, rows.size, f"{len(release.released)} hosts released")
            # The host with the least VCPU left is the best fit.
            rank = None if column is None else packer.free[column].copy()
            release.empty(row, vcpus, rank)

    def _propose(
        self, session: Session, work: Session, context: Context, release: Release, free: list[int]
    ) -> None:
        view = session.view
        closed = [
            (view.providers.uuid[row], view.provider_at(row).name)
            for row in [*free, *release.released]
        ]
        for uuid, name in closed:
            context.propose(
                "change_nova_service_state",
                uuid,
                {"state": "disabled", "disabled_reason": REASON, "resource_name": name},
            )
        before, after = view.consumers.home, work.homes()
        moved = np.flatnonzero(before != after)
        states = view.codes.state
        order = np.lexsort((-held(view, "VCPU")[moved], before[moved]))
        for row in moved[order].tolist():
            state = states.value(int(view.consumers.state[row])) or ""
            context.propose(
                "migrate",
                view.consumers.uuid[row],
                {
                    "migration_type": MIGRATION_TYPE[state],
                    "source_node": view.provider_at(int(before[row])).name,
                    "resource_name": view.consumers.name[row] or view.consumers.uuid[row],
                },
            )
        for uuid, name in closed:
            context.propose(
                "change_nova_service_state", uuid, {"state": "enabled", "resource_name": name}
            )
