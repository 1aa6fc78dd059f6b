"""A day of continuous audits: strategies, sessions and planners as a decision engine runs them.

Every few minutes an audit of the goal server_consolidation looks at the cluster as the audits
before left it, asks a datasource for what was measured up to then, and its plan is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from msgspec.structs import replace

from benchmarks.planetlab_data import INTERVAL, Day
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Inventory
from tachyon.graph.importers.planetlab import MIPS
from tachyon.graph.mutations import Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build, snapshot_of
from tachyon.graph.view.columns import F64, I64
from tachyon.openstack.telemetry.datasource import Datasource, Points, Query, SeriesQuery, Value
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.openstack.telemetry.surroundings import Surroundings
from tachyon.optimize.audit import work_out
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.forecasting import look_ahead
from tachyon.optimize.strategies.measurements import Measurements
from tests.oversight.watching import problems_of

#: Whole hours since 1970 at which the day begins, in seconds; any will do.
MIDNIGHT = 1_299_110_400.0


class Traces(Datasource):
    """The CPU use of the machines up to now, in per cent of what they are sold with.

    Args:
        machines: by uuid, in the order of the day's rows.
        day: their demand.
    """

    name: ClassVar[str] = "traces"
    default_names: ClassVar[Mapping[str, Any]] = {"instance_cpu_usage": "cpu"}

    def __init__(self, machines: Iterable[str], day: Day) -> None:
        super().__init__(self.default_names)
        self._machines = list(machines)
        self._use = day.demand / day.mips[:, None] * 100.0
        #: Index of the newest value.
        self.at = 0

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Traces:
        """Raise `TypeError`: the simulation makes it, and no configuration names it."""
        raise TypeError("traces are made by the simulation, not opened by options")

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return MIDNIGHT + self.at * INTERVAL

    def check_availability(self) -> bool:
        """It is in memory."""
        return True

    def list_metrics(self) -> set[str]:
        """Return the only one."""
        return {"cpu"}

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        count = max(1, round(query.period / INTERVAL))
        seen = self._use[:, max(0, self.at + 1 - count) : self.at + 1]
        reduced = getattr(seen, query.aggregate)(axis=1)
        yield from zip(self._machines, reduced.tolist(), strict=True)

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        step = max(1, round(query.granularity / INTERVAL))
        # Whole steps that end now; a time series database averages within a step.
        count = (self.at + 1) // step
        seen = self._use[:, self.at + 1 - count * step : self.at + 1]
        means: F64 = seen.reshape(len(seen), count, step).mean(axis=2)
        moments: F64 = query.end - query.granularity * np.arange(count, 0.0, -1.0)
        for machine, values in zip(self._machines, means, strict=True):
            yield machine, moments, values


class Audits:
    """A cluster under continuous audits.

    Args:
        content: of `read_planetlab`.
        day: the same as arrays.
        strategy: by its name.
        parameters: of the audits.
        every: intervals between two audits.
        memory: whether a host's memory limits who stands there. The published set-up counts a
            machine's memory only until it migrates.
    """

    def __init__(
        self,
        content: ClusterFile,
        day: Day,
        strategy: str,
        parameters: Mapping[str, Any],
        *,
        every: int = 1,
        memory: bool = False,
    ) -> None:
        plugins = Plugins()
        self._strategy = plugins.strategy(strategy)(parameters)
        self._goal = plugins.goal(self._strategy.goal)
        self._planner = plugins.planner(self._strategy.planner)()
        self._every = every
        self._cluster = _cluster(content.cluster, memory=memory)
        self._traces = Traces((one.uuid for one in content.cluster.consumers), day)
        self._row = {one.uuid: at for at, one in enumerate(content.cluster.providers)}

    def decide(self, at: int, homes: I64) -> I64:
        """Return where each machine stands (V) when the audit that is due at a moment is done."""
        if at % self._every:
            return homes
        self._traces.at = at
        view = build(snapshot_of(self._cluster))
        session = Session(view)
        outcome = work_out(
            session,
            self._goal,
            self._strategy,
            Context(measurements=self._measured(view)),
            self._planner,
        )
        problems = problems_of(session, outcome.plan, self._strategy.limits(view))
        if problems:
            raise AssertionError(f"a plan breaks rules: {problems[:5]}")
        self._carry_out(session)
        return np.array([self._row[session.host(one.uuid) or ""] for one in self._machines])

    @property
    def _machines(self) -> list[Any]:
        return list(self._cluster.consumers)

    def _measured(self, view: View) -> Measurements | None:
        needs = self._strategy.metrics()
        source = Datasources([self._traces])
        measured = Measurements(source.gather(view, needs).values)
        if any(need.ahead for need in needs):
            measured = look_ahead(measured, needs, source, view, self._traces.now + INTERVAL)
        return measured

    def _carry_out(self, session: Session) -> None:
        consumers = []
        for one in self._cluster.consumers:
            home = session.host(one.uuid)
            if home not in one.allocations:
                (held,) = one.allocations.values()
                one = replace(one, allocations={home: held})
            consumers.append(one)
        providers = [session.provider(one.uuid) for one in self._cluster.providers]
        self._cluster = replace(self._cluster, consumers=consumers, providers=providers)


def _cluster(given: Cluster, *, memory: bool) -> Cluster:
    """Return the cluster with a VCPU for each MIPS, as hosts' cores are not alike."""
    providers = []
    for host in given.providers:
        mips, ram = host.inventories[MIPS], host.inventories["MEMORY_MB"]
        providers.append(
            replace(
                host,
                inventories={
                    # A machine is not sold on a core that is too slow for it.
                    "VCPU": Inventory(
                        total=mips.total, max_unit=host.extra["core_mips"], allocation_ratio=16.0
                    ),
                    "MEMORY_MB": ram if memory else replace(ram, allocation_ratio=16.0),
                },
            )
        )
    consumers = [
        replace(
            one,
            allocations={
                home: {"VCPU": held[MIPS], "MEMORY_MB": held["MEMORY_MB"]}
                for home, held in one.allocations.items()
            },
        )
        for one in given.consumers
    ]
    return replace(given, providers=providers, consumers=consumers)
