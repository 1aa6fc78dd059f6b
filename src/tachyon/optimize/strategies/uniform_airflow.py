"""`uniform_airflow`: move instances off a host that needs too much air.

Spec uniform-airflow-migration-strategy: of the hosts whose airflow is at the threshold the one
with the most airflow gives one instance; all of its instances when inlet temperature and power
are both below theirs, for then something must be wrong with the hardware. Destinations are the
hosts with the least airflow that have room.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.readings import Readings
from tachyon.optimize.strategies.release import members
from tachyon.optimize.strategies.relief import largest_first, move_all, move_first, ranked

_METRICS = ("host_airflow", "host_inlet_temp", "host_power")


class UniformAirflow(Strategy):
    """Lower the airflow of the host that needs the most."""

    name = "uniform_airflow"
    display_name = "Uniform airflow migration strategy"
    goal = "airflow_optimization"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "threshold_airflow": options.threshold(
                "Airflow from which on a host is at fault, in 0.1 CFM.", 400.0
            ),
            "threshold_inlet_t": options.threshold(
                "Inlet temperature below which airflow has no good reason, in °C.", 28.0
            ),
            "threshold_power": options.threshold(
                "Power below which airflow has no good reason, in W.", 350.0
            ),
            "period": options.period(300),
            "granularity": options.granularity(),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: by how much less air its destination needs, in 0.1 CFM."
            ),
            "missing_metrics": options.MISSING_METRICS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """Airflow, inlet temperature and power of hosts."""
        needs = (
            MetricNeed(
                metric=name,
                resource_type="compute_node",
                period=self.parameters["period"],
                granularity=self.parameters["granularity"],
            )
            for name in _METRICS
        )
        return (*needs, *characters.needs(self.parameters))

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves off the first host at fault whose instances find a place."""
        given = self.parameters
        eligibility = self.eligibility(session, context, ("active",))
        hosts = eligibility.targets
        none = np.zeros(session.view.consumer_rows, np.bool_)
        readings = Readings(self, session, context, hosts, none)
        airflow, inlet, power = (readings.of(name) for name in _METRICS)
        known = hosts & readings.known(*_METRICS)
        fault = known & (airflow >= given["threshold_airflow"])
        context.focus = fault
        broken = (inlet < given["threshold_inlet_t"]) & (power < given["threshold_power"])
        packer = Packer(eligibility, {})
        sources = np.flatnonzero(fault)
        sources = sources[np.argsort(-airflow[sources], kind="stable")]
        standing = members(
            session.homes().astype(np.int64), np.flatnonzero(eligibility.movable), sources
        )
        targets = known & ~fault
        for row in sources.tolist():
            context.step(0, sources.size, session.view.provider_at(row).name)
            less = targets & (airflow[row] - airflow >= given["minimum_gain"])
            rank = ranked(packer, less, airflow)
            instances = largest_first(session, standing[row])
            limit = given["migration_limit"]
            if broken[row] and (not limit or len(instances) <= limit):
                if move_all(packer, instances, rank):
                    break
            elif not broken[row] and move_first(packer, instances, rank) >= 0:
                break
