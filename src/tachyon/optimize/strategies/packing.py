"""Place consumers one after another, each on the best of all hosts that have room for it.

Best is what the caller prefers, or where the least room is left unused: best fit by the Euclidean
norm of the rest (R. Panigrahy, K. Talwar, L. Uyeda, U. Wieder, "Heuristics for Vector Bin
Packing", 2011). Hosts are judged all at once, and each move is recorded in the session, so that it
is checked where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.folding import fold
from tachyon.optimize.strategies.eligibility import Eligibility

#: A position (`Packer.mark`) that `Packer.back_to` returns to.
Mark = int


class Load(Struct, frozen=True, kw_only=True):
    """Something measured that has to find room beside the resource classes.

    Attributes:
        demand: N; what each consumer takes.
        room: P; how much more each host can take; negative on overloaded ones.
        capacity: P; what each host has in all.
    """

    demand: F64
    room: F64
    capacity: F64


class Packer:
    """The room left on hosts while a session grows.

    Args:
        eligibility: who may go where.
        limits: by column, the share of the capacity that may be used after a move.
        loads: what has to find room as well.
        hosts: P; the hosts in question (None: those that may take consumers now).
        vacate: whether a move gives the room on the old host back. A strategy that empties hosts
            and closes them has no use for it.

    Attributes:
        rows: H provider rows of the hosts that may take consumers.
        position: P; the position of each provider row in `rows`, −1 for others.
        open: H; which of them are asked. The caller closes and opens hosts.
        free: C + K × H; what is left of each column and of each load.
        demand: N × (C + K); what moves with each consumer.
    """

    def __init__(
        self,
        eligibility: Eligibility,
        limits: Mapping[str, float],
        loads: Sequence[Load] = (),
        hosts: Bool | None = None,
        *,
        vacate: bool = False,
    ) -> None:
        self.eligibility = eligibility
        self.session: Session = eligibility.session
        self.limits = dict(limits)
        view = self.session.view
        folded = fold(self.session)
        self.rows: I64 = np.flatnonzero(eligibility.targets if hosts is None else hosts)
        self.open: Bool = np.ones(self.rows.size, np.bool_)
        self.position: I64 = np.full(view.provider_rows, -1, np.int64)
        self.position[self.rows] = np.arange(self.rows.size)
        capacity = folded.view.capacity[self.rows].T
        share = np.full(len(view.classes), np.inf)
        share[: view.resource_columns] = 1.0
        for name, limit in limits.items():
            column = view.column(name)
            share[column] = min(limit, share[column])
        self._limited = [view.column(name) for name in limits]
        with np.errstate(invalid="ignore"):
            allowed = np.where(np.isinf(share)[:, None], np.inf, capacity * share[:, None])
        # Amounts of columns are whole, so that differences are exact.
        self.free: F64 = np.vstack(
            [
                np.floor(allowed) - folded.used_matrix()[self.rows].T,
                *(load.room[self.rows][None, :] for load in loads),
            ]
        )
        self._limited += range(len(view.classes), len(view.classes) + len(loads))
        #: C + K; what amounts are divided by to compare classes and loads: a mean host.
        most = np.vstack([capacity, *(load.capacity[self.rows] for load in loads)])
        mean = most.mean(axis=1) if self.rows.size else np.zeros(len(most))
        self.norm: F64 = np.where(mean > 0, mean, 1.0)
        self._unit: list[float] = (1.0 / self.norm).tolist()
        #: Columns that have a limit at all; a metric without one is no reason to choose a host.
        self._bounded = set(np.flatnonzero(~np.isinf(share)).tolist())
        self._bounded |= set(range(len(view.classes), len(most)))
        self.demand: I64 | F64 = folded.view.consumers.demand
        if loads:
            self.demand = np.column_stack([self.demand, *(load.demand for load in loads)])
        self._vacate = vacate
        # Pools have parents, too; what counts is whether any of these hosts has parts.
        self._plain = not any(map(view.tree.has_children, self.rows.tolist()))
        self._spread = view.consumers.spread
        # Units of parts are for recording to judge.
        self._unit_columns = [
            c for c in range(view.resource_columns) if self._plain and self._has_units(c)
        ]
        self._log: list[tuple[int, int, int]] = []
        self._allowed: dict[int, Bool] = {}

    def admit(self, row: int) -> None:
        """Open a host that was out of service when the work began; the plan enables it."""
        self.eligibility.open(row)
        self._allowed.clear()
        self.open[self.position[row]] = True

    def shut(self, row: int) -> None:
        """Take `admit` back."""
        self.eligibility.shut(row)
        self._allowed.clear()
        self.open[self.position[row]] = False

    def _has_units(self, column: int) -> bool:
        """Tell whether unit rules of a class can refuse what any consumer holds of it."""
        inv = self.session.view.inventories
        rows = self.rows[inv.has[self.rows, column]]
        if not rows.size:
            return False
        amounts = self.demand[:, column]
        held = amounts[amounts > 0]
        return bool(
            held.size
            and (
                inv.min_unit[rows, column].max() > held.min()
                or inv.max_unit[rows, column].min() < held.max()
                or inv.step_size[rows, column].max() > 1
            )
        )

    def mark(self) -> Mark:
        """Return the present position."""
        return len(self._log)

    def back_to(self, mark: Mark) -> None:
        """Take back every placement since a position, in the session as well."""
        undone = self._log[mark:]
        del self._log[mark:]
        for delta in self.session.undo(len(undone)):
            assert isinstance(delta, Move)
        for row, source, target in reversed(undone):
            self.free[:, self.position[target]] += self.demand[row]
            if self._vacate and self.position[source] >= 0:
                self.free[:, self.position[source]] -= self.demand[row]

    def place(self, row: int, rank: F64 | None = None) -> int:
        """Move a consumer to the best open host that it fits on; return its row, −1 for none.

        Hosts that a soft policy of its server group dislikes come after all others.

        Args:
            row: of the consumer.
            rank: H; the lowest is tried first, infinity never. None: best fit.
        """
        for at in self._order(row, rank):
            target = int(self.rows[at])
            if self.move(row, target):
                return target
        return -1

    def move(self, row: int, target: int) -> bool:
        """Move a consumer to a host of `rows`; False when it does not fit on the host's parts."""
        state = self.session.state
        source = state.home(row)
        move = Move(
            consumer_uuid=state.consumer_uuid(row),
            to_provider=self.session.view.providers.uuid[target],
        )
        try:
            self.session.record(move)
        except Conflict:
            return False
        self.free[:, self.position[target]] -= self.demand[row]
        if self._vacate and self.position[source] >= 0:
            self.free[:, self.position[source]] += self.demand[row]
        self._log.append((row, source, target))
        return True

    def _order(self, row: int, rank: F64 | None) -> list[int]:
        """Return the positions of the open hosts to try, the best one first.

        Only recording tells whether the parts of a consumer fit on those of a host, so several
        hosts are given for it.
        """
        fits = self.fits(row)
        fits &= self.open
        home = self.position[self.session.state.home(row)]
        if home >= 0:
            fits[home] = False
        if rank is not None:
            fits &= rank < np.inf
        if not fits.any():
            return []
        waste = self._waste(row) if rank is None else rank.copy()
        disliked = self.eligibility.disliked_now(row)
        if disliked is not None:
            pleasant = fits & ~disliked[self.rows]
            if pleasant.any():
                fits = pleasant
        waste[~fits] = np.inf
        if self._plain and row not in self._spread:
            return [int(np.argmin(waste))]
        found: list[int] = np.argsort(waste, kind="stable")[: np.count_nonzero(fits)].tolist()
        return found

    def _waste(self, row: int) -> F64:
        """Return by position the squared norm of the room that would be left."""
        demand = self.demand[row].tolist()
        # Whole rows of a few thousand hosts cost less than picking the hosts that fit.
        waste = np.zeros(self.rows.size)
        for column, amount in enumerate(demand):
            if amount and column in self._bounded:
                left = self.free[column] - amount
                left *= self._unit[column]
                left *= left
                waste += left
        return waste

    def fits(self, row: int) -> Bool:
        """Return the hosts that rules and the room on the whole host allow."""
        demand = self.demand[row].tolist()
        kind = int(self.eligibility.kind[row])
        allowed = self._allowed.get(kind)
        if allowed is None:
            allowed = self._allowed[kind] = self.eligibility.allowed(kind)[self.rows]
        fits = allowed.copy()
        for column, amount in enumerate(demand):
            if amount or column in self._limited:
                fits &= self.free[column] >= amount
        for column in self._unit_columns:
            fits &= self._units(column, demand[column])
        refused = self.eligibility.refused_now(row)
        if refused is not None:
            fits &= ~refused[self.rows]
        return fits

    def _units(self, column: int, amount: int) -> Bool | bool:
        if not amount:
            return True
        inv, rows = self.session.view.inventories, self.rows
        fits: Bool = (inv.min_unit[rows, column] <= amount) & (amount <= inv.max_unit[rows, column])
        fits &= amount % np.maximum(inv.step_size[rows, column], 1) == 0
        return fits
