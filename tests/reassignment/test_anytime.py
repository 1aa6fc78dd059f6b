"""Search and way in one time: what is returned can be walked, and no time lies idle."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.graph.view.columns import I64
from tachyon.optimize.reassignment.anytime import Anytime, prepared
from tachyon.optimize.reassignment.problem import one_by_one
from tachyon.optimize.reassignment.reached import Reached
from tachyon.optimize.reassignment.state import State
from tests.reassignment.test_way import Case, cases, stated, walked

#: Limits of which the largest, and of which the least share is kept for the way.
LIMITS = st.sampled_from([1.0, 1000.0])


@pytest.fixture(scope="module", params=["numpy", "compiled"])
def compiled(request: pytest.FixtureRequest) -> ModuleType | None:
    return None if request.param == "numpy" else islands()


def islands() -> ModuleType:
    found = prepared()
    assert found is not None, "numba is among what tests need"
    return found


def clock(looks: int) -> Callable[[], float]:
    """Return a clock that runs out after so many looks at it."""
    ticks = iter(np.linspace(1.0, 0.0, looks))
    return lambda: float(next(ticks, 0.0))


def searched(
    case: Case, compiled: ModuleType | None, left: Callable[[], float], limit: float = 1.0
) -> tuple[Anytime, Reached, list[float]]:
    """Return the search after its run, what it reached, and the costs of which it told."""
    session, statement, statement.problem = stated(case)
    told: list[float] = []

    def tell(best: I64) -> None:
        told.append(State(statement.problem, best).cost)

    search = Anytime(
        session, statement, np.random.default_rng(1), left, limit, 1, compiled, tell
    )  # fmt: skip
    return search, search.run(), told


@settings(max_examples=40)
@given(cases(), LIMITS, st.integers(2, 60))
def test_what_is_reached_can_be_walked_and_costs_what_is_said(
    compiled: ModuleType | None, case: Case, limit: float, looks: int
) -> None:
    search, reached, told = searched(case, compiled, clock(looks), limit)
    _, statement, _ = stated(case)
    at = {int(row): k for k, row in enumerate(statement.rows)}
    steps = [(at[row], int(statement.at[target])) for row, target in reached.steps]
    *_, end = [case.start, *walked(case, steps)]
    assert end == tuple(reached.place)
    assert reached.cost == case.away(end) <= case.away(case.start)
    assert all(before > after for before, after in pairwise(told))
    assert search.found == (told[-1] if told else case.away(case.start))
    assert search.found <= reached.cost


def test_who_can_never_go_is_not_searched_for(compiled: ModuleType | None) -> None:
    """Two that stand apart on the only two hosts want to change places; a third may move."""
    case = Case((9, 9), (1, 1, 1), (0, 1, 0), (1, 0, 1), frozenset({0, 1}))
    search, reached, told = searched(case, compiled, clock(60))
    assert tuple(reached.place) == (0, 1, 1)
    assert told == [search.found] == [reached.cost] == [2.0]


def test_who_can_go_to_a_host_without_a_member_is_searched_for() -> None:
    """A group may stand against its policy at first: there are as many members as hosts."""
    for start, may in (((0, 1), False), ((0, 0), True)):
        _, _, problem = stated(Case((9, 9), (1, 1), start, (1, 0), frozenset({0, 1})))
        assert problem.movable.all()
        assert one_by_one(problem).movable.tolist() == [may, may]


def test_what_the_way_leaves_is_searched_in() -> None:
    """One free move: the way is short, a tenth to a third of the time is kept for it."""
    case = Case((4, 4, 4), (2, 2), (0, 1), (2, 1))
    for limit in (1.0, 1000.0):
        left = clock(400)
        search, reached, _ = searched(case, islands(), left, limit)
        assert reached.cost == search.found == 0.0
        assert left() < 0.05


def test_where_nothing_more_is_reached_the_search_goes_on_whatever_the_limit() -> None:
    """Two that only both at once could change places; of a long limit little is kept."""
    left = clock(2000)
    search, reached, _ = searched(Case((3, 3), (3, 3), (0, 1), (1, 0)), islands(), left, 1000.0)
    assert (search.found, reached.cost) == (0.0, 2.0)
    assert left() < 0.02
