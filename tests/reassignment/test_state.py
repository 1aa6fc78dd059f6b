"""The incremental state agrees with the checker, and judged changes with made ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.optimize.reassignment.problem import ANY, Problem, terms
from tachyon.optimize.reassignment.search import Search
from tachyon.optimize.reassignment.state import State


def problem(seed: int, *, moves_max: int = -1) -> Problem:
    """A small feasible problem with every kind of rule."""
    rng = np.random.default_rng(seed)
    hosts, instances, resources = 6, 24, 3
    start = rng.integers(0, hosts, instances)
    need = rng.integers(0, 9, (instances, resources)).astype(float)
    used = np.zeros((hosts, resources))
    np.add.at(used, start, need)
    capacity = used + rng.integers(0, 30, used.shape)
    slopes, bases = terms(
        capacity,
        np.floor(capacity * rng.uniform(0.3, 0.9, capacity.shape)),
        np.array([3.0, 0.0, 2.0]),
        [(0, 1, 2.0, 1.0), (2, 0, 1.0, 4.0)],
    )
    service = rng.integers(0, 7, instances)
    location, neighbourhood = np.arange(hosts) % 3, np.arange(hosts) % 2
    members = np.zeros((7, hosts), int)
    np.add.at(members, (service, start), 1)
    most = np.maximum(members.max(axis=1), 1)
    most[6] = ANY
    spread = np.array([len(set(location[start[service == s]])) for s in range(7)])
    spread[6] = 0
    there = [set(neighbourhood[start[service == s]]) for s in range(7)]
    depends = [(a, b) for a in range(6) for b in range(6) if a != b and there[a] <= there[b]]
    return Problem(
        need=need,
        start=start,
        movable=rng.random(instances) < 0.9,
        capacity=capacity,
        transient=np.array([False, True, False]),
        term_slope=slopes,
        term_base=bases,
        place_cost=rng.integers(0, 5, instances).astype(float),
        host_cost=rng.integers(0, 4, (hosts, hosts)).astype(float) * (1 - np.eye(hosts)),
        service_cost=10.0,
        service=service,
        most=most,
        spread=spread,
        depends=depends[:8],
        location=location,
        neighbourhood=neighbourhood,
        kind=rng.integers(0, 2, instances),
        allowed=rng.random((2, hosts)) < 0.85,
        moves_max=moves_max,
    )


def naive_cost(p: Problem, place: np.ndarray) -> float:
    used = np.zeros_like(p.capacity)
    for row, host in enumerate(place):
        used[host] += p.need[row]
    load = np.maximum(p.term_base + used @ p.term_slope, 0).sum()
    moved = [r for r in range(p.instances) if place[r] != p.start[r]]
    own = sum(p.place_cost[r] + p.host_cost[p.start[r], place[r]] for r in moved)
    counts = [sum(p.service[r] == s for r in moved) for s in range(p.services - 1)]
    return float(load + own + p.service_cost * max(counts))


def naive_problems(p: Problem, place: np.ndarray) -> list[str]:
    found = []
    for host in range(p.hosts):
        for resource in range(p.need.shape[1]):
            held = sum(
                p.need[r, resource]
                for r in range(p.instances)
                if place[r] == host or (p.transient[resource] and p.start[r] == host)
            )
            if held > p.capacity[host, resource]:
                found.append(f"host {host} resource {resource}")
    for row in range(p.instances):
        if place[row] != p.start[row]:
            if not p.movable[row]:
                found.append(f"{row} is not movable")
            if not p.allowed[p.kind[row], place[row]]:
                found.append(f"{row} may not be there")
    for s in range(p.services):
        on = [place[r] for r in range(p.instances) if p.service[r] == s]
        if on and max(map(on.count, on)) > p.most[s]:
            found.append(f"service {s} crowded")
        if len({p.location[h] for h in on}) < p.spread[s]:
            found.append(f"service {s} spread")
    for a, b in p.depends:
        where = [
            {p.neighbourhood[place[r]] for r in range(p.instances) if p.service[r] == s}
            for s in (a, b)
        ]
        if not where[0] <= where[1]:
            found.append(f"{a} needs {b}")
    return found


@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 23), st.integers(0, 5))))
def test_any_moves_there_and_back_leave_every_figure_exact(
    seed: int, moves: list[tuple[int, int]]
) -> None:
    p = problem(seed)
    state = State(p)
    for row, host in moves:
        if state.place[row] != host:
            state.move(np.array([row]), np.array([host]))
    fresh = State(p, state.place)
    assert state.cost == pytest.approx(naive_cost(p, state.place))
    for name in ("used", "held", "terms", "members", "in_location", "locations", "moved_of",
                 "in_neighbourhood", "lacking", "demanded"):  # fmt: skip
        assert (getattr(state, name) == getattr(fresh, name)).all(), name
    assert state.moved == fresh.moved


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([-1, 0, 3]))
def test_every_judged_shift_costs_what_it_says_and_is_allowed_exactly_when_no_rule_breaks(
    seed: int, moves_max: int
) -> None:
    p = problem(seed, moves_max=moves_max)
    search = Search(p, np.random.default_rng(seed), iter_left(3))
    search.run()
    state = search.state
    rows = np.arange(p.instances)
    change = state.shifts(rows)
    for row in rows:
        for host in range(p.hosts):
            if host == state.place[row]:
                assert np.isinf(change[row, host])
                continue
            other = state.place.copy()
            other[row] = host
            moved = int((other != p.start).sum())
            fine = not naive_problems(p, other) and bool(p.movable[row])
            if moves_max >= 0 and state.moved >= moves_max:
                fine = fine and moved <= moves_max
            assert np.isfinite(change[row, host]) == fine, (row, host, naive_problems(p, other))
            if fine:
                wanted = naive_cost(p, other) - naive_cost(p, state.place)
                assert change[row, host] == pytest.approx(wanted)


def iter_left(steps: int):  # type: ignore[no-untyped-def]
    """Return a clock that gives a search some steps of the descent and of the annealing."""
    ticks = iter(np.linspace(1.0, 0.0, 12 * steps))
    return lambda: float(next(ticks, 0.0))


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([-1, 2, 5]))
def test_a_search_keeps_all_rules_and_is_never_worse_than_the_start(
    seed: int, moves_max: int
) -> None:
    p = problem(seed, moves_max=moves_max)
    search = Search(p, np.random.default_rng(seed), iter_left(4))
    search.run()
    assert naive_problems(p, search.best) == []
    assert search.best_cost == pytest.approx(naive_cost(p, search.best))
    assert search.best_cost <= naive_cost(p, p.start) + 1e-9
    if moves_max >= 0:
        assert (search.best != p.start).sum() <= moves_max
