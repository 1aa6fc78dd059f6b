"""What instances use of their hosts' CPUs: now, and usually, as a calm moment deceives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, Bool
from tachyon.optimize.migration import states
from tachyon.optimize.strategies import options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.hosts import held, on_hosts, physical
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Load
from tachyon.optimize.strategies.readings import Readings

_METRIC = "instance_cpu_usage"
_USUAL = "usual_cpu_usage"

#: Parameters of strategies that go by it.
PARAMETERS: Mapping[str, options.Schema] = {
    "period": options.seconds("Time up to now whose mean is the CPU use of now", 300),
    "usual_period": options.seconds("Time up to now that tells the usual CPU use", 3600),
    "usual_aggregate": {
        "description": "What of that time is usual: its mean, or its highest value.",
        "type": "string",
        "enum": ["mean", "max"],
        "default": "mean",
    },
    "granularity": options.granularity(),
    "forecast_hours": options.FORECAST_HOURS,
    "missing_metrics": options.MISSING_METRICS,
}


class CpuUse(Struct, frozen=True, kw_only=True):
    """In VCPUs of the hosts, of which allocation ratios make no more.

    Attributes:
        now, usual: N; what instances use; all that they hold where that is not known.
        known: N; of which instances it is known; those that do not run use nothing.
        capacity: P.
        on_hosts, usual_on_hosts: P; the sums of `now` and `usual`.
    """

    now: F64
    usual: F64
    known: Bool
    capacity: F64
    on_hosts: F64
    usual_on_hosts: F64

    @classmethod
    def of(
        cls, strategy: Strategy, session: Session, context: Context, eligibility: Eligibility
    ) -> CpuUse:
        """Return what was measured for a strategy whose needs are `needs(…)`.

        Raises:
            MetricsMissing: nothing was, or not all and the strategy's parameter says fail.
        """
        view = session.view
        running = eligibility.running(states(cold=False))
        readings = Readings(strategy, session, context, eligibility.hosts, running)
        vcpus, homes = held(view, "VCPU"), session.homes()
        measured = readings.known(_METRIC)

        def used(percent: F64) -> F64:
            use = np.where(np.isnan(percent), vcpus, percent / 100.0 * vcpus)
            return np.where(running, use, 0.0)

        now = readings.of(_METRIC)
        # Who has no past yet is what it is now.
        usual = np.where(np.isnan(readings.of(_USUAL)), now, readings.of(_USUAL))
        rows = view.provider_rows
        return cls(
            now=used(now),
            usual=used(usual),
            known=measured | ~running,
            capacity=physical(view, "VCPU"),
            on_hosts=on_hosts(used(now), homes, rows),
            usual_on_hosts=on_hosts(used(usual), homes, rows),
        )

    def loads(self, share: float, usual_share: float) -> list[Load]:
        """Return what has to find room for a packer, within shares of the capacity: now, usual."""
        return [
            Load(
                demand=self.now,
                room=share * self.capacity - self.on_hosts,
                capacity=self.capacity,
            ),
            Load(
                demand=self.usual,
                room=usual_share * self.capacity - self.usual_on_hosts,
                capacity=self.capacity,
            ),
        ]


def needs(given: Mapping[str, Any]) -> tuple[MetricNeed, ...]:
    """Return what has to be measured, by the parameters of a run."""
    common: dict[str, Any] = {
        "metric": _METRIC,
        "resource_type": "instance",
        "granularity": given["granularity"],
    }
    return (
        MetricNeed(period=given["period"], **common),
        MetricNeed(
            key=_USUAL,
            period=given["usual_period"],
            aggregate=given["usual_aggregate"],
            ahead=3600.0 * given["forecast_hours"],
            optional=True,
            **common,
        ),
    )
