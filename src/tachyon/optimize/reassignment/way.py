"""Bring a placement about move by move where no order of all its net moves finds room.

Each move is made as soon as its destination has room and holds nobody that the instance must stand
apart from, and, in the strict way, no other rule breaks. Where moves wait for each other in a
circle, one of those that wait goes through a third host, or somebody on a destination steps aside
and comes back; where no single one makes room, several leave a host for one that waits; and where
nothing helps, somebody leaves a host all the same. What cannot be reached so is left out: the
cheapest placement that was met and keeps all rules counts. Which way gets further is not known
before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, takewhile

import numpy as np

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.planners.ordering import Step
from tachyon.optimize.reassignment.problem import Problem
from tachyon.optimize.reassignment.room import Room
from tachyon.optimize.reassignment.state import State

#: How often it is judged where we are, on a way on which some rules may be broken.
_LOOKS = 200
#: How often somebody leaves a host without making room for another until one more has arrived.
_SHAKES = 25
#: How many leave a host for one instance at the most.
_LEAVING = 8


class Way:
    """Makes moves one by one.

    Attributes:
        most: M × R; what hosts may hold: their capacity, or what stood there at the start.

    Args:
        replay: an empty session on the state before the plan; it is changed.
        problem: whose start that state is.
        rows: N; the view's rows of its instances.
        hosts: M; the view's rows of its hosts.
        strict: whether spreads, dependencies and transient resources hold at each step, or only
            at its end. Capacity and the most members of a service on a host always do.
        detours: how often one instance may be sent to a host that is not its destination, and
            twice as often when it leaves a host with others. More of them reach more placements,
            or lead around too often to reach any.
    """

    def __init__(
        self,
        replay: Session,
        problem: Problem,
        rows: I64,
        hosts: I64,
        *,
        strict: bool,
        detours: int = 1,
    ) -> None:
        self._replay, self._problem, self._strict = replay, problem, strict
        self._rows: list[int] = rows.tolist()
        self._hosts: list[int] = hosts.tolist()
        self._state = State(problem)
        self._steps: list[Step] = []
        self._cheapest, self._cost = 0, self._state.cost
        self._stride = 1
        self.most: F64 = np.maximum(problem.capacity, self._state.held)
        self._room = Room(self._state, self.most, strict=strict)
        self._most_detours = detours
        self._detours = np.zeros(problem.instances, np.int64)
        self._over: Callable[[], bool] = lambda: False
        self._queue: deque[int] = deque()
        #: Who waits for room, by destination, and who waits for a rule.
        self._waiting: dict[int, list[int]] = {}
        self._ruled: list[int] = []
        services, first = np.unique(problem.service, return_index=True)
        #: By service the first of its instances.
        self._first = dict(zip(services.tolist(), first.tolist(), strict=True))

    def follow(self, steps: Sequence[Step]) -> bool:
        """Go a way that is known already; tells whether all its moves are possible."""
        rows = {row: i for i, row in enumerate(self._rows)}
        hosts = {row: h for h, row in enumerate(self._hosts)}
        possible = all(self._make(rows[row], hosts[target]) for row, target in steps)
        self._note()
        return possible

    def to(
        self,
        best: I64,
        over: Callable[[], bool] = lambda: False,
        rng: np.random.Generator | None = None,
    ) -> list[Step]:
        """Return the steps to the cheapest placement on the way to a placement (N).

        Args:
            best: the placement.
            over: tells when no more ways around are to be looked for.
            rng: draws the order in which moves are tried; it is that of the rows otherwise.
        """
        away = np.flatnonzero(best != self._state.place)
        if rng is not None:
            rng.shuffle(away)
        self._queue.extend(away.tolist())
        self._over = over
        self._stride = 1 if self._strict else max(1, away.size // _LOOKS)
        made, nearest, shaken = -1, away.size, 0
        while True:
            while self._queue:
                self._go(self._queue.popleft(), best)
            self._note()
            if self._ruled and len(self._steps) > made:
                made = len(self._steps)
                self._queue.extend(self._ruled)
                self._ruled.clear()
            elif self._detour() or self._step_aside() or self._clear():
                continue
            elif (missing := int(np.count_nonzero(self._state.place != best))) < nearest:
                # Who has gone around often enough may do so again, as long as more arrive.
                nearest, shaken = missing, 0
                self._detours[:] = 0
            elif missing and shaken < _SHAKES and self._shake():
                shaken += 1
            else:
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

    def _detour(self) -> bool:
        """Send a waiting instance, the smallest that others wait for, through a third host."""
        return any(
            self._send(instance, target)
            for instance, target in self._by_size()
            if self._is_in_the_way(instance)
        )

    def _step_aside(self) -> bool:
        """Send somebody away from a destination who leaves one that waits enough room."""
        asked = self._problem.movable & (self._detours < self._most_detours)
        waiting = list(self._by_size())
        if not waiting:
            return False
        instances, targets = np.array(waiting, np.int64).T
        enough = self._room.one_is_enough(instances, targets, asked)
        return any(
            self._clear_for(instance, target, target, asked, 1)
            for instance, target in compress(waiting, enough.tolist())
        )

    def _clear(self) -> bool:
        """Send several away from a host where one that waits has room then."""
        asked = self._problem.movable & (self._detours < 2 * self._most_detours)
        given = self._room.given(asked)
        return any(
            self._clear_for(instance, target, host, asked, _LEAVING)
            for instance, target in self._by_size()
            for host in self._room.hosts(
                instance, target, given, others=self._is_in_the_way(instance)
            )
        )

    def _shake(self) -> bool:
        """Send the largest that can go away from a host that others wait for.

        That alone makes no room for any of them, but something else may come of it.
        """
        asked = self._problem.movable & (self._detours < self._most_detours)
        for target in dict.fromkeys(target for _, target in self._by_size()):
            rows = np.flatnonzero((self._state.place == target) & asked)
            for one in rows[np.argsort(-self._room.size[rows], kind="stable")].tolist():
                if self._send(one, target):
                    # Whoever waits comes first.
                    self._queue.append(one)
                    return True
        return False

    def _by_size(self) -> Iterator[tuple[int, int]]:
        """Yield who waits for room, the smallest first, and on which host, while there is time."""
        place = self._state.place
        waiting = [
            (i, target)
            for target, some in self._waiting.items()
            for i in some
            if place[i] != target
        ]
        waiting.sort(key=lambda one: float(self._room.size[one[0]]))
        return takewhile(lambda _: not self._over(), waiting)

    def _is_in_the_way(self, instance: int) -> bool:
        """Tell whether others wait for an instance to leave that may yet be sent elsewhere."""
        source = int(self._state.place[instance])
        return source in self._waiting and self._detours[instance] < self._most_detours

    def _clear_for(self, instance: int, target: int, host: int, asked: Bool, most: int) -> bool:
        """Send others away from a host for one that waits; tells whether anybody has left."""
        leaving = self._room.clearing(instance, host, asked, most, self._waiting)
        if leaving is None or not (leaving or host != target):
            return False
        for at, (one, to) in enumerate(leaving):
            if not self._make(one, to):
                return at > 0
            self._detours[one] += 1
            # Whoever waits comes first, then whoever stepped aside comes back.
            self._queue.append(one)
        if host != target:
            return self._pass(instance, host) or bool(leaving)
        self._waiting[target].remove(instance)
        self._queue.appendleft(instance)
        return True

    def _send(self, instance: int, but: int) -> bool:
        """Move an instance to the cheapest host that is not its destination."""
        takes = self._room.takes(instance)
        takes[but] = False
        host = self._room.cheapest(instance, takes, self._waiting)
        return host is not None and self._pass(instance, host)

    def _pass(self, instance: int, host: int) -> bool:
        """Move an instance to a host that is not its destination, and call who waited for it."""
        source = int(self._state.place[instance])
        if not self._make(instance, host):
            return False
        self._detours[instance] += 1
        self._queue.extendleft(reversed(self._waiting.pop(source, [])))
        return True

    def _make(self, instance: int, host: int) -> bool | None:
        """Make a move if it is possible now; None: there is no room, False: a rule breaks."""
        state, replay = self._state, self._replay
        if not self._room.has(instance, host):
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
        self._room.left(int(home[0]))
        self._steps.append((row, target))
        if len(self._steps) % self._stride == 0:
            self._note()
        return True

    def _keeps_all(self) -> bool:
        state, problem = self._state, self._problem
        if self._strict:
            return True
        if (state.held > self.most).any():
            return False
        return not state.broken(np.arange(problem.instances)).any()

    def _affected(self, instance: int) -> I64:
        """Return one instance of each service whose rules the move may break."""
        service = int(self._problem.service[instance])
        services = {service, *self._state.needed_by[service]}
        return np.array([self._first[s] for s in services if s in self._first], np.int64)
