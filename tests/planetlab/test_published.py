"""The published policies do what their paper says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.planetlab_data import Day, Fleet
from benchmarks.planetlab_published import (
    Detector,
    Published,
    interquartile,
    median_deviation,
    regression,
    static,
)


def judged(detector: Detector, *values: float, longest: float = 0.0) -> bool:
    return bool(detector(np.array([values]), np.array([longest]))[0])


def test_a_threshold_looks_at_the_last_value() -> None:
    assert judged(static(0.8), 0.1, 0.81)
    assert not judged(static(0.8), 0.9, 0.8)


@pytest.mark.parametrize(
    ("detector", "limit"),
    [
        # Quartiles of 0.1 … 1.2 by rank (round(13/4), round(39/4)): 0.3 and 1.0.
        (interquartile(0.5), 1 - 0.5 * 0.7),
        # The median is 0.65, deviations from it 0.05 … 0.55, their median 0.3.
        (median_deviation(1.5), 1 - 1.5 * 0.3),
    ],
)
def test_adaptive_thresholds_sink_with_the_spread(detector: Detector, limit: float) -> None:
    past = [k / 10 for k in range(1, 13)]
    above, below = ([*past[::-1]], [*past])
    above[-1], below[-1] = past[0], past[-1]
    assert judged(detector, *below) == (past[-1] > limit)
    assert judged(detector, *above) == (past[0] > limit)
    middle = sorted(past, key=lambda value: abs(value - limit))[0]
    rest = [value for value in past if value != middle]
    assert judged(detector, *rest, middle) == (middle > limit)


def test_with_little_seen_the_threshold_is_fixed() -> None:
    for detector in (interquartile(1.5), median_deviation(2.5), regression(1.2, 300.0)):
        assert judged(detector, 0.1, 0.71)
        assert not judged(detector, 0.9, 0.7)


def test_regression_follows_the_line_for_as_long_as_a_migration_takes() -> None:
    line = [0.05 * k for k in range(1, 11)]  # 0.5 now, 0.05 more each interval
    assert not judged(regression(1.0, 300.0), *line)
    assert not judged(regression(1.0, 300.0), *line, longest=2_699.0)
    assert judged(regression(1.0, 300.0), *line, longest=3_001.0)
    assert judged(regression(2.01, 300.0), *line)


def fleet(count: int) -> Fleet:
    return Fleet(
        core=np.full(count, 1000.0),
        capacity=np.full(count, 2000.0),
        power=np.tile(np.linspace(100.0, 200.0, 11), (count, 1)),
    )


def decided(demand: list[float], memory: list[float], homes: list[int], hosts: int) -> list[int]:
    day = Day(
        mips=np.full(len(demand), 1000.0),
        memory=np.array(memory),
        demand=np.array(demand)[:, None],
    )
    found: list[int] = Published(day, fleet(hosts), static(0.8)).decide(0, np.array(homes)).tolist()
    return found


def test_an_overloaded_host_gives_the_quickest_machines_until_it_is_content() -> None:
    # 1700 of 2000; without the one of 100 MB it is at 1600: 80 %.
    assert decided([600, 600, 400, 100], [300, 400, 500, 100], [0, 0, 0, 0], 2) == [0, 0, 0, 1]


def test_the_least_used_host_is_emptied_wholly_or_not_at_all() -> None:
    assert decided([500, 100, 100], [100] * 3, [0, 1, 1], 2) == [0, 0, 0]
    # 1500 and 200: one of the two machines would fit.
    assert decided([800, 700, 90, 110], [100] * 4, [0, 0, 1, 1], 2) == [0, 0, 1, 1]


def test_nothing_is_brought_to_an_overloaded_host() -> None:
    found = decided([900, 900, 10], [200, 100, 100], [0, 0, 1], 3)
    assert found[0] == 0
    assert found[2] != 0
