"""The compiled part of the search: changes of one assignment, judged and made one by one.

A `Live` assignment of `Tables` is annealed by `anneal` at ten to thirty million judged changes a
second and thread; it holds no lock of the interpreter, so several run at once. Needs numba (the
extra `search`); what is compiled is kept beside this file, or where `NUMBA_CACHE_DIR` says. All
functions are in one file: numba compiles anew when that of the function called has changed only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tachyon.graph.view.columns import F64, I32
from tachyon.optimize.reassignment.arrays import U64, Live, Tables

INF = np.inf
#: Nothing here makes an array. Without numba's runtime no references are counted: that would be
#: done at each call for every array, atomically, on figures that all threads share, and cost some
#: twenty times what judging a change does. Sums of whole numbers may be taken in any order.
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "fastmath": {"reassoc", "nsz"},
    "_nrt": False,
}
#: Changes of less are rounding.
_ROUNDING = 1e-7
_MOVED, _MOST, _OVER = 0, 1, 2
_12 = np.uint64(12)
_25 = np.uint64(25)
_27 = np.uint64(27)
_32 = np.uint64(32)
_11 = np.uint64(11)
_STAR = np.uint64(0x2545F4914F6CDD1D)


@njit(inline="always", **_OPTIONS)
def _next(random: U64) -> Any:
    x = random[0]
    x ^= x >> _12
    x ^= x << _25
    x ^= x >> _27
    random[0] = x
    return x * _STAR


@njit(inline="always", **_OPTIONS)
def _below(random: U64, n: int) -> Any:
    """Return a whole number from 0 to n − 1."""
    return np.int64(((_next(random) >> _32) * np.uint64(n)) >> _32)


@njit(inline="always", **_OPTIONS)
def _unit(random: U64) -> Any:
    """Return a number from 0 to below 1."""
    return np.float64(_next(random) >> _11) * (1.0 / 9007199254740992.0)


@njit(**_OPTIONS)
def _may(t: Tables, v: Live, i: int, a: int, b: int) -> bool:
    """Tell whether the rules of i's service, and of its kind, let it go from a to b."""
    s = t.service[i]
    if v.members[s, b] >= t.most[s]:
        return False
    if not t.allowed[t.kind[i], b]:
        return False
    if t.spread[s] > 1:
        la, lb = t.location[a], t.location[b]
        if la != lb:
            count = v.locations[s]
            if v.in_location[s, la] == 1:
                count -= 1
            if v.in_location[s, lb] == 0:
                count += 1
            if count < t.spread[s]:
                return False
    na, nb = t.neighbourhood[a], t.neighbourhood[b]
    if na != nb:
        if v.lacking[s, nb] > 0:
            return False
        if v.demanded[s, na] > 0 and v.in_neighbourhood[s, na] == 1:
            return False
    return True


@njit(inline="always", **_OPTIONS)
def _place_cost(t: Tables, i: int, a: int) -> Any:
    """Return what i costs for having moved, on a."""
    s = t.start[i]
    if a == s:
        return 0.0
    return t.place_cost[i] + t.host_cost[s, a]


@njit(inline="always", **_OPTIONS)
def _service_change(t: Tables, v: Live, i: int, a: int, b: int) -> float:
    """Return the change of the service cost by i going from a to b, and nobody else."""
    if t.service_cost == 0.0:
        return 0.0
    s = t.service[i]
    if s == t.most.size - 1:
        return 0.0
    if a == t.start[i]:
        if v.moved_of[s] == v.counts[_MOST]:
            return t.service_cost
    elif b == t.start[i] and v.moved_of[s] == v.counts[_MOST] and v.having[v.counts[_MOST]] == 1:
        return -t.service_cost
    return 0.0


@njit(**_OPTIONS)
def _move(t: Tables, v: Live, i: int, b: int) -> None:
    """Move i to b, whatever the rules say."""
    a = v.place[i]
    s = t.service[i]
    start = t.start[i]
    cost = v.cost[0] - v.load[a] - v.load[b] - t.service_cost * v.counts[_MOST]
    cost += _place_cost(t, i, b) - _place_cost(t, i, a)
    given = t.firm if a == start else t.need
    taken = t.firm if b == start else t.need
    oa = 0.0
    ob = 0.0
    for r in range(t.need.shape[1]):
        x = v.room[a, r] + given[i, r]
        v.room[a, r] = x
        oa -= min(x, 0.0) * t.penalty[r]
        x = v.room[b, r] - taken[i, r]
        v.room[b, r] = x
        ob -= min(x, 0.0) * t.penalty[r]
    v.counts[_OVER] += int(oa > 0.0) + int(ob > 0.0) - int(v.over[a] > 0.0) - int(v.over[b] > 0.0)
    v.over[a] = oa
    v.over[b] = ob
    la = 0.0
    lb = 0.0
    for j in range(t.slope.shape[1]):
        x = v.terms[a, j] - t.slope[i, j]
        v.terms[a, j] = x
        la += max(x, 0.0)
        x = v.terms[b, j] + t.slope[i, j]
        v.terms[b, j] = x
        lb += max(x, 0.0)
    v.load[a] = la
    v.load[b] = lb
    v.place[i] = b
    _join(v, i, a, b)
    v.members[s, a] -= 1
    v.members[s, b] += 1
    step = 0
    if a == start:
        step = 1
    elif b == start:
        step = -1
    if step:
        v.counts[_MOVED] += step
        count = v.moved_of[s]
        v.moved_of[s] = count + step
        if s != t.most.size - 1:
            v.having[count] -= 1
            v.having[count + step] += 1
            if count + step > v.counts[_MOST]:
                v.counts[_MOST] = count + step
            elif count == v.counts[_MOST] and v.having[count] == 0:
                v.counts[_MOST] = count - 1
    v.cost[0] = cost + la + lb + t.service_cost * v.counts[_MOST]
    x, y = t.location[a], t.location[b]
    if x != y:
        v.in_location[s, x] -= 1
        if v.in_location[s, x] == 0:
            v.locations[s] -= 1
        v.in_location[s, y] += 1
        if v.in_location[s, y] == 1:
            v.locations[s] += 1
    x, y = t.neighbourhood[a], t.neighbourhood[b]
    if x != y:
        v.in_neighbourhood[s, x] -= 1
        if v.in_neighbourhood[s, x] == 0:
            _appear(t, v, s, x, -1)
        v.in_neighbourhood[s, y] += 1
        if v.in_neighbourhood[s, y] == 1:
            _appear(t, v, s, y, 1)


@njit(inline="always", **_OPTIONS)
def _join(v: Live, i: int, a: int, b: int) -> None:
    """Take i out of the ring of a, and put it last into that of b."""
    after, before = v.after[i], v.before[i]
    if after == i:
        v.first[a] = -1
    else:
        v.after[before] = after
        v.before[after] = before
        if v.first[a] == i:
            v.first[a] = after
    head = v.first[b]
    if head < 0:
        v.first[b] = v.after[i] = v.before[i] = i
    else:
        last = v.before[head]
        v.after[last] = v.before[head] = i
        v.after[i] = head
        v.before[i] = last


@njit(**_OPTIONS)
def _appear(t: Tables, v: Live, s: int, n: int, step: int) -> None:
    """Count that service s has come into neighbourhood n (step 1) or left it (−1)."""
    for k in range(t.needed_at[s], t.needed_at[s + 1]):
        v.lacking[t.needed[k], n] -= step
    for k in range(t.needs_at[s], t.needs_at[s + 1]):
        v.demanded[t.needs[k], n] += step


@njit(inline="always", **_OPTIONS)
def _shift_change(t: Tables, v: Live, i: int, a: int, b: int, bound: float, dear: float) -> Any:
    """Return the change of the cost by i going from a to b; infinite if sure to miss the bound."""
    taken = t.firm if b == t.start[i] else t.need
    if dear == 0.0:
        for r in range(t.need.shape[1]):
            if taken[i, r] > v.room[b, r]:
                return INF
    change = 0.0
    if dear != 0.0:
        gain = v.load[a] + v.load[b] + _place_cost(t, i, a) + t.service_cost
        d = 0.0
        for r in range(t.need.shape[1]):
            d -= min(v.room[b, r] - taken[i, r], 0.0) * t.penalty[r]
        d -= v.over[b] + v.over[a]
        if d > 0.0 and dear * d > bound + gain:
            return INF
        if v.over[a] > 0.0:
            given = t.firm if a == t.start[i] else t.need
            for r in range(t.need.shape[1]):
                d -= min(v.room[a, r] + given[i, r], 0.0) * t.penalty[r]
        change = dear * d
    change += _place_cost(t, i, b) - _place_cost(t, i, a) + _service_change(t, v, i, a, b)
    change -= v.load[a] + v.load[b]
    for j in range(t.slope.shape[1]):
        change += max(v.terms[a, j] - t.slope[i, j], 0.0)
        change += max(v.terms[b, j] + t.slope[i, j], 0.0)
    return change


@njit(inline="always", **_OPTIONS)
def _swap_change(
    t: Tables, v: Live, i: int, a: int, k: int, b: int, bound: float, dear: float
) -> Any:
    """Return the change by i and k changing places; infinite if sure to miss the bound."""
    given_i = t.firm if a == t.start[i] else t.need
    taken_i = t.firm if b == t.start[i] else t.need
    given_k = t.firm if b == t.start[k] else t.need
    taken_k = t.firm if a == t.start[k] else t.need
    if dear == 0.0:
        for r in range(t.need.shape[1]):
            if taken_i[i, r] - given_k[k, r] > v.room[b, r]:
                return INF
            if taken_k[k, r] - given_i[i, r] > v.room[a, r]:
                return INF
    change = 0.0
    if dear != 0.0:
        gain = v.load[a] + v.load[b] + _place_cost(t, i, a) + _place_cost(t, k, b)
        gain += 2.0 * t.service_cost
        d = -(v.over[b] + v.over[a])
        for r in range(t.need.shape[1]):
            d -= min(v.room[b, r] - taken_i[i, r] + given_k[k, r], 0.0) * t.penalty[r]
            d -= min(v.room[a, r] - taken_k[k, r] + given_i[i, r], 0.0) * t.penalty[r]
        if d > 0.0 and dear * d > bound + gain:
            return INF
        change = dear * d
    change += _place_cost(t, i, b) - _place_cost(t, i, a) + _service_change(t, v, i, a, b)
    change += _place_cost(t, k, a) - _place_cost(t, k, b) + _service_change(t, v, k, b, a)
    change -= v.load[a] + v.load[b]
    for j in range(t.slope.shape[1]):
        d = t.slope[i, j] - t.slope[k, j]
        change += max(v.terms[a, j] - d, 0.0)
        change += max(v.terms[b, j] + d, 0.0)
    return change


@njit(inline="always", **_OPTIONS)
def _fits(t: Tables, i: int, b: int) -> Any:
    """Tell whether b has room for i when all have left that can."""
    if b == t.start[i]:
        return True
    fits = True
    for r in range(t.need.shape[1]):
        fits &= t.need[i, r] <= t.whole[b, r]
    return fits


@njit(inline="always", **_OPTIONS)
def _host(t: Tables, v: Live, i: int) -> Any:
    """Return a host drawn from those that i may ever stand on."""
    if t.reach.size == 0:
        return _below(v.random, v.room.shape[0])
    at = t.reach_at[i]
    return np.int64(t.reach[at + _below(v.random, t.reach_at[i + 1] - at)])


@njit(inline="always", **_OPTIONS)
def _drawn(t: Tables, pull: F64, i: int, a: int, b: int) -> Any:
    """Return by how much going from a to b is made dearer by a pull towards the start."""
    if a == t.start[i]:
        return pull[i]
    if b == t.start[i]:
        return -pull[i]
    return 0.0


@njit(**_OPTIONS)
def anneal(
    t: Tables,
    v: Live,
    count: int,
    temperature: float,
    swapping: float,
    pull: F64,
    dear: float,
    log_row: I32,
    log_from: I32,
    best: I32,
    best_cost: float,
) -> float:
    """Judge `count` changes drawn at random and make those that Metropolis' rule accepts.

    Args:
        t: the problem.
        v: the assignment; changed in place.
        count: changes to judge.
        temperature: 0 accepts only what lowers the cost.
        swapping: share of the changes that exchange two instances; the others move one.
        pull: N; how much dearer it is to leave the start, and cheaper to come back.
        dear: what the penalty of capacity that is exceeded is multiplied by; 0 forbids it.
        log_row: 2 × count; room for who has left a host, which leads back to the best.
        log_from: 2 × count; and for which.
        best: N; takes the cheapest assignment met that costs less than `best_cost` and exceeds no
            capacity.
        best_cost: what the cheapest assignment so far costs.

    Returns: the cost of `best`.
    """
    size = t.rows.size
    logged = 0
    at_best = -1
    for _ in range(count):
        i = t.rows[_below(v.random, size)]
        a = v.place[i]
        bound = -_ROUNDING
        if temperature > 0.0:
            bound = _ROUNDING - temperature * np.log(1.0 - _unit(v.random))
        if _unit(v.random) >= swapping:
            b = _host(t, v, i)
            if a == b:
                continue
            if t.moves_max >= 0 and v.counts[_MOVED] >= t.moves_max and a == t.start[i]:
                continue
            change = _shift_change(t, v, i, a, b, bound + pull[i], dear)
            if change == INF or change + _drawn(t, pull, i, a, b) >= bound:
                continue
            if dear != 0.0 and not _fits(t, i, b):
                continue
            if not _may(t, v, i, a, b):
                continue
            _move(t, v, i, b)
        else:
            if t.reach.size:
                b = _host(t, v, i)
                k = np.int64(v.first[b])
                if a == b or k < 0:
                    continue
                v.first[b] = v.after[k]
                if not t.movable[k]:
                    continue
            else:
                k = t.rows[_below(v.random, size)]
                b = v.place[k]
                if a == b:
                    continue
            if t.moves_max >= 0:
                fresh = int(a == t.start[i]) + int(b == t.start[k])
                if v.counts[_MOVED] + fresh > t.moves_max:
                    continue
            change = _swap_change(t, v, i, a, k, b, bound + pull[i] + pull[k], dear)
            if change == INF:
                continue
            if change + _drawn(t, pull, i, a, b) + _drawn(t, pull, k, b, a) >= bound:
                continue
            if dear != 0.0 and not (_fits(t, i, b) and _fits(t, k, a)):
                continue
            if t.service[i] == t.service[k]:
                # One takes the other's place among the members.
                if not (t.allowed[t.kind[i], b] and t.allowed[t.kind[k], a]):
                    continue
                _move(t, v, i, b)
            else:
                if not _may(t, v, k, b, a) or not _may(t, v, i, a, b):
                    continue
                _move(t, v, i, b)
                if not _may(t, v, k, b, a):
                    _move(t, v, i, a)
                    continue
            _move(t, v, k, a)
            log_row[logged] = k
            log_from[logged] = b
            logged += 1
        log_row[logged] = i
        log_from[logged] = a
        logged += 1
        if v.counts[_OVER] == 0 and v.cost[0] < best_cost - _ROUNDING:
            best_cost = v.cost[0]
            at_best = logged
    if at_best >= 0:
        for n in range(best.size):
            best[n] = v.place[n]
        for n in range(logged - 1, at_best - 1, -1):
            best[log_row[n]] = log_from[n]
    return best_cost
