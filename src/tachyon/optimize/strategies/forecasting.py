"""Answers to needs that look ahead: the expected peak of the next hours in place of the past mean.

Called by whoever measures for a strategy. What was measured over two weeks is taken apart into
trend, daily and weekly seasons (`tachyon.optimize.series`); the answer is the higher of what is
expected and what is so now. One query for each need, over all resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tachyon.graph.view import View
from tachyon.graph.view.columns import F64
from tachyon.openstack.telemetry.datasource import Series, SeriesQuery
from tachyon.openstack.telemetry.resources import Resources
from tachyon.optimize.series import TimeSeries
from tachyon.optimize.strategies.measurements import Measurements, MetricNeed

#: Seconds back that seasons are learnt from, and between two values of it at the least: a value
#: an hour of 20,000 instances is 54 MB.
HISTORY = 14 * 86_400.0
STEP = 3600.0


class SeriesSource(Protocol):
    """Where series come from; `Datasources` is one."""

    def series(self, query: SeriesQuery, resources: Resources) -> Series:
        """Return the values of all resources over time."""


def look_ahead(
    measured: Measurements,
    needs: Sequence[MetricNeed],
    source: SeriesSource,
    view: View,
    now: float,
) -> Measurements:
    """Return measurements in which needs that look ahead are answered by what is to come.

    Args:
        measured: what is so now, by need.
        needs: of the strategy; those without `ahead` keep their answers.
        source: of series.
        view: whose rows count.
        now: in seconds since 1970.

    Raises:
        CloudError: the source could not be asked.
    """
    found = Measurements()
    for need in needs:
        values = measured.get(need, view)
        if need.ahead > 0:
            values = np.fmax(values, _peak(need, source, view, now))
        found.put(need, values)
    return found


def _peak(need: MetricNeed, source: SeriesSource, view: View, now: float) -> F64:
    resources = Resources(view, need.resource_type)
    step = max(STEP, float(need.granularity))
    query = SeriesQuery(metric=need.metric, start=now - HISTORY, end=now, granularity=step)
    series = source.series(query, resources)
    known = ~np.isnan(series.values).all(axis=1)
    peak = np.full(len(resources), np.nan)
    if known.any():
        past = TimeSeries(series.times, series.values[known])
        peak[known] = past.expected_peak(need.ahead)
    if need.unit == "%":
        peak = np.clip(peak, 0.0, 100.0)
    return resources.by_row(np.maximum(peak, 0.0))
