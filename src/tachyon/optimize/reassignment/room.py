"""Where an instance has room on the way to a placement, and who leaves a host to make some.

Where hosts are nearly full, a large instance finds room only where several small ones go elsewhere
for a while: on its destination, or on a third host when others wait for it to leave.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.reassignment.state import State

#: How many hosts are looked at for each instance, those that lack the least first, and how many of
#: those on a host are asked each time.
_HOSTS = 6
_ASKED = 10


class Room:
    """Judges what a state has room for.

    Attributes:
        size: N; the largest need of an instance, in mean needs.

    Args:
        state: that is judged; moves are made elsewhere.
        most: M × R; what hosts may hold.
        strict: whether whoever has left its start still holds transient resources there.
    """

    def __init__(self, state: State, most: F64, *, strict: bool) -> None:
        problem = state.problem
        self._state, self._most, self._strict = state, most, strict
        self.size: F64 = (problem.need / np.maximum(problem.need.mean(axis=0), 1e-9)).max(axis=1)
        #: N; who found no host at all that has room, and none has been left since that has.
        self._homeless = np.zeros(problem.instances, np.bool_)
        self._hosts: I64 = np.arange(problem.hosts)
        self._scale: F64 = np.maximum(most.mean(axis=0), 1e-9)

    @property
    def _held(self) -> F64:
        return self._state.held if self._strict else self._state.used

    def _needs(self, instances: int | I64, hosts: int | I64) -> F64:
        """Return what instances take on hosts (… × R)."""
        return self._state.problem.taken(instances, hosts, strict=self._strict)

    def _freed(self, instances: I64) -> F64:
        """Return what instances give back when they leave (k × R)."""
        return self._needs(instances, self._state.place[instances])

    def has(self, instance: int, host: int) -> bool:
        """Tell whether a host has room for an instance, and for one more of its service.

        Of the rules the second is Nova's, which it holds each migration to.
        """
        service = self._state.problem.service[instance]
        if self._state.members[service, host] >= self._state.problem.most[service]:
            return False
        held = self._held[host] + self._needs(instance, host)
        return bool((held <= self._most[host]).all())

    def takes(self, instance: int, held: F64 | None = None) -> Bool:
        """Return which hosts have room for an instance, and nobody it must stand apart from (M).

        Args:
            instance: a row.
            held: M × R; what hosts hold, if not what they hold now.
        """
        state, problem = self._state, self._state.problem
        if 0 <= problem.moves_max <= state.moved or not problem.movable[instance]:
            return np.zeros(problem.hosts, np.bool_)
        if self._homeless[instance]:
            return np.zeros(problem.hosts, np.bool_)
        service, now = problem.service[instance], held is None
        held = self._held if held is None else held
        takes: Bool = problem.allowed[problem.kind[instance]].copy()
        takes &= (held + self._needs(instance, self._hosts) <= self._most).all(axis=1)
        takes &= state.members[service] < problem.most[service]
        takes[state.place[instance]] = False
        if now and not takes.any():
            self._homeless[instance] = True
        return takes

    def left(self, host: int) -> None:
        """Take notice that somebody has left a host."""
        # Whoever has found no host at all may have one now, which is this one.
        rows = np.flatnonzero(self._homeless)
        free = self._most[host] - self._state.used[host]
        self._homeless[rows[(self._state.problem.need[rows] <= free).all(axis=1)]] = False

    def cheapest(self, instance: int, takes: Bool, crowded: Collection[int]) -> int | None:
        """Return the cheapest of some hosts for an instance, one that nobody waits for if possible.

        Args:
            instance: a row.
            takes: M; the hosts.
            crowded: hosts that others wait for.
        """
        if not takes.any():
            return None
        dear = abs(self._state.cost)
        change = self._state.shifts(np.array([instance]))[0]
        if not self._strict:
            # Where only a spread or a dependency breaks, it may be mended before the end.
            change[np.isinf(change) & takes] = dear
        change[~takes] = np.inf
        change[list(crowded)] += 2.0 * dear
        host = int(np.argmin(change))
        return None if np.isinf(change[host]) else host

    def given(self, asked: Bool) -> F64:
        """Return what hosts get back when all leave that are asked (M × R)."""
        rows = np.flatnonzero(asked)
        given = np.zeros_like(self._most)
        np.add.at(given, self._state.place[rows], self._freed(rows))
        return given

    def one_is_enough(self, instances: I64, hosts: I64, asked: Bool) -> Bool:
        """Return for whom a host has room as soon as one of those leaves that are asked (k).

        Args:
            instances: k rows.
            hosts: k; the host of each.
            asked: N.
        """
        rows = np.flatnonzero(asked & ~self._homeless)
        rows = rows[np.argsort(self._state.place[rows], kind="stable")]
        first, end = np.searchsorted(self._state.place[rows], [hosts, hosts + 1])
        count = end - first
        pair = np.repeat(np.arange(instances.size), count)
        one = rows[np.arange(pair.size) + np.repeat(first - np.cumsum(count) + count, count)]
        lack = self._held[hosts] + self._needs(instances, hosts) - self._most[hosts]
        enough = (self._freed(one) >= lack[pair]).all(axis=1)
        found: Bool = np.bincount(pair[enough], minlength=instances.size) > 0
        return found

    def hosts(self, instance: int, first: int, given: F64, *, others: bool) -> list[int]:
        """Return hosts that may be cleared for an instance, its destination `first` before others.

        Args:
            instance: a row.
            first: its destination.
            given: M × R; what they get back at the most.
            others: whether a third host would help.
        """
        state, problem = self._state, self._state.problem
        lack = self._held + self._needs(instance, self._hosts) - self._most
        may: Bool = (lack <= given).all(axis=1) & problem.allowed[problem.kind[instance]]
        found = [first] if may[first] else []
        if others:
            service = problem.service[instance]
            may &= state.members[service] < problem.most[service]
            may[[first, state.place[instance]]] = False
            rows = np.flatnonzero(may)
            short = (np.maximum(lack[rows], 0.0) / self._scale).sum(axis=1)
            found += rows[np.argsort(short, kind="stable")][:_HOSTS].tolist()
        return found

    def clearing(
        self, instance: int, host: int, asked: Bool, most: int, crowded: Collection[int]
    ) -> list[tuple[int, int]] | None:
        """Return who leaves a host, and for where, so that an instance has room; None: none can.

        Where one of its own service is in its way, that one goes.

        Args:
            instance: a row.
            host: a host.
            asked: N; who may be sent elsewhere.
            most: how many of them.
            crowded: hosts that others wait for.
        """
        state, problem = self._state, self._state.problem
        held: F64 | None = None
        lack: F64 = self._held[host] + self._needs(instance, host) - self._most[host]
        service = problem.service[instance]
        own = bool(state.members[service, host] >= problem.most[service])
        standing = np.flatnonzero((state.place == host) & asked)
        leaving: list[tuple[int, int]] = []
        while own or (lack > 0.0).any():
            if len(leaving) == most:
                return None
            among = standing[problem.service[standing] == service] if own else standing
            order = self._in_turn(among, lack, last=len(leaving) + 1 == most)[:_ASKED]
            for one in order.tolist():
                takes = self.takes(one, held)
                takes[[x for e, x in leaving if problem.service[e] == problem.service[one]]] = False
                to = self.cheapest(one, takes, crowded)
                standing = standing[standing != one]
                if to is not None:
                    break
            else:
                return None
            own = False
            leaving.append((one, to))
            held = self._held.copy() if held is None else held
            held[to] += problem.need[one]
            lack = lack - self._freed(np.array([one]))[0]
        return leaving

    def _in_turn(self, instances: I64, lack: F64, *, last: bool) -> I64:
        """Return who is asked first: who makes enough room, the smallest; then who makes most."""
        freed, short = self._freed(instances), np.maximum(lack, 0.0)
        covered = (np.minimum(freed, short) / self._scale).sum(axis=1)
        size = self.size[instances]
        enough = (freed >= lack).all(axis=1)
        if last or enough.any():
            return instances[enough][np.argsort(size[enough], kind="stable")]
        return instances[np.argsort(-covered / np.sqrt(size), kind="stable")]
