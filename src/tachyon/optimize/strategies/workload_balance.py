"""`workload_balance`: move instances off hosts whose measured load is at the threshold.

Watcher's Workload Balance Migration Strategy: from the most loaded host, the instance goes that
brings the host closest to the mean from above; it goes to the least loaded host with room that
stays below the threshold. One instance an audit by default, for continuous audits; where it finds
no place, the next best one is tried.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.scored import CLASS_OF, MeasuredLoad, Scored, scored
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.hosts import held, on_hosts, physical, share, unmeasured
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.readings import Readings
from tachyon.optimize.strategies.release import members


class WorkloadBalance(Strategy):
    """Relieve hosts whose load is at a threshold."""

    name = "workload_balance"
    display_name = "Workload Balance Migration Strategy"
    goal = "workload_balancing"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "metrics": {
                "description": "The load to be balanced.",
                "type": "string",
                "enum": list(CLASS_OF),
                "default": "instance_cpu_usage",
            },
            "threshold": options.threshold(
                "Share of a host's CPU or memory, in per cent, from which on it is overloaded.",
                25.0,
            ),
            "period": options.period(300),
            "granularity": options.granularity(),
            "migration_limit": options.migration_limit(1),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: by how much lower the destination's load is afterwards "
                "than the source's was, in per cent of a host."
            ),
            "missing_metrics": options.MISSING_METRICS,
            "forecast_hours": options.FORECAST_HOURS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The metric that is to be balanced, of instances."""
        return (
            MetricNeed(
                metric=self.parameters["metrics"],
                resource_type="instance",
                period=self.parameters["period"],
                granularity=self.parameters["granularity"],
                ahead=3600.0 * self.parameters["forecast_hours"],
            ),
            *characters.needs(self.parameters),
        )

    def execute(self, session: Session, context: Context) -> None:
        """Record moves from overloaded hosts."""
        eligibility = self.eligibility(session, context, ("active",))
        hosts = eligibility.targets
        homes = session.homes()
        running = eligibility.running(("active",)) & hosts[homes]
        readings = Readings(self, session, context, hosts, running)
        metric = self.parameters["metrics"]
        values = np.where(running, readings.of(metric), 0.0)
        one = MeasuredLoad(column=f"{metric} (measured)", metric=metric, of_instances=values)
        context.scored = Scored(view=scored(session, [one]), hosts=hosts, weights={one.column: 1.0})
        if metric == "instance_cpu_usage":
            values = values / 100.0 * held(session.view, "VCPU")
        total = physical(session.view, CLASS_OF[metric])
        unknown = unmeasured(session, running, values)
        load = on_hosts(values, homes, session.view.provider_rows)
        run = _Run(self, session, Packer(eligibility, {}, vacate=True), values, load, total)
        run.movable = eligibility.movable & running & ~np.isnan(values)
        # What nobody measured may be at work there, so nothing is brought to such hosts.
        run.targets = hosts & ~unknown & (total > 0)
        context.focus = hosts & (run.percent() >= self.parameters["threshold"])
        run.relieve(context, hosts)


class _Run:
    """Loads as they change; `load` and `total` by provider row in vcpus or MB."""

    movable: Bool
    targets: Bool

    def __init__(
        self,
        strategy: WorkloadBalance,
        session: Session,
        packer: Packer,
        values: F64,
        load: F64,
        total: F64,
    ) -> None:
        self.parameters = strategy.parameters
        self.session = session
        self.packer = packer
        self.values = values
        self.load = load
        self.total = total

    def percent(self) -> F64:
        """Return each host's load in per cent."""
        return 100.0 * share(self.load, self.total)

    def relieve(self, context: Context, hosts: Bool) -> None:
        """Move instances, one after another, until nothing helps or the limit is reached."""
        limit = self.parameters["migration_limit"]
        mean = float(self.load[hosts].sum() / max(1, hosts.sum()))
        homes = self.session.homes().astype(np.int64)
        standing = members(homes, np.flatnonzero(self.movable), np.flatnonzero(hosts))
        now = _Percent(self, hosts)
        made = 0
        while hosts.any() and (not limit or made < limit):
            context.step(made, limit, f"{made} migrations")
            source = int(now.heat.argmax())
            if now.heat[source] == -np.inf:
                break
            move = self._move_one(source, standing[source], mean, now)
            if move is None:
                now.give_up(source)
                continue
            moved, target = move
            self.load[source] -= self.values[moved]
            self.load[target] += self.values[moved]
            now.update(source)
            now.update(target)
            # Who was moved once stays: a host that it overloads would send it back.
            standing[source].remove(moved)
            made += 1

    def _move_one(
        self, source: int, standing: list[int], mean: float, now: _Percent
    ) -> tuple[int, int] | None:
        """Move one instance off a host; return it and its new host, None when it has no place."""
        rows = np.array(standing, np.int64)
        delta = self.load[source] - mean - self.values[rows]
        # Those that leave the host above the mean, the largest of them first; idle ones help none.
        fitting = (delta >= 0) & (self.values[rows] > 0)
        # Who would bring every host to the threshold need not be tried; a little more than the
        # room is let pass, because sums of floats are not exact.
        fitting &= self.values[rows] <= now.room.max(initial=0.0) + now.slack
        order: list[int] = rows[fitting][np.argsort(delta[fitting], kind="stable")].tolist()
        at, packer = self.packer.rows, self.packer
        for row in order:
            # The least loaded host with room is almost always the one, so it is looked at alone.
            target = packer.best(row, now.level)
            if target < 0:
                continue
            one = np.array([target])
            if self._allowed(source, row, one, now)[0] and packer.move(row, target):
                return row, target
            allowed = self._allowed(source, row, at, now)
            if allowed.any():
                target = packer.place(row, np.where(allowed, now.level, np.inf))
                if target >= 0:
                    return row, target
        return None

    def _allowed(self, source: int, row: int, targets: I64, now: _Percent) -> Bool:
        """Return which target rows stay below the threshold with an instance, and gain enough."""
        after = 100.0 * share(self.load[targets] + self.values[row], self.total[targets])
        allowed: Bool = after < self.parameters["threshold"]
        allowed &= now.all[source] - after >= self.parameters["minimum_gain"]
        return allowed


class _Percent:
    """The hosts' loads in per cent, kept up to date host by host.

    Attributes:
        all: P.
        heat: P; the same of hosts at or above the threshold that can be relieved, else −∞.
        level: H (of the packer); the same of hosts below it that may be targets, else ∞.
        room: H; the load that such hosts can take up to the threshold, else 0.
        slack: more than what rounding can make of a load.
    """

    def __init__(self, run: _Run, hosts: Bool) -> None:
        self._run = run
        self._threshold: float = run.parameters["threshold"]
        self.all = run.percent()
        hot = self.all >= self._threshold
        self.heat = np.where(hosts & hot, self.all, -np.inf)
        cool = (run.targets & ~hot)[run.packer.rows]
        at = run.packer.rows
        self.level: F64 = np.where(cool, self.all[at], np.inf)
        self.room: F64 = np.where(cool, self._threshold / 100 * run.total[at] - run.load[at], 0.0)
        self.slack = 1e-9 * float(run.total.max(initial=0.0))
        self._sources = hosts.copy()

    def give_up(self, row: int) -> None:
        """Note that a host cannot be relieved."""
        self._sources[row] = False
        self.heat[row] = -np.inf

    def update(self, row: int) -> None:
        """Follow a change of a host's load."""
        run = self._run
        percent = 100.0 * (run.load[row] / run.total[row])
        self.all[row] = percent
        hot = percent >= self._threshold
        self.heat[row] = percent if hot and self._sources[row] else -np.inf
        at = run.packer.position[row]
        if at >= 0:
            cool = run.targets[row] and not hot
            self.level[at] = percent if cool else np.inf
            room = self._threshold / 100 * run.total[row] - run.load[row]
            self.room[at] = room if cool else 0.0
