"""Ways without the stops that were not needed, beside the naive model of `test_way`."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.optimize.reassignment.shortcuts import without_stops
from tests.reassignment.test_way import Case, cases, stated, walked

Hops = list[tuple[int, int]]


def shortened(case: Case, hops: Hops, *, strict: bool = False) -> Hops:
    _, _, problem = stated(case)
    return without_stops(problem, hops, problem.capacity, strict=strict)


def wandered(case: Case, rng: random.Random, length: int) -> Hops:
    """Moves drawn at random of those that are possible."""
    place, hops = case.start, []
    for _ in range(length):
        one, target = rng.randrange(len(case.sizes)), rng.randrange(len(case.hosts))
        if (after := case.after(place, one, target)) is not None:
            place = after
            hops.append((one, target))
    return hops


@given(cases(), st.integers(0, 2**32), st.integers(1, 80))
@settings(max_examples=200)
def test_each_move_is_possible_and_the_end_is_the_same(case: Case, seed: int, length: int) -> None:
    hops = wandered(case, random.Random(seed), length)
    fewer = shortened(case, hops)
    assert len(fewer) <= len(hops)
    assert [case.start, *walked(case, fewer)][-1] == [case.start, *walked(case, hops)][-1]


def test_a_random_walk_is_mostly_stops() -> None:
    case = Case((6, 6, 6), (1, 1, 1, 2), (0, 1, 2, 0), (0, 0, 0, 0))
    hops = wandered(case, random.Random(1), 200)
    assert len(hops) > 100
    assert len(shortened(case, hops)) <= len(case.sizes)


def test_who_comes_back_may_have_stayed() -> None:
    case = Case((4, 4), (2, 1), (0, 0), (0, 1))
    assert shortened(case, [(0, 1), (1, 1), (0, 0)]) == [(1, 1)]


def test_who_had_to_leave_for_another_still_does() -> None:
    case = Case((4, 4, 3), (3, 3), (0, 1), (1, 0))
    hops = [(0, 2), (1, 0), (0, 1)]
    assert shortened(case, hops) == hops


def test_a_member_that_stayed_would_have_kept_another_away() -> None:
    """There is room for all, but two of them must stand apart."""
    case = Case((9, 9, 9), (1, 1), (0, 1), (1, 0), frozenset({0, 1}))
    hops = [(0, 2), (1, 0), (0, 1)]
    assert shortened(case, hops) == hops


def test_transient_resources_stay_where_an_instance_was_at_first() -> None:
    """Who comes back to its start has held what is transient there all the time."""
    case = Case((4, 6), (3, 3), (0, 1), (0, 1))
    _, _, problem = stated(case)
    problem.transient[:] = np.arange(problem.transient.size) < 3
    hops = [(0, 1), (0, 0)]
    assert without_stops(problem, hops, problem.capacity, strict=True) == []
    assert without_stops(problem, hops, problem.capacity, strict=False) == []
