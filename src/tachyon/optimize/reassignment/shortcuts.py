"""Take stops out of a way that turn out not to have been needed.

An instance that goes from a to b and later from b to c may stay on a until then, or go to c at
once, where a or c has room for it all the time between; one that comes back to a may have stayed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tachyon.graph.view.columns import F64, I64
from tachyon.optimize.reassignment.problem import Problem

#: An instance and the host that it moves to.
Hop = tuple[int, int]
#: How often all stops are looked at.
_ROUNDS = 5


def without_stops(problem: Problem, hops: Sequence[Hop], most: F64, *, strict: bool) -> list[Hop]:
    """Return a way, of those that lead to the same placement, with fewer moves.

    Args:
        problem: whose start the way begins at.
        hops: the moves, each possible after those before.
        most: M × R; what hosts may hold.
        strict: whether whoever has left its start still holds transient resources there.
    """
    way = _Timetable(problem, hops, most, strict=strict)
    for _ in range(_ROUNDS):
        if not way.shorten():
            break
    return way.hops()


class _Timetable:
    """When who stands where: moves at times 0, 1, … of which some are taken out or changed."""

    def __init__(self, problem: Problem, hops: Sequence[Hop], most: F64, *, strict: bool) -> None:
        self._problem, self._most, self._strict = problem, most, strict
        #: By time who moves, from where and to where.
        self._moves: dict[int, tuple[int, int, int]] = {}
        #: By instance and by host the times of the moves.
        self._of: dict[int, list[int]] = defaultdict(list)
        self._at: dict[int, set[int]] = defaultdict(set)
        #: By host what `_held` found.
        self._known: dict[int, tuple[I64, I64, I64, F64]] = {}
        place: I64 = problem.start.copy()
        self._used: F64 = np.zeros_like(problem.capacity)
        np.add.at(self._used, place, problem.need)
        self._members: dict[tuple[int, int], int] = defaultdict(int)
        for service, host in zip(problem.service.tolist(), place.tolist(), strict=True):
            self._members[service, host] += 1
        for time, (one, to) in enumerate(hops):
            self._put(time, one, int(place[one]), to)
            self._of[one].append(time)
            place[one] = to

    def hops(self) -> list[Hop]:
        """Return the moves."""
        return [(self._moves[time][0], self._moves[time][2]) for time in sorted(self._moves)]

    def shorten(self) -> bool:
        """Take out what stops can be; tells whether there were any."""
        before = len(self._moves)
        for one, times in self._of.items():
            at = 0
            while at + 1 < len(times):
                if self._skip(one, times[at], times[at + 1]):
                    times[:] = [time for time in times if time in self._moves]
                    at = max(0, at - 1)
                else:
                    at += 1
        return len(self._moves) < before

    def _skip(self, one: int, first: int, second: int) -> bool:
        """Take out the stop between two moves of an instance, if it can be."""
        _, a, b = self._moves[first]
        _, _, c = self._moves[second]
        stays = self._has_room(one, a, first, second)
        if not stays and (c == a or not self._has_room(one, c, first, second)):
            return False
        self._take(first, a, b)
        self._take(second, b, c)
        if c != a:
            self._put(second if stays else first, one, a, c)
        return True

    def _put(self, time: int, one: int, source: int, to: int) -> None:
        self._moves[time] = one, source, to
        for host in (source, to):
            self._at[host].add(time)
            self._known.pop(host, None)

    def _take(self, time: int, source: int, to: int) -> None:
        del self._moves[time]
        for host in (source, to):
            self._at[host].discard(time)
            self._known.pop(host, None)

    def _has_room(self, one: int, host: int, first: int, second: int) -> bool:
        """Tell whether a host has room for an instance from one time to another."""
        problem = self._problem
        service = int(problem.service[one])
        times, who, signs, used = self._held(host)
        begin, end = np.searchsorted(times, [first, second]).tolist()
        # What it leaves at the first time had room for it until then.
        begin += begin < times.size and times[begin] == first
        most = self._most[host] - problem.taken(one, host, strict=self._strict)
        if not (used[begin : end + 1] <= most).all():
            return False
        joined = np.cumsum(signs * (problem.service[who] == service))
        count = self._members.get((service, host), 0) + np.append(0, joined)[begin : end + 1]
        return bool((count < problem.most[service]).all())

    def _held(self, host: int) -> tuple[I64, I64, I64, F64]:
        """Return when a host's instances change (k), who comes or goes (k, ±1), and what they hold.

        What they hold is k + 1 × R: at first, and after each change.
        """
        found = self._known.get(host)
        if found is None:
            times = np.array(sorted(self._at[host]), np.int64)
            moves = [self._moves[time] for time in times.tolist()]
            who = np.array([one for one, _, _ in moves], np.int64)
            signs = np.array([1 if to == host else -1 for _, _, to in moves], np.int64)
            used = np.empty((times.size + 1, self._most.shape[1]))
            used[0] = self._used[host]
            change = signs[:, None] * self._problem.taken(who, host, strict=self._strict)
            np.cumsum(change, axis=0, out=used[1:])
            used[1:] += used[0]
            found = self._known[host] = times, who, signs, used
        return found
