"""`basic`: empty the hosts with the least CPU load, whatever that takes, one after the other.

Watcher's basic offline consolidation. Hosts are scored by their CPU use; from the lowest up, each
gives its instances to the most loaded hosts that have room. Other than Watcher's, it empties a
host wholly or leaves it alone, brings nothing to hosts that are disabled, and moves nobody twice.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, Bool
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import REASON_FOR_DISABLE
from tachyon.optimize.strategies.hosts import held
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.readings import Readings
from tachyon.optimize.strategies.release import Release
from tachyon.optimize.strategies.services import disable


class Basic(Strategy):
    """Release the hosts with the least CPU use."""

    name = "basic"
    display_name = "Basic offline consolidation"
    goal = "server_consolidation"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "migration_attempts": {
                "description": "How many hosts in a row may turn out to be impossible to empty "
                "before the strategy gives up; 0: any number.",
                "type": "number",
                "minimum": 0,
                "default": 0,
            },
            "period": options.period(7200),
            "granularity": options.granularity(),
            "aggregation_method": options.aggregation_method(),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.RELEASE_GAIN,
            "missing_metrics": options.MISSING_METRICS,
            "forecast_hours": options.FORECAST_HOURS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """CPU use of hosts and instances."""
        given = self.parameters
        methods = given["aggregation_method"]
        return (
            MetricNeed(
                metric="host_cpu_usage",
                resource_type="compute_node",
                aggregate=options.of_nodes(methods),
                period=given["period"],
                granularity=given["granularity"],
                ahead=3600.0 * given["forecast_hours"],
            ),
            MetricNeed(
                metric="instance_cpu_usage",
                resource_type="instance",
                aggregate=methods["instance"],
                period=given["period"],
                granularity=given["granularity"],
                ahead=3600.0 * given["forecast_hours"],
            ),
            *characters.needs(given),
        )

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves that release hosts, and disable what is released."""
        eligibility = self.eligibility(session, context, ("active",))
        homes = session.homes()
        used = np.zeros(session.view.provider_rows, np.bool_)
        used[homes[eligibility.instances]] = True
        hosts = eligibility.targets & used
        instances = eligibility.movable & hosts[homes]
        readings = Readings(self, session, context, hosts, instances)
        host_cpu, instance_cpu = readings.of("host_cpu_usage"), readings.of("instance_cpu_usage")
        known = hosts & readings.known("host_cpu_usage")
        packer = Packer(eligibility, {}, hosts=known)
        release = Release(
            packer,
            movable=instances & readings.known("instance_cpu_usage"),
            migration_limit=self.parameters["migration_limit"],
            minimum_gain=self.parameters["minimum_gain"],
        )
        size = np.nan_to_num(instance_cpu / 100.0 * held(session.view, "VCPU"))
        self._release(release, host_cpu, known, size, context)
        disable(session, release.released, REASON_FOR_DISABLE)

    def _release(
        self,
        release: Release,
        host_cpu: F64,
        known: Bool,
        size: F64,
        context: Context,
    ) -> None:
        rank = -host_cpu[release.packer.rows]
        sources = np.flatnonzero(known & release.donors)
        sources = sources[np.argsort(host_cpu[sources], kind="stable")]
        attempts, fruitless = self.parameters["migration_attempts"], 0
        for done, row in enumerate(sources.tolist()):
            context.step(done, sources.size, f"{len(release.released)} hosts released")
            fruitless = 0 if release.empty(row, size, rank) else fruitless + 1
            if attempts and fruitless > attempts:
                break
