"""The arrays on which the compiled search works, made of a `State` and checked against one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tachyon.graph.view.columns import F64, I32, I64, Bool
from tachyon.optimize.reassignment.problem import Problem
from tachyon.optimize.reassignment.state import State

#: Most pairs of instances and hosts for which is worked out beforehand who may ever stand where,
#: and the share of them from which on it is of no use.
PAIRS, DENSE = 50_000_000, 0.5


U64 = NDArray[np.uint64]


class Tables(NamedTuple):
    """What never changes; shapes as in `Problem` (N × R, N × J, M × M, S).

    Attributes:
        firm: N × R; `need` without transient resources, which are held where an instance started.
        slope: N × J; by how much an instance raises each term of the load cost.
        rows: who may move.
        needs_at, needs: the services that service s depends on are needs[needs_at[s]:needs_at[s +
            1]]; `needed` has those that depend on it.
        whole: M × R; what a host can ever have for those that did not start there: its capacity
            without what stays, whoever moves.
        reach_at, reach: the hosts that instance i may ever stand on are reach[reach_at[i]:
            reach_at[i + 1]]; without an entry for anybody, all hosts are tried.
        penalty: R; what a unit beyond the capacity costs where that is allowed for a while.
    """

    need: F64
    firm: F64
    slope: F64
    start: I32
    rows: I32
    movable: Bool
    place_cost: F64
    host_cost: F64
    service_cost: float
    service: I32
    most: I32
    spread: I32
    location: I32
    neighbourhood: I32
    kind: I32
    allowed: Bool
    needs_at: I32
    needs: I32
    needed_at: I32
    needed: I32
    moves_max: int
    penalty: F64
    whole: F64
    reach_at: NDArray[np.int64]
    reach: I32


class Live(NamedTuple):
    """An assignment; names and shapes as in `State`.

    Attributes:
        after, before, first: N, N and M; who stands on a host, as a ring that begins anywhere; −1
            for an empty one.
        room: M × R; capacity that nobody holds, negative beyond it.
        load: M; the load cost of each host.
        over: M; units beyond the capacity, each times its penalty.
        having: how many services have moved a given number of members.
        cost: 1; without penalties.
        counts: instances that have moved, the most of one service, hosts beyond their capacity.
        random: 1; the state of the generator (xorshift64*: Vigna, 2016), never 0.
    """

    place: I32
    after: I32
    before: I32
    first: I32
    room: F64
    terms: F64
    load: F64
    over: F64
    members: I32
    in_location: I32
    locations: I32
    in_neighbourhood: I32
    lacking: I32
    demanded: I32
    moved_of: I32
    having: I32
    cost: F64
    counts: NDArray[np.int64]
    random: U64


def tables_of(state: State) -> Tables:
    """Return what never changes of a state's problem."""
    p = state.problem
    needs_at, needs = _pointers(state.needs)
    needed_at, needed = _pointers(state.needed_by)
    whole = p.capacity.copy()
    np.subtract.at(whole, p.start, p.need * (p.transient | ~p.movable[:, None]))
    reach_at, reach = _reach(p, whole)
    return Tables(
        need=np.ascontiguousarray(p.need),
        firm=np.ascontiguousarray(p.need * ~p.transient),
        slope=state.slope,
        start=p.start.astype(np.int32),
        rows=np.flatnonzero(p.movable).astype(np.int32),
        movable=p.movable,
        place_cost=np.ascontiguousarray(p.place_cost),
        host_cost=np.ascontiguousarray(p.host_cost),
        service_cost=float(p.service_cost),
        service=p.service.astype(np.int32),
        most=p.most.astype(np.int32),
        spread=p.spread.astype(np.int32),
        location=p.location.astype(np.int32),
        neighbourhood=p.neighbourhood.astype(np.int32),
        kind=p.kind.astype(np.int32),
        allowed=np.ascontiguousarray(p.allowed),
        needs_at=needs_at,
        needs=needs,
        needed_at=needed_at,
        needed=needed,
        moves_max=int(p.moves_max),
        penalty=_penalty(p),
        whole=whole,
        reach_at=reach_at,
        reach=reach,
    )


def live_of(state: State, seed: int) -> Live:
    """Return the figures of a state; `seed` is not 0."""
    p = state.problem
    room = np.ascontiguousarray(p.capacity - state.held)
    over: F64 = -(np.minimum(room, 0) @ _penalty(p))
    most = int(state.moved_of[:-1].max(initial=0))
    after, before, first = _rings(state.place, p.hosts)
    return Live(
        place=state.place.astype(np.int32),
        after=after,
        before=before,
        first=first,
        room=room,
        terms=np.ascontiguousarray(state.terms),
        load=state.host_costs(),
        over=over,
        members=state.members.astype(np.int32),
        in_location=state.in_location.astype(np.int32),
        locations=state.locations.astype(np.int32),
        in_neighbourhood=state.in_neighbourhood.astype(np.int32),
        lacking=state.lacking.astype(np.int32),
        demanded=state.demanded.astype(np.int32),
        moved_of=state.moved_of.astype(np.int32),
        having=np.bincount(state.moved_of[:-1], minlength=p.instances + 2).astype(np.int32),
        cost=np.array([state.cost]),
        counts=np.array([state.moved, most, (over > 0).sum()], np.int64),
        random=np.array([seed], np.uint64),
    )


def _pointers(lists: Sequence[Sequence[int]]) -> tuple[I32, I32]:
    """Return lists one after the other, and where each begins."""
    at = np.zeros(len(lists) + 1, np.int32)
    np.cumsum([len(one) for one in lists], out=at[1:])
    return at, np.array([item for one in lists for item in one], np.int32)


def _penalty(problem: Problem) -> F64:
    """Return what a unit of each resource beyond its capacity costs: its load, or as much (R)."""
    weight: F64 = np.maximum(problem.term_slope, 0).max(axis=1, initial=0.0)
    mean = np.maximum(problem.need.sum(axis=0) / max(1, problem.instances), 1e-9)
    dear = (weight * mean)[weight > 0]
    usual = float(dear.mean()) if dear.size else 1.0
    penalty: F64 = np.maximum(weight, 0.3 * usual / mean)
    return penalty


def _reach(problem: Problem, whole: F64) -> tuple[I64, I32]:
    """Return the hosts that each instance may ever stand on, one after the other; see `Tables`."""
    p = problem
    at = np.zeros(p.instances + 1, np.int64)
    if p.instances * p.hosts > PAIRS:
        return at, np.zeros(0, np.int32)
    found = []
    for first in range(0, p.instances, 1000):
        rows = np.arange(first, min(first + 1000, p.instances))
        fits = p.allowed[p.kind[rows]].copy()
        for resource in range(p.need.shape[1]):
            fits &= np.less_equal.outer(p.need[rows, resource], whole[:, resource])
        fits[np.arange(rows.size), p.start[rows]] = True
        at[rows + 1] = fits.sum(axis=1)
        found.append(np.nonzero(fits)[1].astype(np.int32))
    if not found or at.sum() > DENSE * p.instances * p.hosts:
        return np.zeros_like(at), np.zeros(0, np.int32)
    return np.cumsum(at), np.concatenate(found)


def _rings(place: I64, hosts: int) -> tuple[I32, I32, I32]:
    """Return who stands on each host as rings: `Live.after`, `before` and `first`."""
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=hosts)
    ends = np.cumsum(counts)
    there = counts > 0
    first = np.full(hosts, -1, np.int32)
    first[there] = order[(ends - counts)[there]]
    after = np.empty(place.size, np.int32)
    after[order[:-1]] = order[1:]
    last = order[(ends - 1)[there]]
    after[last] = first[there]
    before = np.empty_like(after)
    before[after] = np.arange(place.size)
    return after, before, first
