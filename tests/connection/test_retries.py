"""Waits between repetitions grow, stay bounded, and follow what a service asks for."""

from __future__ import annotations

import pytest

from tachyon.errors import CloudError, CloudUnavailable
from tachyon.openstack.retries import Retries


def failing(times: int, **details: object) -> tuple[list[int], object]:
    made: list[int] = []

    def attempt(number: int) -> str:
        made.append(number)
        if len(made) <= times:
            raise CloudUnavailable("away", **details)
        return "done"

    return made, attempt


def test_each_wait_is_twice_the_one_before_less_a_random_part() -> None:
    waits: list[float] = []
    made, attempt = failing(4)
    retries = Retries(times=4, interval=2.0, sleep=waits.append)
    assert retries.call(attempt) == "done"  # type: ignore[arg-type]
    assert made == [0, 1, 2, 3, 4]
    for wait, whole in zip(waits, (2, 4, 8, 16), strict=True):
        assert whole / 2 <= wait <= whole


def test_no_wait_is_longer_than_a_minute() -> None:
    waits: list[float] = []
    _, attempt = failing(20)
    Retries(times=20, interval=2.0, sleep=waits.append).call(attempt)  # type: ignore[arg-type]
    assert max(waits) <= 60
    waits.clear()
    _, attempt = failing(1, retry_after=86_400)
    Retries(sleep=waits.append).call(attempt)  # type: ignore[arg-type]
    assert waits == [60]


def test_a_service_says_how_long_to_wait() -> None:
    waits: list[float] = []
    _, attempt = failing(1, retry_after=7)
    Retries(sleep=waits.append).call(attempt)  # type: ignore[arg-type]
    assert waits == [7]


def test_the_last_failure_is_raised() -> None:
    made, attempt = failing(9)
    with pytest.raises(CloudUnavailable):
        Retries(times=2, sleep=lambda _: None).call(attempt)  # type: ignore[arg-type]
    assert made == [0, 1, 2]


def test_a_permanent_error_is_not_repeated() -> None:
    made = []

    def refused(number: int) -> None:
        made.append(number)
        raise CloudError("no")

    with pytest.raises(CloudError):
        Retries(sleep=lambda _: None).call(refused)
    assert made == [0]
