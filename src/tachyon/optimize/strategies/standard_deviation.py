"""Even out the load of compute hosts: the strategy behind the goal workload_balancing.

Steepest descent on the weighted sum of the standard deviations of utilisation, see `descent`.
"""

from __future__ import annotations

from typing import ClassVar

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.folding import fold
from tachyon.optimize.goals.workload_balancing import balanced_hosts
from tachyon.optimize.migration import states
from tachyon.optimize.scored import Scored
from tachyon.optimize.strategies import characters, measured_load, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.descent import Aims, Descent
from tachyon.optimize.strategies.measured_load import Measured
from tachyon.optimize.strategies.measurements import MetricNeed


class StandardDeviation(Strategy):
    """Move instances from over- to underloaded hosts while that evens out the load."""

    name = "standard_deviation"
    display_name = "Standard deviation"
    goal = "workload_balancing"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "weights": {
                "description": "Weight of each resource class or metric whose deviation counts. "
                "Empty: every metric that is measured, else VCPU and MEMORY_MB, all alike.",
                "type": "object",
                "additionalProperties": {"type": "number", "minimum": 0},
                "default": {},
            },
            "threshold": {
                "description": "Nothing more is moved once the standard deviation of every "
                "weighted column is at or below this.",
                "type": "number",
                "minimum": 0,
                "default": 0.05,
            },
            "limits": options.limits(
                "Highest shares of a host's capacity that may be used after a migration to it, by "
                "resource class or metric."
            ),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: by how much it lowers the weighted deviation, times "
                "the number of hosts (so that it means the same at every size).",
                0.01,
            ),
            "cold_migration": options.cold_migration(default=False),
            **measured_load.PARAMETERS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The load of instances, and what characters ask about."""
        return (*measured_load.needs(self.parameters), *characters.needs(self.parameters))

    def weights(self, view: View) -> dict[str, float]:
        """Return the parameter's weights, or what stands for none."""
        return measured_load.weights(self.parameters["weights"], view)

    def limits(self, view: View) -> dict[str, float]:
        """Return the limits given."""
        limits: dict[str, float] = dict(self.parameters["limits"])
        for name in limits:
            view.column(name)
        return limits

    def execute(self, session: Session, context: Context) -> None:
        """Record moves, each of which lowers the weighted deviation."""
        given = self.parameters
        eligibility = self.eligibility(
            session, context, states=states(cold=given["cold_migration"])
        )
        hosts, movable = balanced_hosts(session, context.scope), eligibility.movable
        seen = session
        measured = Measured.of(self, session, context, eligibility)
        if measured is not None:
            seen = measured.seen(session)
            hosts, movable = hosts & measured.hosts, movable & measured.instances
        weights = self.weights(seen.view)
        folded = fold(seen)
        if measured is not None:
            context.scored = Scored(view=folded.view, hosts=hosts, weights=weights)
        if hosts.sum() < 2:
            return
        aims = Aims(
            weights=weights,
            thresholds=dict.fromkeys(weights, given["threshold"]),
            limits=self.limits(session.view),
            migration_limit=given["migration_limit"],
            minimum_gain=given["minimum_gain"] / hosts.sum(),
        )
        Descent(session, folded, eligibility, movable, hosts, aims, context).run()
