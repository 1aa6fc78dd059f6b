"""The augmented Dickey-Fuller test: whether a series returns to a level or wanders off.

Dickey and Fuller, Distribution of the estimators for autoregressive time series with a unit root
(1979); with a constant, no trend. Critical values are MacKinnon's response surfaces (Critical
values for cointegration tests, 2010, table 2). Differences over gaps are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from tachyon.graph.view.columns import F64, I64, Bool

#: By level of significance: β∞ + β1/T + β2/T² + β3/T³.
_SURFACES: Mapping[float, tuple[float, float, float, float]] = MappingProxyType(
    {
        0.01: (-3.43035, -6.5393, -16.786, -79.433),
        0.05: (-2.86154, -2.8903, -4.234, -40.040),
        0.10: (-2.56677, -1.5384, -2.809, 0.0),
    }
)


class Stationarity(Struct, frozen=True, kw_only=True):
    """The test of K series.

    Attributes:
        statistic: K; t of the level in the regression of the differences. NaN: too few values.
        observations: K; differences that the regression stands on.
        lags: of earlier differences in the regression.
    """

    statistic: F64
    observations: I64
    lags: int

    def critical(self, significance: float = 0.05) -> F64:
        """Return the critical value of each series at 0.01, 0.05 or 0.1 (K)."""
        size = np.maximum(self.observations, 1).astype(np.float64)
        first, *rest = _SURFACES[significance]
        value: F64 = np.full(size.shape, first)
        for power, coefficient in enumerate(rest, start=1):
            value = value + coefficient / size**power
        return value

    def stationary(self, significance: float = 0.05) -> Bool:
        """Return for which series a unit root is rejected (K); False where values are too few."""
        rejected: Bool = self.statistic < self.critical(significance)
        return rejected


def stationarity(values: F64, lags: int | None = None) -> Stationarity:
    """Return the test of each series.

    Args:
        values: K × T; NaN where there is none. A constant series is stationary.
        lags: None: Schwert's 12 (T / 100)^¼, at most a tenth of T.
    """
    length = values.shape[1]
    if lags is None:
        lags = max(0, min(int(12 * (length / 100) ** 0.25), length // 10))
    change = np.diff(values, axis=1)
    first = lags
    target = change[:, first:]
    regressors = [np.ones_like(target), values[:, first:-1]]
    regressors += [change[:, first - k : change.shape[1] - k] for k in range(1, lags + 1)]
    table = np.stack(regressors, axis=2)
    usable = ~(np.isnan(target) | np.isnan(table).any(axis=2))
    table = np.where(usable[:, :, None], table, 0.0)
    # Scaled and centred for the normal equations' sake; t statistics do not change.
    centre = _mean(values)
    table[:, :, 1] = np.where(usable, table[:, :, 1] - centre[:, None], 0.0)
    target = np.where(usable, target, 0.0)
    observations = usable.sum(axis=1)
    statistic = np.full(values.shape[0], np.nan)
    enough = observations > 2 * (lags + 2)
    flat = enough & (np.nanmax(np.abs(np.nan_to_num(change)), axis=1, initial=0.0) == 0)
    statistic[flat] = -np.inf
    for row in np.flatnonzero(enough & ~flat).tolist():
        statistic[row] = _t_of_level(table[row][usable[row]], target[row][usable[row]])
    return Stationarity(statistic=statistic, observations=observations, lags=lags)


def _mean(values: F64) -> F64:
    known = ~np.isnan(values)
    found: F64 = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return found


def _t_of_level(table: F64, target: F64) -> float:
    """Return coefficient / standard error of the second regressor; NaN when it is not defined."""
    coefficients, _, rank, _ = np.linalg.lstsq(table, target, rcond=None)
    if rank < table.shape[1]:
        return float("nan")
    residual = target - table @ coefficients
    freedom = target.size - table.shape[1]
    variance = float(residual @ residual) / freedom
    inverse = np.linalg.inv(table.T @ table)
    error = float(np.sqrt(variance * inverse[1, 1]))
    if error == 0.0:
        return -np.inf
    return float(coefficients[1]) / error
