"""`vm_workload_consolidation`: relieve overloaded hosts, then empty the least loaded ones.

Two first fits (spec zhaw-load-consolidation; Watcher's VM Workload Consolidation): hosts whose
measured CPU load exceeds their capacity give their smallest instances to the most loaded hosts
with room; then, from the least loaded host up, hosts are emptied, largest instances first. An
instance has to find room twice: for its flavor, and for what it was measured to use.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from msgspec import Struct

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, Bool
from tachyon.optimize.folding import hosts_in_use
from tachyon.optimize.migration import states
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import REASON_FOR_DISABLE
from tachyon.optimize.strategies.hosts import capacity, held, on_hosts, physical
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.overload import reopen
from tachyon.optimize.strategies.packing import Load, Packer
from tachyon.optimize.strategies.readings import Readings
from tachyon.optimize.strategies.release import Release
from tachyon.optimize.strategies.services import disable


class Utilisation(Struct, frozen=True, kw_only=True):
    """What instances use (N), hosts use (P) and hosts may use (P) of one resource."""

    of_instances: F64
    of_hosts: F64
    allowed: F64


class VMWorkloadConsolidation(Strategy):
    """Relieve overloaded hosts and release the least loaded ones, by measured use."""

    name = "vm_workload_consolidation"
    display_name = "VM Workload Consolidation Strategy"
    goal = "server_consolidation"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "period": options.period(3600),
            "granularity": options.granularity(),
            "capacity_coefficients": {
                "description": "Share of a host's capacity that measured use may take.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "cpu": options.share("Of VCPU.", 1.0),
                    "ram": options.share("Of memory.", 1.0),
                    "disk": options.share("Of disk.", 1.0),
                },
                "default": {"cpu": 1.0, "ram": 1.0, "disk": 1.0},
            },
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.RELEASE_GAIN,
            "missing_metrics": options.MISSING_METRICS,
            "forecast_hours": options.FORECAST_HOURS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """CPU use of instances; what else is measured makes the picture truer."""
        given = self.parameters
        span = {
            "period": given["period"],
            "granularity": given["granularity"],
            "ahead": 3600.0 * given["forecast_hours"],
        }
        return (
            MetricNeed(metric="instance_cpu_usage", resource_type="instance", **span),
            *(
                MetricNeed(metric=name, resource_type="instance", optional=True, **span)
                for name in (
                    "instance_ram_usage",
                    "instance_ram_allocated",
                    "instance_root_disk_size",
                )
            ),
            *(
                MetricNeed(metric=name, resource_type="compute_node", optional=True, **span)
                for name in ("host_cpu_usage", "host_ram_usage")
            ),
            *characters.needs(given),
        )

    def execute(self, session: Session, context: Context) -> None:
        """Record both phases, and disable the hosts that are empty in the end."""
        if "VCPU" not in session.view.class_index:
            return  # a graph without hosts, such as one that nothing was read into yet
        eligibility = self.eligibility(session, context)
        hosts = eligibility.targets | eligibility.reusable
        homes = session.homes()
        # What is stopped uses nothing; only what runs has to be measured.
        running = eligibility.running(states(cold=False))
        readings = Readings(self, session, context, hosts, running & hosts[homes])
        unknown = running & ~readings.known("instance_cpu_usage")
        uses = self._uses(session, readings, running)
        loads = [
            Load(
                demand=use.of_instances,
                room=use.allowed - use.of_hosts,
                capacity=use.allowed,
            )
            for use in uses.values()
        ]
        packer = Packer(eligibility, {}, loads, hosts, vacate=True)
        packer.open_only(eligibility.targets & hosts_in_use(session))
        cpu = len(session.view.classes)
        release = Release(
            packer,
            movable=eligibility.movable & ~unknown,
            migration_limit=self.parameters["migration_limit"],
            minimum_gain=self.parameters["minimum_gain"],
        )
        run = _Run(session, context, packer, release, uses["cpu"], cpu, ~unknown)
        context.focus = run.relieve()
        run.consolidate(hosts)
        empty = hosts & ~hosts_in_use(session)
        disable(session, np.flatnonzero(empty).tolist(), REASON_FOR_DISABLE)

    def _uses(self, session: Session, readings: Readings, running: Bool) -> dict[str, Utilisation]:
        """Return the use of CPU (vcpus), memory (MB) and disk (GB)."""
        view = session.view
        vcpus, memory, disk = (held(view, name) for name in ("VCPU", "MEMORY_MB", "DISK_GB"))
        cpu = np.where(running, readings.of("instance_cpu_usage") / 100.0 * vcpus, 0.0)
        # An instance without a value stays where it is, and counts there as all that it holds.
        cpu = np.where(np.isnan(cpu), vcpus, cpu)
        ram = _first(
            readings.of("instance_ram_usage"), readings.of("instance_ram_allocated"), memory
        )
        on_disk = _first(readings.of("instance_root_disk_size"), disk)
        measured = {
            "cpu": readings.of("host_cpu_usage") / 100.0 * physical(view, "VCPU"),
            "ram": readings.of("host_ram_usage") / 1024.0,
        }
        factors = self.parameters["capacity_coefficients"]
        found = {}
        for name, use, column in (
            ("cpu", cpu, "VCPU"),
            ("ram", np.where(running, ram, 0.0), "MEMORY_MB"),
            ("disk", on_disk, "DISK_GB"),
        ):
            total = on_hosts(use, session.homes(), view.provider_rows)
            if name in measured:
                total = np.fmax(total, measured[name])
            allowed = capacity(view, column) * factors[name]
            if column in view.class_index:
                found[name] = Utilisation(of_instances=use, of_hosts=total, allowed=allowed)
        return found


def _first(*values: F64) -> F64:
    """Return for each row the first value that is not missing."""
    found = values[0]
    for other in values[1:]:
        found = np.where(np.isnan(found), other, found)
    return found


class _Run:
    """One execution."""

    def __init__(
        self,
        session: Session,
        context: Context,
        packer: Packer,
        release: Release,
        cpu: Utilisation,
        column: int,
        known: Bool,
    ) -> None:
        self.session = session
        self.context = context
        self.packer = packer
        self.release = release
        self.cpu = cpu
        #: Row of the CPU use in the packer's table.
        self.column = column
        self.movable: Bool = packer.eligibility.movable & known

    def _left(self) -> F64:
        """Return by provider row how much CPU use a host can take, as things are now."""
        left = self.cpu.allowed - self.cpu.of_hosts
        left[self.packer.rows] = self.packer.free[self.column]
        return left

    def _rank(self) -> F64:
        """Return the hosts' preference: the most used goes first."""
        use: F64 = self._left()[self.packer.rows] - self.cpu.allowed[self.packer.rows]
        return use

    def _standbys(self) -> list[int]:
        eligibility = self.packer.eligibility
        rows: list[int] = np.flatnonzero(eligibility.reusable & ~eligibility.targets).tolist()
        return rows

    def relieve(self) -> Bool:
        """Take instances from overloaded hosts until they are so no more; return which were."""
        packer, release = self.packer, self.release
        overloaded = packer.eligibility.sources & release.in_use & (self._left() < 0)
        # A host outside the packer cannot be relieved step by step: it is not Tachyon's to change.
        overloaded &= packer.position >= 0
        rows = np.flatnonzero(overloaded)
        for row in rows[np.argsort(self._left()[rows], kind="stable")].tolist():
            at = packer.position[row]
            candidates = [m for m in release.members[row] if self.movable[m]]
            for member in sorted(candidates, key=lambda m: float(self.cpu.of_instances[m])):
                if packer.free[self.column, at] >= 0 or not release.room_for():
                    break
                target = packer.place(member, self._rank())
                if target < 0:
                    # Nothing else has room for it.
                    target = reopen(packer, member, self._standbys())
                if target >= 0:
                    release.moves(row, target, member)
        return overloaded

    def consolidate(self, hosts: Bool) -> None:
        """Empty hosts, the least used first, into the most used ones."""
        release = self.release
        rows = np.flatnonzero(release.donors & hosts)
        use = self.cpu.allowed - self._left()
        rows = rows[np.argsort(use[rows], kind="stable")]
        for done, row in enumerate(rows.tolist()):
            self.context.step(done, rows.size, f"{len(release.released)} hosts released")
            if release.members[row]:
                release.empty(row, self.cpu.of_instances, self._rank())
