"""What was measured over time, taken apart: trend, seasons, the rest, and what is to come of it."""

from __future__ import annotations

from tachyon.optimize.series.decomposition import DAY, WEEK, Decomposition, decompose
from tachyon.optimize.series.stationarity import Stationarity, stationarity
from tachyon.optimize.series.time_series import TimeSeries

__all__ = [
    "DAY",
    "WEEK",
    "Decomposition",
    "Stationarity",
    "TimeSeries",
    "decompose",
    "stationarity",
]
