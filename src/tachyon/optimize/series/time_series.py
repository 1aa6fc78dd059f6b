"""K series of one metric at the same T moments: what strategies ask about the past and the future.

Datasources give such series for all instances or all hosts at once (`statistic_series`), so that
everything here works on whole tables. Predictions go no further than what trend and seasons repeat;
models that learn are for others to plug in.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tachyon.errors import InvalidInput
from tachyon.graph.view.columns import F64, Bool
from tachyon.optimize.series.decomposition import Decomposition, decompose
from tachyon.optimize.series.stationarity import Stationarity, stationarity


class TimeSeries:
    """Values at even steps.

    Args:
        times: T; seconds since 1970 (UTC), a fixed step apart.
        values: K × T (or T, for a single series); NaN where nothing was measured.

    Raises:
        InvalidInput: the shapes do not fit, there are fewer than two moments, or steps differ.
    """

    def __init__(self, times: F64, values: F64) -> None:
        times = np.asarray(times, np.float64)
        values = np.atleast_2d(np.asarray(values, np.float64))
        if times.ndim != 1 or values.shape[1:] != times.shape:
            raise InvalidInput(f"{values.shape} values do not stand at {times.shape} moments")
        if times.size < 2:
            raise InvalidInput("a series has at least two moments")
        steps = np.diff(times)
        if steps[0] <= 0 or not np.allclose(steps, steps[0], rtol=1e-6):
            raise InvalidInput("the moments of a series are a fixed step apart")
        self.times: F64 = times
        self.values: F64 = np.where(np.isfinite(values), values, np.nan)
        self.step = float(steps[0])

    @property
    def known(self) -> Bool:
        """K × T; where something was measured."""
        known: Bool = ~np.isnan(self.values)
        return known

    def between(self, start: float, end: float) -> TimeSeries:
        """Return the part within [start, end); raises `InvalidInput` when that is no series."""
        inside = (self.times >= start) & (self.times < end)
        return TimeSeries(self.times[inside], self.values[:, inside])

    @cached_property
    def parts(self) -> Decomposition:
        """Trend, daily and weekly seasons and residuals of each series."""
        return decompose(self.times, self.values)

    def stationarity(self, lags: int | None = None) -> Stationarity:
        """Return the test of each series for a unit root, after its seasons are taken out.

        Args:
            lags: of differences in the test; None: as many as Schwert's rule gives.
        """
        return stationarity(self.values - self.parts.seasonal(self.times), lags)

    def expected(self, times: F64) -> F64:
        """Return what trend and seasons say of other moments (T'): K × T'.

        A trend is followed for as long ahead as half the time that it was seen, and level after
        that: a ramp of an hour says nothing about next week.
        """
        times = np.asarray(times, np.float64)
        horizon = self.times[-1] + (self.times[-1] - self.times[0]) / 2
        clipped = np.clip(times, self.times[0], horizon)
        return self.parts.trend(clipped) + self.parts.seasonal(times)

    def expected_peak(self, ahead: float, *, quantile: float = 0.95) -> F64:
        """Return the highest value that each series is to reach in the next seconds (K).

        Args:
            ahead: seconds after the last moment.
            quantile: how much of what trend and seasons do not explain is allowed for: 0.5 none of
                it, 0.95 all but the highest twentieth of the residuals.

        Returns:
            NaN for series without values. Never above the highest or below the lowest value ever
            seen by more than their distance.

        Raises:
            InvalidInput: nothing lies ahead, or the quantile is not within 0 and 1.
        """
        if not ahead > 0:
            raise InvalidInput("the time ahead is not above 0", ahead=ahead)
        if not 0 <= quantile <= 1:
            raise InvalidInput("a quantile is within 0 and 1", quantile=quantile)
        count = max(1, int(np.ceil(ahead / self.step)))
        coming = self.times[-1] + self.step * np.arange(1, count + 1)
        peak = self.expected(coming).max(axis=1) + self._allowance(quantile)
        some = self.known.any(axis=1)
        lowest = np.min(self.values, axis=1, where=self.known, initial=np.inf)
        highest = np.max(self.values, axis=1, where=self.known, initial=-np.inf)
        spread = np.where(some, highest - lowest, 0.0)
        bounded = np.clip(
            peak, np.where(some, lowest - spread, 0), np.where(some, highest + spread, 0)
        )
        found: F64 = np.where(some, bounded, np.nan)
        return found

    def _allowance(self, quantile: float) -> F64:
        """Return the quantile of each series' residuals, between ranks in a straight line."""
        # NaN stands last; numpy's nanquantile goes through the series one by one.
        ordered = np.sort(self.parts.residual, axis=1)
        count = (~np.isnan(ordered)).sum(axis=1)
        rank = np.maximum(count - 1, 0) * quantile
        low = np.floor(rank).astype(np.int64)
        high = np.ceil(rank).astype(np.int64)
        rows = np.arange(count.size)
        below, above = ordered[rows, low], ordered[rows, high]
        found: F64 = np.where(count > 0, below + (above - below) * (rank - low), 0.0)
        return found
