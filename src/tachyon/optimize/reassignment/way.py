"""Bring a placement about move by move where no order of all its net moves finds room.

Each move is made as soon as its destination has room and holds nobody that the instance must stand
apart from, and, in the strict way, no other rule breaks. Where moves wait for each other in a
circle, one of those that wait goes through a third host, or somebody on a destination steps aside
and comes back. What cannot be reached so is left out: the cheapest placement that was met and keeps
all rules counts. Which way gets further is not known before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.planners.ordering import Step
from tachyon.optimize.reassignment.problem import Problem
from tachyon.optimize.reassignment.state import State

#: How many of those on a full host are asked to step aside, the smallest first.
_ASKED = 20
#: How often it is judged where we are, on a way on which some rules may be broken.
_LOOKS = 200
#: How often one instance may be sent to a host that is not its destination.
_DETOURS = 2


class Way:
    """Makes moves one by one.

    Args:
        replay: an empty session on the state before the plan; it is changed.
        problem: whose start that state is.
        rows: N; the view's rows of its instances.
        hosts: M; the view's rows of its hosts.
        strict: whether spreads, dependencies and transient resources hold at each step, or only
            at its end. Capacity and the most members of a service on a host always do.
    """

    def __init__(
        self, replay: Session, problem: Problem, rows: I64, hosts: I64, *, strict: bool
    ) -> None:
        self._replay, self._problem, self._strict = replay, problem, strict
        self._rows: list[int] = rows.tolist()
        self._hosts: list[int] = hosts.tolist()
        self._state = State(problem)
        self._steps: list[Step] = []
        self._cheapest, self._cost = 0, self._state.cost
        self._stride = 1
        #: M × R; capacity, or what stood there at the start.
        self._most: F64 = np.maximum(problem.capacity, self._state.held)
        self._detours = np.zeros(problem.instances, np.int64)
        self._size: F64 = (problem.need / np.maximum(problem.need.mean(axis=0), 1e-9)).max(axis=1)
        self._queue: deque[int] = deque()
        #: Who waits for room, by destination, and who waits for a rule.
        self._waiting: dict[int, list[int]] = {}
        self._ruled: list[int] = []
        services, first = np.unique(problem.service, return_index=True)
        #: By service the first of its instances.
        self._first = dict(zip(services.tolist(), first.tolist(), strict=True))

    def follow(self, steps: Sequence[Step]) -> None:
        """Go a way that is known already."""
        rows = {row: i for i, row in enumerate(self._rows)}
        hosts = {row: h for h, row in enumerate(self._hosts)}
        for row, target in steps:
            self._make(rows[row], hosts[target])
        self._note()

    def to(self, best: I64, over: Callable[[], bool] = lambda: False) -> list[Step]:
        """Return the steps to the cheapest placement on the way to a placement (N).

        Args:
            best: the placement.
            over: tells when no more ways around are to be looked for.
        """
        away = np.flatnonzero(best != self._state.place).tolist()
        self._queue.extend(away)
        self._stride = 1 if self._strict else max(1, len(away) // _LOOKS)
        made = -1
        while True:
            while self._queue:
                self._go(self._queue.popleft(), best)
            self._note()
            if self._ruled and len(self._steps) > made:
                made = len(self._steps)
                self._queue.extend(self._ruled)
                self._ruled.clear()
            elif not self._waiting or over() or not (self._detour(best) or self._step_aside(best)):
                return self._steps[: self._cheapest]

    def _note(self) -> None:
        """Keep where we are, if it is cheaper than all before and keeps all rules."""
        state, most = self._state, self._problem.moves_max
        if state.cost < self._cost and not 0 <= most < state.moved and self._keeps_all():
            self._cheapest, self._cost = len(self._steps), state.cost

    def _go(self, instance: int, best: I64) -> None:
        target = int(best[instance])
        source = int(self._state.place[instance])
        if source == target:
            return
        done = self._make(instance, target)
        if done:
            self._queue.extendleft(reversed(self._waiting.pop(source, [])))
        elif done is None:
            self._waiting.setdefault(target, []).append(instance)
        else:
            self._ruled.append(instance)

    def _detour(self, best: I64) -> bool:
        """Send a waiting instance, the smallest that others wait for, through a third host."""
        waiting = np.array([i for some in self._waiting.values() for i in some], np.int64)
        known = self._detours[waiting] < _DETOURS
        rows = waiting[known & np.isin(self._state.place[waiting], list(self._waiting))]
        return any(
            self._send(instance, int(best[instance]))
            for instance in rows[np.argsort(self._size[rows], kind="stable")].tolist()
        )

    def _step_aside(self, best: I64) -> bool:
        """Send somebody away from a destination who leaves one that waits enough room.

        Where one of its own service stands there, that one goes.
        """
        state, problem = self._state, self._problem
        for target, waiting in list(self._waiting.items()):
            standing = np.flatnonzero((state.place == target) & problem.movable)
            standing = standing[self._detours[standing] < _DETOURS]
            # Leaving the start gives back no transient resource.
            freed = problem.need[standing] * (
                ~problem.transient | (problem.start[standing] != target)[:, None]
            )
            for instance in sorted(waiting, key=lambda i: float(self._size[i])):
                lack = state.held[target] + problem.need[instance] - self._most[target]
                enough: Bool = (freed >= lack).all(axis=1)
                service = problem.service[instance]
                if state.members[service, target] >= problem.most[service]:
                    # It is one of its own that is in its way.
                    enough &= problem.service[standing] == service
                asked = standing[enough]
                asked = asked[np.argsort(self._size[asked], kind="stable")][:_ASKED]
                for one in asked.tolist():
                    if self._send(one, int(best[one])):
                        # Whoever waits comes first, then whoever stepped aside comes back.
                        self._queue.append(one)
                        return True
        return False

    def _send(self, instance: int, but: int) -> bool:
        """Move an instance to the cheapest host that is not its destination."""
        source = int(self._state.place[instance])
        takes = self._takes(instance)
        takes[[but, source]] = False
        if not takes.any():
            return False
        change = self._state.shifts(np.array([instance]))[0]
        if not self._strict:
            # Where only a spread or a dependency breaks, it may be mended before the end.
            change[np.isinf(change) & takes] = abs(self._state.cost)
        change[[but, source]] = np.inf
        # Where nobody waits for room, it is in nobody's way.
        change[list(self._waiting)] += 2.0 * abs(self._state.cost)
        host = int(np.argmin(change))
        if change[host] == np.inf or not self._make(instance, host):
            return False
        self._detours[instance] += 1
        self._queue.extendleft(reversed(self._waiting.pop(source, [])))
        return True

    def _takes(self, instance: int) -> Bool:
        """Return which hosts have room for an instance, and nobody it must stand apart from (M)."""
        state, problem = self._state, self._problem
        if 0 <= problem.moves_max <= state.moved or not problem.movable[instance]:
            return np.zeros(problem.hosts, np.bool_)
        service = problem.service[instance]
        takes: Bool = problem.allowed[problem.kind[instance]].copy()
        takes &= (state.held + problem.need[instance] <= self._most).all(axis=1)
        takes &= state.members[service] < problem.most[service]
        start = int(problem.start[instance])
        takes[start] = self._has_room(instance, start)
        return takes

    def _has_room(self, instance: int, host: int) -> bool:
        """Tell whether a host has room for an instance, and for one more of its service.

        Of the rules the second is Nova's, which it holds each migration to.
        """
        state, problem = self._state, self._problem
        service = problem.service[instance]
        if state.members[service, host] >= problem.most[service]:
            return False
        need, held = problem.need[instance], state.used[host]
        if self._strict:
            held = state.held[host]
            if problem.start[instance] == host:
                # It takes no more of a transient resource than it does already.
                need = need * ~problem.transient
        return bool((held + need <= self._most[host]).all())

    def _make(self, instance: int, host: int) -> bool | None:
        """Make a move if it is possible now; None: there is no room, False: a rule breaks."""
        state, replay = self._state, self._replay
        if not self._has_room(instance, host):
            return None
        one, home = np.array([instance]), np.array([state.place[instance]])
        affected = self._affected(instance)
        before = state.broken(affected)
        state.move(one, np.array([host]))
        if self._strict and (state.broken(affected) & ~before).any():
            state.move(one, home)
            return False
        row, target = self._rows[instance], self._hosts[host]
        move = Move(
            consumer_uuid=replay.state.consumer_uuid(row),
            to_provider=replay.view.providers.uuid[target],
        )
        try:
            replay.record(move)
        except Conflict:
            state.move(one, home)
            return None
        self._steps.append((row, target))
        if len(self._steps) % self._stride == 0:
            self._note()
        return True

    def _keeps_all(self) -> bool:
        state, problem = self._state, self._problem
        if self._strict:
            return True
        if (state.held > self._most).any():
            return False
        return not state.broken(np.arange(problem.instances)).any()

    def _affected(self, instance: int) -> I64:
        """Return one instance of each service whose rules the move may break."""
        service = int(self._problem.service[instance])
        services = {service, *self._state.needed_by[service]}
        return np.array([self._first[s] for s in services if s in self._first], np.int64)
