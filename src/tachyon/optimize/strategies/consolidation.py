"""Release compute hosts wholly: the strategy behind the goal server_consolidation.

A host is emptied entirely or left alone, because a host that keeps one instance stays switched on.
Hosts are tried in the order of what emptying them costs; each instance goes where it fits best
among the hosts that stay. Hosts that are empty already are never opened.

With the parameter `overload`, hosts are judged by the measured CPU use of their instances as well:
overloaded ones are relieved first, and what is released has to find room for what it uses now and
for what it usually uses. That is for continuous audits, every few minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import Bool
from tachyon.optimize.folding import fold
from tachyon.optimize.migration import states
from tachyon.optimize.strategies import characters, cpu_use, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.cpu_use import CpuUse
from tachyon.optimize.strategies.eligibility import REASON_FOR_DISABLE
from tachyon.optimize.strategies.hosts import held
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.overload import Relief
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.release import Release
from tachyon.optimize.strategies.services import disable


class Consolidation(Strategy):
    """Empty as many hosts as possible, the cheapest first."""

    name = "consolidation"
    display_name = "Consolidation"
    goal = "server_consolidation"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "threshold": options.share(
                "Highest share of a host's capacity that measured load may take after a migration "
                "to it, for each metric that is measured.",
                0.8,
            ),
            "limits": options.limits(
                "Highest shares by resource class or metric; what is named here overrides the "
                "threshold."
            ),
            "migration_limit": options.migration_limit(),
            "minimum_gain": {**options.RELEASE_GAIN, "maximum": 1},
            "cold_migration": options.cold_migration(default=True),
            "disable_released": {
                "description": "Whether the service of a released host is disabled, so that "
                "nothing new is scheduled there.",
                "type": "boolean",
                "default": True,
            },
            "overload": {
                "description": "Share of a host's VCPUs beyond which it is overloaded by what its "
                "instances use now: some leave it, to hosts that Tachyon disabled where no other "
                "has room. 0: the CPU use of instances is not asked for.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0,
            },
            "usual_threshold": options.share(
                "Highest share of a host's VCPUs that the usual use of its instances may take "
                "after a migration to it, where there is an overload; what they use now is held "
                "to the threshold.",
                0.8,
            ),
            **cpu_use.PARAMETERS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """CPU use of instances, where hosts are judged by it; what characters ask about."""
        judged = cpu_use.needs(self.parameters) if self.parameters["overload"] else ()
        return (*judged, *characters.needs(self.parameters))

    def limits(self, view: View) -> dict[str, float]:
        """Return the threshold for each metric, and the limits given."""
        limits = {m.name: self.parameters["threshold"] for m in view.metrics}
        limits.update(self.parameters["limits"])
        for name in limits:
            view.column(name)
        return limits

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves that relieve and release hosts, and disable what is released."""
        given = self.parameters
        limits = self.limits(session.view)
        eligibility = self.eligibility(
            session, context, states=states(cold=given["cold_migration"])
        )
        use = CpuUse.of(self, session, context, eligibility) if given["overload"] else None
        if use is None:
            packer = Packer(eligibility, limits)
        else:
            share = min(given["threshold"], given["overload"])
            packer = Packer(
                eligibility,
                limits,
                use.loads(share, given["usual_threshold"]),
                eligibility.targets | eligibility.reusable,
                vacate=True,
            )
        release = Release(
            packer,
            movable=None if use is None else eligibility.movable & use.known,
            migration_limit=given["migration_limit"],
            minimum_gain=given["minimum_gain"],
        )
        # Hosts that are empty already are opened for nobody but who leaves an overloaded one.
        packer.open_only(release.in_use & eligibility.targets)
        if use is not None:
            context.focus = self._relieve(packer, release, use)
        self._release(context, packer, release)
        context.facts["hosts_lower_bound"] = _lower_bound(session, release, limits)
        if given["disable_released"]:
            disable(session, release.released, REASON_FOR_DISABLE)

    def _relieve(self, packer: Packer, release: Release, use: CpuUse) -> Bool:
        """Relieve overloaded hosts, the most overloaded first; return which were (P)."""
        session, eligibility = packer.session, packer.eligibility
        over = use.on_hosts - self.parameters["overload"] * use.capacity
        overloaded: Bool = release.in_use & eligibility.sources & (over > 0)
        # A host outside the packer is not Tachyon's to change.
        overloaded &= packer.position >= 0
        standbys = np.flatnonzero(eligibility.reusable & ~eligibility.targets)
        relief = Relief(
            packer,
            release,
            row=len(session.view.classes),
            movable=eligibility.movable & use.known,
            cost=held(session.view, "MEMORY_MB"),
            standbys=standbys[np.argsort(-use.capacity[standbys], kind="stable")],
        )
        rows = np.flatnonzero(overloaded)
        for row in rows[np.argsort(-over[rows], kind="stable")].tolist():
            relief.relieve(row, over[row])
        return overloaded

    @staticmethod
    def _release(context: Context, packer: Packer, release: Release) -> None:
        size = (packer.demand / packer.norm).max(axis=1, initial=0.0)
        donors = _cheapest_first(packer.session, release)
        for done, row in enumerate(donors):
            context.step(done, len(donors), f"{len(release.released)} hosts released")
            # A host that an instance was brought to is still there to be released.
            release.empty(row, size)
        context.step(len(donors), len(donors), f"{len(release.released)} hosts released")


def _cheapest_first(session: Session, release: Release) -> list[int]:
    """Return the hosts that could be emptied in the order of what that costs.

    The cost of a migration is the memory to copy. Of equally cheap hosts, the one with less
    capacity goes first: larger hosts have more room for others.
    """
    folded = fold(session)
    norm = release.packer.norm[: len(folded.view.classes)]
    memory = folded.view.class_index.get("MEMORY_MB")
    rows = np.flatnonzero(release.donors)
    used = folded.used_matrix()[rows]
    amount = used[:, memory] if memory is not None else (used / norm).sum(axis=1)
    count = np.array([len(release.members[row]) for row in rows.tolist()], np.int64)
    room = (folded.view.capacity[rows] / norm).sum(axis=1)
    return [int(row) for row in rows[np.lexsort((room, count, amount))]]


def _lower_bound(session: Session, release: Release, limits: Mapping[str, float]) -> int:
    """Return how many hosts must stay in use at the least, by capacity alone.

    Hosts that cannot be emptied stay; of the others as many, the largest first, as it takes to
    hold what is used of each class within the limits.
    """
    view = fold(session.base()).view
    fixed = release.in_use & ~release.donors
    least = 0
    for column in range(len(view.classes)):
        share = limits.get(view.classes[column])
        if share is None and column >= view.resource_columns:
            continue
        room = np.floor(view.capacity[:, column] * min(share or 1.0, 1.0))
        # A host that is overfull now may stay so.
        room = np.maximum(room, view.used[:, column])
        needed = view.used[release.in_use, column].sum() - room[fixed].sum()
        largest = np.cumsum(np.sort(room[release.donors])[::-1])
        if needed > 0:
            least = max(least, int(np.searchsorted(largest, needed)) + 1)
    return int(fixed.sum()) + least
