"""Series as the sum of a straight trend, a daily season, a weekly season and residuals.

Additive decomposition by backfitting (Hastie and Tibshirani, Generalized Additive Models, 1990):
each part in turn is fitted to what the others leave over. Seasons are means by the time of day and
by the day of the week, each centred on zero, so that missing values need no filling. Means of few
values are mostly noise; they are shrunk by what of their spread noise explains (James and Stein,
Estimation with quadratic loss, 1961).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from tachyon.graph.view.columns import F64, I64

DAY = 86_400.0
WEEK = 7 * DAY
#: A season that was seen fewer than two times is no season.
_SEEN = 2
_ROUNDS = 4


class Decomposition(Struct, frozen=True, kw_only=True):
    """The parts of K series.

    Attributes:
        origin: the moment at which a trend has its `level`.
        level, slope: K; the trend, and how much it rises a second.
        daily: K × D; by the part of the day (UTC), D to a day. Zeros with less than two days.
        weekly: K × 7; by the day of the week, Thursday first, on which 1970 began. Zeros with less
            than two weeks.
        residual: K × T; NaN where there was no value.
        daily_strength, weekly_strength: K; how much of what the trend leaves is seasonal, 0 to 1.
    """

    origin: float
    level: F64
    slope: F64
    daily: F64
    weekly: F64
    residual: F64
    daily_strength: F64
    weekly_strength: F64

    def trend(self, times: F64) -> F64:
        """Return the trend at moments (T): K × T."""
        found: F64 = self.level[:, None] + self.slope[:, None] * (times - self.origin)
        return found

    def seasonal(self, times: F64) -> F64:
        """Return both seasons at moments (T): K × T."""
        found: F64 = self.daily[:, _of_day(times, self.daily.shape[1])]
        return found + self.weekly[:, _of_week(times)]


def decompose(times: F64, values: F64) -> Decomposition:
    """Return the parts of series.

    Args:
        times: T; seconds since 1970 (UTC), a fixed step apart.
        values: K × T; NaN where there is none.
    """
    step = float(times[1] - times[0])
    span = times[-1] - times[0] + step
    origin = float(times.mean())
    known = ~np.isnan(values)
    present = known.astype(np.float64)
    filled = np.where(known, values, 0.0)
    days = max(1, round(DAY / step)) if span >= _SEEN * DAY and step < DAY else 1
    phase = _of_day(times, days)
    weekday = _of_week(times)
    weekly_seen = span >= _SEEN * WEEK
    daily = np.zeros((values.shape[0], days))
    weekly = np.zeros((values.shape[0], 7))
    moments = times - origin
    for _ in range(_ROUNDS):
        rest = (filled - daily[:, phase] - weekly[:, weekday]) * present
        level, slope = _line(moments, rest, present)
        rest = filled - (level[:, None] + slope[:, None] * moments)
        if days > 1:
            daily = _season((rest - weekly[:, weekday]) * present, present, phase, days)
        if weekly_seen:
            weekly = _season((rest - daily[:, phase]) * present, present, weekday, 7)
        if days == 1:
            break
    rest = values - (level[:, None] + slope[:, None] * moments)
    if days > 1:
        daily = _shrunk(daily, rest - daily[:, phase] - weekly[:, weekday])
    if weekly_seen:
        weekly = _shrunk(weekly, rest - daily[:, phase] - weekly[:, weekday])
    residual = rest - daily[:, phase] - weekly[:, weekday]
    return Decomposition(
        origin=origin,
        level=level,
        slope=slope,
        daily=daily,
        weekly=weekly,
        residual=residual,
        daily_strength=_strength(residual, daily[:, phase], known),
        weekly_strength=_strength(residual, weekly[:, weekday], known),
    )


def _of_day(times: F64, parts: int) -> I64:
    found: I64 = np.floor(times % DAY / DAY * parts + 1e-9).astype(np.int64) % parts
    return found


def _of_week(times: F64) -> I64:
    found: I64 = np.floor(times % WEEK / DAY).astype(np.int64)
    return found


def _line(moments: F64, values: F64, present: F64) -> tuple[F64, F64]:
    """Return level and slope of the least-squares line through each series (K each).

    Args:
        moments: T; centred.
        values: K × T; zero where there is no value.
        present: K × T; 1 where there is one.
    """
    count = np.maximum(present.sum(axis=1), 1.0)
    mean_t = present @ moments / count
    mean_v = values.sum(axis=1) / count
    spread = present @ (moments**2) - count * mean_t**2
    joint = values @ moments - count * mean_t * mean_v
    slope: F64 = np.divide(
        joint, spread, out=np.zeros_like(joint), where=spread > 1e-9 * float(moments @ moments)
    )
    return mean_v - slope * mean_t, slope


def _season(values: F64, present: F64, phase: I64, parts: int) -> F64:
    """Return the mean by phase (K × parts), centred; phases without a value are zero."""
    indicator = np.zeros((phase.size, parts))
    indicator[np.arange(phase.size), phase] = 1.0
    count = present @ indicator
    mean = np.divide(values @ indicator, count, out=np.zeros_like(count), where=count > 0)
    total = np.maximum(present.sum(axis=1), 1.0)
    centre = (mean * count).sum(axis=1) / total
    found: F64 = np.where(count > 0, mean - centre[:, None], 0.0)
    return found


def _shrunk(season: F64, residual: F64) -> F64:
    """Return a season (K × parts) without what noise alone would make of its means."""
    known = ~np.isnan(residual)
    parts = season.shape[1]
    count = known.sum(axis=1)
    freedom = np.maximum(count - parts, 1)
    noise = np.where(known, residual, 0.0) ** 2
    of_mean = noise.sum(axis=1) / freedom * parts / np.maximum(count, 1)
    spread = (season**2).sum(axis=1) / max(parts - 1, 1)
    kept = 1.0 - np.divide(of_mean, spread, out=np.ones_like(spread), where=spread > 1e-12)
    found: F64 = season * np.clip(kept, 0.0, 1.0)[:, None]
    return found


def _strength(residual: F64, season: F64, known: np.typing.NDArray[np.bool_]) -> F64:
    """Return 1 − Var(residual) / Var(residual + season) (Wang, Smith and Hyndman, 2006)."""
    alone = _variance(residual, known)
    both = _variance(residual + season, known)
    ratio = np.divide(alone, both, out=np.ones_like(alone), where=both > 1e-12)
    found: F64 = np.clip(1.0 - ratio, 0.0, 1.0)
    return found


def _variance(values: F64, known: np.typing.NDArray[np.bool_]) -> F64:
    count = np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=1) / count
    found: F64 = (np.where(known, values - mean[:, None], 0.0) ** 2).sum(axis=1) / count
    return found
