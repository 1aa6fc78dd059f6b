"""Known parts are found again; what cannot be known is not invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tachyon.errors import InvalidInput
from tachyon.optimize.series import DAY, WEEK, TimeSeries

STEP = 1800.0
#: A Thursday, 00:00 UTC.
START = 1_789_600_000.0 - 1_789_600_000.0 % WEEK


def moments(days: float) -> NDArray[np.float64]:
    return START + STEP * np.arange(int(days * DAY / STEP))


def wave(times: NDArray[np.float64], amplitude: float = 10.0) -> NDArray[np.float64]:
    """A day that peaks at 18:00 UTC."""
    return -amplitude * np.sin(2 * np.pi * times / DAY)


def noise(size: int, scale: float = 1.0, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, scale, size)


def test_trend_day_week_and_residuals_of_a_known_series_are_found() -> None:
    times = moments(28)
    weekend = np.where(np.floor((times - START) / DAY) % 7 >= 5, -6.0, 2.4)
    values = 50 + 1e-6 * (times - START) + wave(times) + weekend + noise(times.size, 0.5)
    parts = TimeSeries(times, values).parts
    assert parts.slope[0] == pytest.approx(1e-6, abs=1e-7)
    assert parts.daily[0] == pytest.approx(wave(moments(1)), abs=0.6)
    assert parts.weekly[0] == pytest.approx([2.4] * 5 + [-6.0] * 2, abs=0.2)
    assert parts.residual[0].std() == pytest.approx(0.5, abs=0.05)
    assert parts.daily_strength[0] > 0.95
    assert parts.weekly_strength[0] > 0.9


@given(st.floats(-1e3, 1e3), st.floats(-1e-3, 1e-3), st.floats(0, 100), st.integers(0, 2**32 - 1))
def test_the_parts_add_up_to_the_series(
    level: float, slope: float, amplitude: float, seed: int
) -> None:
    times = moments(16)
    values = level + slope * (times - START) + wave(times, amplitude) + noise(times.size, 1, seed)
    holes = np.random.default_rng(seed).random(times.size) < 0.2
    values[holes] = np.nan
    series = TimeSeries(times, values)
    parts = series.parts
    whole = parts.trend(times) + parts.seasonal(times) + parts.residual
    assert whole[0] == pytest.approx(values, rel=1e-6, abs=1e-6, nan_ok=True)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_many_series_at_once_are_as_each_alone(count: int, seed: int) -> None:
    times = moments(3)
    values = np.random.default_rng(seed).normal(10, 3, (count, times.size))
    values[values > 15] = np.nan
    together = TimeSeries(times, values)
    for row in range(count):
        alone = TimeSeries(times, values[row])
        assert together.parts.residual[row] == pytest.approx(
            alone.parts.residual[0], nan_ok=True, abs=1e-9
        )
        assert together.expected_peak(7200)[row] == pytest.approx(alone.expected_peak(7200)[0])


def test_the_peak_of_the_next_hours_is_that_of_the_same_hours_on_other_days() -> None:
    times = moments(5) + 0.0
    values = 50 + wave(times, 20.0)
    at_noon = TimeSeries(times[: int(4.5 * 48)], values[: int(4.5 * 48)])
    assert at_noon.expected_peak(8 * 3600)[0] == pytest.approx(70, abs=0.5)
    at_evening = TimeSeries(times[: int(4.8 * 48)], values[: int(4.8 * 48)])
    assert at_evening.expected_peak(3600, quantile=0.5)[0] < 70


def test_a_quiet_night_does_not_hide_the_peak_of_the_morning() -> None:
    times = moments(6.1)
    busy = np.where((times % DAY) / 3600 // 1 == 9, 90.0, 10.0)
    series = TimeSeries(times, busy)
    assert series.expected_peak(3600)[0] < 20
    assert series.expected_peak(10 * 3600)[0] > 80


def test_the_higher_quantile_allows_for_more_of_the_noise() -> None:
    times = moments(4)
    series = TimeSeries(times, 50 + noise(times.size, 5.0))
    calm, careful = (series.expected_peak(3600, quantile=q)[0] for q in (0.5, 0.95))
    assert careful - calm == pytest.approx(1.645 * 5, rel=0.25)


@given(
    values=st.lists(st.floats(-100, 100), min_size=2, max_size=30),
    lacking=st.integers(0, 5),
    quantile=st.floats(0, 1),
)
def test_what_is_allowed_for_is_the_quantile_of_the_residuals(
    values: list[float], lacking: int, quantile: float
) -> None:
    table = np.array([values, values[::-1]])
    table[1, :lacking] = np.nan
    series = TimeSeries(STEP * np.arange(len(values)), table)
    expected = series.expected(series.times[-1:] + STEP)[:, 0]
    peak = series.expected_peak(STEP, quantile=quantile)
    for row in range(2):
        known = series.values[row][series.known[row]]
        if known.size:
            residual = series.parts.residual[row]
            wanted = expected[row] + np.nanquantile(residual, quantile)
            spread = known.max() - known.min()
            bounded = np.clip(wanted, known.min() - spread, known.max() + spread)
            assert peak[row] == pytest.approx(bounded, abs=1e-6)
        else:
            assert np.isnan(peak[row])


def test_a_short_ramp_is_not_followed_for_ever() -> None:
    times = moments(0.25)
    series = TimeSeries(times, np.linspace(0, 60, times.size))
    assert series.expected_peak(WEEK)[0] <= 120


def test_series_without_a_value_expect_none() -> None:
    times = moments(3)
    values = np.stack([np.full(times.size, np.nan), np.full(times.size, 7.0)])
    peaks = TimeSeries(times, values).expected_peak(3600)
    assert np.isnan(peaks[0])
    assert peaks[1] == pytest.approx(7)


def test_less_than_two_days_have_no_season() -> None:
    times = moments(1.5)
    parts = TimeSeries(times, wave(times)).parts
    assert not parts.daily.any()
    assert not parts.weekly.any()


def test_a_wandering_series_has_a_unit_root_and_one_that_returns_has_none() -> None:
    times = moments(20)
    steps = noise(times.size, 1.0, seed=3)
    returning = np.zeros(times.size)
    for at in range(1, times.size):
        returning[at] = 0.7 * returning[at - 1] + steps[at]
    found = TimeSeries(times, np.stack([np.cumsum(steps), returning])).stationarity()
    assert found.stationary().tolist() == [False, True]
    assert (found.critical(0.01) < found.critical(0.05)).all()


def test_a_daily_season_alone_is_no_unit_root() -> None:
    times = moments(14)
    series = TimeSeries(times, 40 + wave(times) + noise(times.size, 1.0))
    assert series.stationarity().stationary(0.01).all()


def test_the_statistic_is_that_of_the_regression_written_out() -> None:
    """Δy = c + γ y(t−1) without lags, by the textbook's sums."""
    values = np.cumsum(noise(60, 1.0, seed=9)) * 0.6 + noise(60, 2.0, seed=4)
    level, change = values[:-1], np.diff(values)
    centred = level - level.mean()
    gamma = centred @ change / (centred @ centred)
    residual = change - change.mean() - gamma * centred
    error = np.sqrt(residual @ residual / (change.size - 2) / (centred @ centred))
    found = TimeSeries(STEP * np.arange(60), values)
    assert found.stationarity(lags=0).statistic[0] == pytest.approx(gamma / error)


def test_the_test_rejects_about_as_often_as_its_significance_says() -> None:
    """Under a unit root, a test at 5 % rejects in about 5 % of the cases."""
    rng = np.random.default_rng(2)
    walks = np.cumsum(rng.normal(size=(1500, 100)), axis=1)
    from tachyon.optimize.series import stationarity

    share = stationarity(walks, lags=0).stationary(0.05).mean()
    assert 0.03 < share < 0.07


@pytest.mark.parametrize(
    ("times", "values", "reason"),
    [
        ([0, 1, 2], [1, 2], "do not stand"),
        ([0], [1], "two moments"),
        ([0, 1, 3], [1, 2, 3], "fixed step"),
        ([1, 0], [1, 2], "fixed step"),
    ],
)
def test_what_is_no_series_is_refused(times: list[float], values: list[float], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        TimeSeries(np.array(times, float), np.array(values, float))


@pytest.mark.parametrize(("ahead", "quantile"), [(0, 0.5), (10, 1.5), (10, -0.1)])
def test_an_outlook_that_makes_no_sense_is_refused(ahead: float, quantile: float) -> None:
    with pytest.raises(InvalidInput):
        TimeSeries(moments(1), moments(1)).expected_peak(ahead, quantile=quantile)
