"""Load that datasources measure, for strategies that judge by allocations where there is none.

A cluster file may bring measured columns of its own, and these count. Else, where a datasource is
at hand, it is asked once for each metric, and what it says stands as columns of the same names. A
resource without a value is never taken for idle: such an instance stays, and so does its host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, Bool
from tachyon.graph.view.measured import Measurement, with_metrics
from tachyon.optimize.migration import states
from tachyon.optimize.scored import CLASS_OF, MeasuredLoad, measurement
from tachyon.optimize.strategies import options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.hosts import on_hosts, unmeasured
from tachyon.optimize.strategies.measurements import (
    MetricNeed,
    Shortage,
    missing,
    of_view,
    shortage,
)
from tachyon.optimize.strategies.packing import Load

#: Parameters of strategies that take measured load where there is any.
PARAMETERS: Mapping[str, options.Schema] = {
    "measured": {
        "description": "Whether load counts that a datasource has measured: auto where one is "
        "configured and has values, else what is allocated; required fails without; off asks none.",
        "type": "string",
        "enum": ["auto", "required", "off"],
        "default": "auto",
    },
    "metrics": {
        "description": "The metrics of instances that datasources are asked for.",
        "type": "array",
        "items": {"type": "string", "enum": list(CLASS_OF)},
        "uniqueItems": True,
        "minItems": 1,
        "default": list(CLASS_OF),
    },
    "period": options.period(300),
    "granularity": options.granularity(),
    "missing_metrics": options.MISSING_METRICS,
}


def needs(given: Mapping[str, Any]) -> tuple[MetricNeed, ...]:
    """Return what has to be measured, by the parameters of a run."""
    if given["measured"] == "off":
        return ()
    return tuple(
        MetricNeed(
            metric=name,
            resource_type="instance",
            period=given["period"],
            granularity=given["granularity"],
            optional=given["measured"] == "auto",
        )
        for name in given["metrics"]
    )


class Measured(Struct, frozen=True, kw_only=True):
    """The load of instances, and of whom it is known.

    Attributes:
        columns: one for each metric that has values, in VCPUs or MB.
        instances: N; whose load is known; who does not run has none.
        hosts: P; on which nobody's load is unknown.
    """

    columns: tuple[Measurement, ...]
    instances: Bool
    hosts: Bool

    @classmethod
    def of(
        cls, strategy: Strategy, session: Session, context: Context, eligibility: Eligibility
    ) -> Measured | None:
        """Return what was measured for a strategy with these parameters; None where nothing was.

        Args:
            strategy: with the parameters of this module, for which `needs` was asked.
            session: as it is when the strategy starts.
            context: has the measurements, and is told what is missing.
            eligibility: whose instances count.

        Raises:
            MetricsMissing: a metric is required and has no value, or not all values are there and
                the parameter `missing_metrics` says fail.
        """
        view, given = session.view, strategy.parameters
        source = context.measurements
        if given["measured"] == "off" or view.metrics:
            return None
        if source is None and given["measured"] == "auto":
            return None
        running = eligibility.running(states(cold=False))
        source = of_view(view) if source is None else source
        found: dict[str, F64] = {}
        absent: list[Shortage] = []
        partial: list[Shortage] = []
        for need in needs(given):
            values = source.get(need, view)
            lacking = shortage(view, need, values, running)
            if lacking is not None and lacking.count == np.count_nonzero(running):
                absent.append(lacking)
                continue
            found[need.metric] = np.where(running, values, 0.0)
            if lacking is not None:
                partial.append(lacking)
        if absent and given["measured"] == "required":
            raise missing(absent)
        if partial and given["missing_metrics"] == "fail":
            raise missing(partial)
        context.warnings.extend(f"{one}; it counts for nothing" for one in absent)
        context.warnings.extend(f"{one}; left out" for one in partial)
        if not found:
            return None
        known: list[F64] = list(found.values())
        instances = np.ones(view.consumer_rows, np.bool_)
        for values in known:
            instances &= ~np.isnan(values)
        return cls(
            columns=tuple(
                measurement(view, MeasuredLoad(column=name, metric=name, of_instances=one))
                for name, one in found.items()
            ),
            instances=instances,
            hosts=~unmeasured(session, running, *known),
        )

    def seen(self, session: Session) -> Session:
        """Return a session in the same state whose view has the columns."""
        found = Session(with_metrics(session.view, self.columns, missing="zero"))
        for delta in session.deltas:
            found.record(delta)
        return found

    def loads(self, session: Session, share: float) -> list[Load]:
        """Return what has to find room for a packer, within a share of what hosts physically have.

        Args:
            session: who stands where.
            share: of each host.
        """
        homes, rows = session.homes(), session.view.provider_rows
        return [
            Load(
                demand=np.nan_to_num(one.load),
                room=share * one.capacity - on_hosts(one.load, homes, rows),
                capacity=one.capacity,
            )
            for one in self.columns
        ]


def weights(given: Mapping[str, float], view: View) -> dict[str, float]:
    """Return the weights of columns to judge by.

    Args:
        given: of resource classes and metrics. Empty: the metrics that are measured, else VCPU and
            MEMORY_MB, all alike; so also where none of the metrics named is measured.
        view: that the strategy judges by.

    Raises:
        InvalidInput: a name is neither a column nor a metric that could be measured.
    """
    for name in given:
        if name not in CLASS_OF:
            view.column(name)
    known = {name: w for name, w in given.items() if w > 0 and name in view.class_index}
    measured = [m.name for m in view.metrics]
    usual = [name for name in ("VCPU", "MEMORY_MB") if name in view.class_index]
    return known or dict.fromkeys(measured or usual or view.classes, 1.0)
