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
from tachyon.graph.simulation import Session
from tachyon.graph.simulation.filters import DEFAULT, ComputeFilter
from tachyon.optimize.planners.hints import partners

#: A consumer row and the provider row that it moves to.
Step = tuple[int, int]

#: The rules whose verdict depends on where others stand: what held at the end of the plan need
#: not hold on the way. Whether a host is in service is the business of the actions around.
_CHANGING = [f for f in DEFAULT if not f.steady and not isinstance(f, ComputeFilter)]


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
        self.partners = partners(replay)
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
        if state.group(row) is not None or row in self.partners:
            # Affinity, same_host: one that has arrived lets the others follow.
            called += self.waiting.pop(target, [])
        self.queue.extendleft(reversed(called))
        return True

    def _allowed(self, row: int, target: int) -> bool:
        """Tell whether limits and the places of other consumers allow a move now."""
        view, state = self.replay.view, self.replay.state
        if self.limits:
            used = state.used_row(target)
            demand = view.consumers.demand[row].tolist()
            capacity = [limit[1] for limit in view.limits(target)]
            for column, share in self.limits.items():
                if used[column] + demand[column] > capacity[column] * share:
                    return False
        return not any(
            refused.mask[target]
            for one in _CHANGING
            if one.concerns(state, row)
            for refused in one.refusals(state, row, "compute")
        )

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
