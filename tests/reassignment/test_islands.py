"""The compiled search: its figures are those of `State`, its result keeps all rules."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.graph.simulation import Session
from tachyon.optimize.reassignment import anytime, arrays, islands
from tachyon.optimize.reassignment.arrays import Live, live_of, tables_of
from tachyon.optimize.reassignment.problem import ANY, Problem
from tachyon.optimize.reassignment.state import State
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.rebalance import Rebalance
from tests.optimize.checker import Replay
from tests.optimize.clusters import actions, cluster, run, view_of
from tests.reassignment.test_state import iter_left, naive_cost, naive_problems, problem

# The first run on a machine compiles.
pytestmark = pytest.mark.timeout(600)


def search(p: Problem, seed: int, threads: int = 2):  # type: ignore[no-untyped-def]
    found = islands.Islands(p, np.random.default_rng(seed), iter_left(2), threads)
    found.run()
    return found


RINGS = ("after", "before", "first")


def standing(live: Live) -> list[list[int]]:
    """Return who stands on each host, by a walk around its ring in both directions."""
    found = []
    for first in live.first.tolist():
        there: list[int] = []
        at = first
        while at >= 0:
            there.append(at)
            assert live.before[live.after[at]] == at
            at = int(live.after[at])
            if at == first:
                break
        found.append(sorted(there))
    return found


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([-1, 3]),
    st.sampled_from([0.0, 0.3, 30.0, 1e4]),
    st.sampled_from([0.0, 1.0, 1000.0]),
    st.sampled_from([0.0, 5.0]),
    st.booleans(),
)
def test_after_any_annealing_every_figure_is_that_of_the_placement(
    seed: int, moves_max: int, temperature: float, price: float, pull: float, listed: bool
) -> None:
    p = problem(seed, moves_max=moves_max)
    island = islands._Island(State(p), seed + 1, islands.MANNERS[0])
    with pytest.MonkeyPatch.context() as patch:
        # Whether hosts are drawn from lists of those that an instance may ever stand on.
        patch.setattr(arrays, "DENSE", 1.0 if listed else -1.0)
        tables = tables_of(State(p))
    assert bool(tables.reach.size) == listed
    island.run(tables, temperature, np.full(p.instances, pull), price)
    live, fresh = island.live, live_of(State(p, island.live.place.astype(np.int64)), 1)
    for name in set(live._fields) - {"random", *RINGS}:
        assert getattr(live, name) == pytest.approx(getattr(fresh, name)), name
    assert standing(live) == standing(fresh)
    problems = naive_problems(p, live.place)
    if price:
        problems = [text for text in problems if " resource " not in text]
    assert problems == []
    assert naive_problems(p, island.best) == []
    assert island.best_cost == pytest.approx(naive_cost(p, island.best))
    if moves_max >= 0:
        assert live.counts[0] <= moves_max


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([-1, 0, 2]), st.sampled_from([1, 2, 3]))
def test_a_search_keeps_all_rules_and_is_never_worse_than_the_start(
    seed: int, moves_max: int, threads: int
) -> None:
    p = problem(seed, moves_max=moves_max)
    found = search(p, seed, threads)
    assert naive_problems(p, found.best) == []
    assert found.best_cost == pytest.approx(naive_cost(p, found.best))
    assert found.best_cost <= naive_cost(p, p.start) + 1e-9
    if moves_max >= 0:
        assert (found.best != p.start).sum() <= moves_max


def test_what_is_large_finds_the_place_that_only_excess_leads_to() -> None:
    """Neither can host 1 take it, nor host 0 one of those who fill host 1, before the other."""
    none = np.zeros(2, np.int64)
    p = Problem(
        need=np.array([[6.0, 5.0], *[[2.0, 1.0]] * 5]),
        start=np.array([0, 1, 1, 1, 1, 1]), movable=np.ones(6, np.bool_),
        capacity=np.array([[6.0, 20.0], [10.0, 20.0]]), transient=np.zeros(2, np.bool_),
        # The second resource costs something on host 0 alone.
        term_slope=np.array([[0.0], [1.0]]), term_base=np.array([[0.0], [-20.0]]),
        place_cost=np.full(6, 0.1), host_cost=np.zeros((2, 2)), service_cost=0.0,
        service=np.ones(6, np.int64), most=np.full(2, ANY), spread=none, depends=[],
        location=none, neighbourhood=none, kind=np.zeros(6, np.int64),
        allowed=np.ones((1, 2), np.bool_),
    )  # fmt: skip
    assert naive_cost(p, p.start) == 5.0
    found = search(p, 1)
    assert naive_problems(p, found.best) == []
    assert found.best.tolist().count(0) == 3
    assert found.best_cost == pytest.approx(3.0 + 4 * 0.1)


def test_a_refinement_is_never_worse_than_where_it_begins() -> None:
    for seed in range(5):
        p = problem(seed)
        first = search(p, seed)
        further = islands.Islands(p, np.random.default_rng(seed), iter_left(2), 2, first.best)
        further.run()
        assert further.best_cost <= first.best_cost + 1e-9
        assert naive_problems(p, further.best) == []


def test_one_seed_and_one_clock_give_one_result() -> None:
    p = problem(7)
    first, second = search(p, 7), search(p, 7)
    assert first.best_cost == second.best_cost
    assert (first.best == second.best).all()
    assert first.steps == second.steps > 0


def test_a_host_that_is_full_beyond_its_capacity_takes_nothing_more() -> None:
    p = problem(3)
    p.capacity[0] = 0
    found = search(p, 3)
    came = (found.best == 0) & (p.start != 0)
    assert not came.any()
    assert found.best_cost <= naive_cost(p, p.start)


def test_the_strategy_says_which_search_it_used() -> None:
    session = Session(view_of(cluster("plain", 1)))
    context = Context()
    Rebalance({"time_limit": 0.1}).execute(session, context)
    assert context.facts["search"] == "compiled"


@pytest.mark.usefixtures("processor_time")
def test_without_a_place_for_what_is_compiled_the_strategy_searches_with_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(name: str) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(importlib, "import_module", fails)
    content = cluster("skewed", 1)
    report = run(content, "rebalance", {"time_limit": 0.3, "safety": 0.3})
    assert report.facts["search"] == "numpy"
    assert report.facts["cost_after"] < report.facts["cost_before"]
    assert Replay(content).run(actions(report)).problems == []


def test_without_numba_the_strategy_searches_with_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numba", "tachyon.optimize.reassignment.islands",
                 "tachyon.optimize.reassignment.kernel"):  # fmt: skip
        monkeypatch.delitem(importlib.sys.modules, name, raising=False)
    monkeypatch.setitem(importlib.sys.modules, "numba", None)
    assert anytime.prepared() is None
