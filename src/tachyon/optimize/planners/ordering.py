"""Put net moves into an order in which each finds room while its source is still taken.

During a migration an instance holds its resources on both hosts. A move therefore waits until
enough others have left its destination. Moves that wait for each other in a circle are broken up
by a detour of one of them through a host with room. Where none has, there is no such order, and
the caller falls back on the order in which the strategy recorded its moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session, rules

#: A consumer row and the provider row that it moves to.
Step = tuple[int, int]


def order_moves(
    base: Session, moves: Iterable[Step], limits: Mapping[str, float], closed: set[int]
) -> list[Step] | None:
    """Return the moves in a feasible order, with detours if need be; None if none is found.

    Args:
        base: an empty session on the state before the plan; it is changed.
        moves: at most one for each consumer, in the order that is preferred.
        limits: by column, the share of a destination's capacity that may be used after a move.
        closed: provider rows that no detour may lead through.
    """
    ordering = _Ordering(base, limits, closed)
    return ordering.run(moves)


class _Ordering:
    def __init__(self, replay: Session, limits: Mapping[str, float], closed: set[int]) -> None:
        self.replay = replay
        self.limits = {replay.view.column(name): share for name, share in limits.items()}
        self.limits_by_name = dict(limits)
        self.closed = closed
        self.steps: list[Step] = []
        self.queue: deque[Step] = deque()
        #: What could not go yet, by destination.
        self.waiting: dict[int, list[Step]] = {}
        self.detoured: set[int] = set()

    def run(self, moves: Iterable[Step]) -> list[Step] | None:
        self.queue.extend(moves)
        while True:
            while self.queue:
                step = self.queue.popleft()
                if not self._go(step):
                    self.waiting.setdefault(step[1], []).append(step)
            if not self.waiting:
                return self.steps
            if not self._detour():
                return None

    def _go(self, step: Step) -> bool:
        """Make a move if it is feasible now, and call those that waited for it."""
        row, target = step
        state = self.replay.state
        source = state.home(row)
        if not self._allowed(row, target):
            return False
        uuid = self.replay.view.providers.uuid
        try:
            self.replay.record(
                Move(consumer_uuid=state.consumer_uuid(row), to_provider=uuid[target])
            )
        except Conflict:
            return False
        self.steps.append(step)
        called = self.waiting.pop(source, [])
        if state.group(row) is not None:
            # Affinity: a member that has arrived makes room for the others.
            called += self.waiting.pop(target, [])
        self.queue.extendleft(reversed(called))
        return True

    def _allowed(self, row: int, target: int) -> bool:
        """Tell whether limits and the consumer's group allow a move now."""
        view, state = self.replay.view, self.replay.state
        if self.limits:
            used = state.used_row(target)
            demand = view.consumers.demand[row].tolist()
            capacity = [limit[1] for limit in view.limits(target)]
            for column, share in self.limits.items():
                if used[column] + demand[column] > capacity[column] * share:
                    return False
        if state.group(row) is not None:
            refused = rules.refused_by_group(state, row)
            if refused is not None and refused[1][target]:
                return False
        return True

    def _detour(self) -> bool:
        """Send a waiting consumer, the smallest that others wait for, through a third host."""
        view = self.replay.view
        steps = [s for some in self.waiting.values() for s in some if s[0] not in self.detoured]
        norm = view.capacity.max(axis=0, initial=1.0)

        def size(step: Step) -> tuple[float, int]:
            return float((view.consumers.demand[step[0]] / norm).max()), step[0]

        for row, target in sorted(steps, key=size):
            if self.replay.state.home(row) not in self.waiting:
                continue
            uuid = self.replay.state.consumer_uuid(row)
            found = self.replay.destinations(uuid, self.limits_by_name).rows.tolist()
            open_hosts = [at for at in found if at != target and at not in self.closed]
            # Where nobody waits for room, the detour blocks nothing.
            for at in sorted(open_hosts, key=lambda at: at in self.waiting):
                if self._go((row, at)):
                    self.detoured.add(row)
                    return True
        return False
