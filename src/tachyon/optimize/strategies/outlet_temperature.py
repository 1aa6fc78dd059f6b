"""`outlet_temperature`: move an instance from the hottest host to the coolest one.

Spec outlet-temperature-based-strategy: a host whose outlet temperature is at the threshold gives
an instance to the coolest of those below it that has room: the one with the most VCPUs, for its
heat goes with it. Where that finds no place, the next one is tried, and then the next hottest host.
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
from tachyon.optimize.strategies.relief import largest_first, move_first, ranked


class OutletTemperature(Strategy):
    """Let hot hosts cool down."""

    name = "outlet_temperature"
    display_name = "Outlet temperature based strategy"
    goal = "thermal_optimization"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "threshold": options.threshold(
                "Outlet temperature from which on a host is hot, in °C.", 35.0
            ),
            "period": options.period(30),
            "granularity": options.granularity(),
            "migration_limit": options.migration_limit(1),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: by how much cooler its destination is, in °C."
            ),
            "missing_metrics": options.MISSING_METRICS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The outlet temperature of hosts."""
        return (
            MetricNeed(
                metric="host_outlet_temp",
                resource_type="compute_node",
                period=self.parameters["period"],
                granularity=self.parameters["granularity"],
            ),
            *characters.needs(self.parameters),
        )

    def execute(self, session: Session, context: Context) -> None:
        """Record a move from each hot host, the hottest first, up to the limit."""
        given = self.parameters
        eligibility = self.eligibility(session, context, ("active",))
        hosts = eligibility.targets
        none = np.zeros(session.view.consumer_rows, np.bool_)
        readings = Readings(self, session, context, hosts, none)
        heat = readings.of("host_outlet_temp")
        known = hosts & ~np.isnan(heat)
        hot = known & (heat >= given["threshold"])
        context.focus = hot
        packer = Packer(eligibility, {})
        sources = np.flatnonzero(hot)
        sources = sources[np.argsort(-heat[sources], kind="stable")]
        standing = members(
            session.homes().astype(np.int64), np.flatnonzero(eligibility.movable), sources
        )
        made = 0
        for row in sources.tolist():
            if given["migration_limit"] and made >= given["migration_limit"]:
                break
            context.step(made, sources.size, f"{made} migrations")
            cooler = known & ~hot & (heat[row] - heat >= given["minimum_gain"])
            instances = largest_first(session, standing[row])
            made += move_first(packer, instances, ranked(packer, cooler, heat)) >= 0
