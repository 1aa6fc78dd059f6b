"""Measured values of one run, with what is missing told once and for all.

Every strategy with metrics begins here: it hands over its needs and whom it wants to know about,
and gets arrays by row. A metric without a single value ends the audit; single resources without
one end it or are left out, as the parameter says.
"""

from __future__ import annotations

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, Bool
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import (
    MetricNeed,
    Shortage,
    missing,
    of_view,
    shortage,
)


class Readings:
    """What was measured, by the name of each need.

    Args:
        strategy: whose needs count.
        session: whose rows count.
        context: has the measurements, and is told of shortages.
        hosts: P; the compute nodes that matter.
        instances: N; the instances that matter.

    Raises:
        MetricsMissing: a metric that is not optional has no value for any of those that matter,
            or not for all of them and the parameter `missing_metrics` says fail.
    """

    def __init__(
        self, strategy: Strategy, session: Session, context: Context, hosts: Bool, instances: Bool
    ) -> None:
        view = session.view
        source = context.measurements
        if source is None:
            source = of_view(view)
            if any(need.ahead > 0 for need in strategy.metrics()):
                context.warnings.append("no datasource tells what is to come; the past counts")
        self._values: dict[str, F64] = {}
        absent: list[Shortage] = []
        partial: list[Shortage] = []
        for need in strategy.metrics():
            values = source.get(need, view)
            self._values[need.name] = values
            wanted = hosts if need.resource_type == "compute_node" else instances
            lacking = shortage(view, need, values, wanted)
            if lacking is None or need.optional:
                continue
            (absent if lacking.count == np.count_nonzero(wanted) else partial).append(lacking)
        if absent or (partial and strategy.parameters.get("missing_metrics") == "fail"):
            raise missing([*absent, *partial])
        context.warnings.extend(f"{one}; left out" for one in partial)

    def of(self, need: MetricNeed | str) -> F64:
        """Return the values of a need: P of compute nodes, N of instances; NaN where missing."""
        return self._values[need if isinstance(need, str) else need.name]

    def known(self, *names: str) -> Bool:
        """Return which rows have a value of every one of some needs of the same kind."""
        found: Bool = ~np.isnan(self._values[names[0]])
        for name in names[1:]:
            found &= ~np.isnan(self._values[name])
        return found
