"""Which moves a move has to wait for, whatever else happens first.

A sequence of moves that is feasible is turned into dependencies: room is handed on like tokens.
What is free on a provider at the start may be claimed by anybody; what a departure leaves may be
claimed once, by one arrival, which then waits for that departure. Arrivals that run, or have run,
therefore never hold more than was free and has been left: every set of moves that is closed under
the dependencies is feasible, with each running move counted on both of its hosts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from tachyon.graph.simulation import Session
from tachyon.graph.view.placement import Parts
from tachyon.optimize.planners.hints import partners

#: Something of which there is a limited amount, e.g. (provider row, column).
Key = tuple[Any, ...]


class Step(Struct, frozen=True):
    """A move or resize of a consumer in a feasible sequence, and what it changes.

    Attributes:
        row: of the consumer; `source`, `target`: provider rows of its hosts.
        arrives: what it holds in addition while it runs; `leaves`: what it gives back at its end.
        allocations: all that the consumer holds afterwards.
        flavor: the new flavor of a resize.
    """

    row: int
    source: int
    target: int
    arrives: Parts
    leaves: Parts
    allocations: Parts
    flavor: str | None = None


class _Pool:
    """How much is free, and who left what has not been claimed yet."""

    __slots__ = ("free", "payers", "supply")

    def __init__(self, free: int) -> None:
        self.free = free
        self.supply: deque[list[int]] = deque()
        #: Those whose departure makes up for more being used than there is.
        self.payers: list[int] = []

    def take(self, amount: int) -> set[int] | None:
        """Claim an amount; returns whom to wait for, None when there is too little."""
        waits = set(self.payers)
        if self.free < 0 or amount < 0:
            return None
        from_free = min(self.free, amount)
        self.free -= from_free
        amount -= from_free
        while amount:
            if not self.supply:
                return None
            head = self.supply[0]
            taken = min(head[0], amount)
            amount -= taken
            head[0] -= taken
            waits.add(head[1])
            if not head[0]:
                self.supply.popleft()
        return waits

    def give(self, amount: int, step: int) -> None:
        """Hand back what a step leaves."""
        if self.free < 0:
            paid = min(-self.free, amount)
            self.free += paid
            amount -= paid
            self.payers.append(step)
        if amount:
            self.supply.append([amount, step])


def dependencies(
    base: Session, steps: Iterable[Step], limits: Mapping[str, float]
) -> list[set[int]] | None:
    """Return for each step the earlier steps that it waits for; None when none would do.

    Args:
        base: an empty session on the state before the plan; it is only read.
        steps: a sequence each of whose prefixes is feasible.
        limits: by column, the share of a destination's capacity that may be used after a move.
    """
    claims = _Claims(base, limits)
    waits: list[set[int]] = []
    for number, step in enumerate(steps):
        found = claims.arrive(number, step)
        if found is None:
            return None
        waits.append(found)
        claims.leave(number, step)
    return waits


class _Claims:
    def __init__(self, base: Session, limits: Mapping[str, float]) -> None:
        self.view = base.view
        self.base = base
        self.limits = {base.view.column(name): share for name, share in limits.items()}
        self.partners = partners(base)
        self.pools: dict[Key, _Pool] = {}
        self.last_of: dict[int, int] = {}
        self.last_in_group: dict[str, int] = {}

    def arrive(self, number: int, step: Step) -> set[int] | None:
        waits: set[int] = set()
        for pool, amount in self._wanted(step):
            found = pool.take(amount)
            if found is None:
                return None
            waits |= found
        earlier = self.last_of.get(step.row)
        if earlier is not None:
            waits.add(earlier)
        self.last_of[step.row] = number
        # Where one may go depends on where those are that its scheduler hints name.
        waits.update(
            self.last_of[other]
            for other in self.partners.get(step.row, ())
            if other in self.last_of
        )
        group = self._group(step.row)
        if group is not None and group.policy == "affinity":
            # Where a member may go depends on where the others are: the order is kept.
            if group.uuid in self.last_in_group:
                waits.add(self.last_in_group[group.uuid])
            self.last_in_group[group.uuid] = number
        return waits

    def leave(self, number: int, step: Step) -> None:
        for at, held in step.leaves:
            for column, amount in held:
                self._room(at, column).give(amount, number)
        if step.source == step.target:
            return
        for column in self.limits:
            self._limit(step.source, column).give(self._measured(step.row, column), number)
        group = self._group(step.row)
        if group is not None and group.policy == "anti-affinity":
            self._seats(group, step.source).give(1, number)

    def _wanted(self, step: Step) -> list[tuple[_Pool, int]]:
        wanted = [
            (self._room(at, column), amount) for at, held in step.arrives for column, amount in held
        ]
        if step.source != step.target:
            wanted += [
                (self._limit(step.target, column), self._measured(step.row, column))
                for column in self.limits
            ]
            group = self._group(step.row)
            if group is not None and group.policy == "anti-affinity":
                wanted.append((self._seats(group, step.target), 1))
        return wanted

    def _room(self, at: int, column: int) -> _Pool:
        key = (at, column)
        if key not in self.pools:
            free = self.view.limits(at)[column][1] - self.base.state.used_row(at)[column]
            self.pools[key] = _Pool(int(free // 1))
        return self.pools[key]

    def _limit(self, at: int, column: int) -> _Pool:
        key = ("limit", at, column)
        if key not in self.pools:
            allowed = self.view.limits(at)[column][1] * self.limits[column]
            used = self.base.state.used_row(at)[column]
            self.pools[key] = _Pool(int((allowed - used) // 1))
        return self.pools[key]

    def _measured(self, row: int, column: int) -> int:
        return int(self.view.consumers.demand[row, column])

    def _group(self, row: int) -> Any:
        return self.view.server_group(self.base.state.group(row))

    def _seats(self, group: Any, at: int) -> _Pool:
        key = ("group", group.uuid, at)
        if key not in self.pools:
            code = self.view.codes.group.find(group.uuid)
            consumers = self.view.consumers
            mine = (consumers.group == code) & consumers.alive & (consumers.home == at)
            most = group.rules.get("max_server_per_host", 1)
            self.pools[key] = _Pool(most - int(mine.sum()))
        return self.pools[key]
