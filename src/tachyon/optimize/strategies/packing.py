"""Place consumers one after another where they leave the least room unused.

Best fit by the Euclidean norm of what is left (R. Panigrahy, K. Talwar, L. Uyeda, U. Wieder,
"Heuristics for Vector Bin Packing", 2011), over all hosts at once and recorded in the session
step by step, so that every move is checked where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session, rules
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.folding import fold
from tachyon.optimize.strategies.eligibility import Eligibility

#: A position (`Packer.mark`) that `Packer.back_to` returns to.
Mark = int


class Packer:
    """The room left on hosts while a session grows.

    Args:
        eligibility: who may go where.
        limits: by column, the share of the capacity that may be used after a move.

    Attributes:
        rows: H provider rows of the hosts that may take consumers.
        open: H; which of them are asked. The caller closes and opens hosts.
    """

    def __init__(self, eligibility: Eligibility, limits: Mapping[str, float]) -> None:
        self.eligibility = eligibility
        self.session: Session = eligibility.session
        self.limits = dict(limits)
        view = self.session.view
        folded = fold(self.session)
        self.rows: I64 = np.flatnonzero(eligibility.targets)
        self.open: Bool = np.ones(self.rows.size, np.bool_)
        #: Position of each provider row in `rows`, −1 for others.
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
        #: C × H; whole amounts, so that differences are exact.
        self.free: F64 = np.floor(allowed) - folded.used_matrix()[self.rows].T
        #: C; what amounts are divided by to compare classes: a mean host.
        mean = capacity.mean(axis=1) if self.rows.size else np.zeros(len(view.classes))
        self.norm: F64 = np.where(mean > 0, mean, 1.0)
        self._unit: list[float] = (1.0 / self.norm).tolist()
        #: Columns that have a limit at all; a metric without one is no reason to choose a host.
        self._bounded = set(np.flatnonzero(~np.isinf(share)).tolist())
        #: N × C; what moves with each consumer.
        self.demand: I64 = folded.view.consumers.demand
        self._plain = not view.tree.nested
        self._spread = view.consumers.spread
        # Units of parts are for recording to judge.
        self._unit_columns = [
            c for c in range(view.resource_columns) if self._plain and self._has_units(c)
        ]
        self._log: list[tuple[int, int]] = []

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
        for row, target in undone:
            self.free[:, self.position[target]] += self.demand[row]

    def place(self, row: int) -> int:
        """Move a consumer to the open host that it fits best; return its row, −1 for none.

        What it leaves behind on its old host is not counted as free there: the caller has closed
        a host that it empties.
        """
        for at in self._order(row):
            target = int(self.rows[at])
            move = Move(
                consumer_uuid=self.session.state.consumer_uuid(row),
                to_provider=self.session.view.providers.uuid[target],
            )
            try:
                self.session.record(move)
            except Conflict:
                # Room on the host, but not on any one of its parts.
                continue
            self.free[:, at] -= self.demand[row]
            self._log.append((row, target))
            return target
        return -1

    def _order(self, row: int) -> list[int]:
        """Return the positions of the open hosts to try, the one that fits best first.

        Only recording tells whether the parts of a consumer fit on those of a host, so several
        hosts are given for it.
        """
        fits = self.fits(row)
        fits &= self.open
        demand = self.demand[row].tolist()
        # Whole rows of a few thousand hosts cost less than picking the hosts that fit.
        waste = np.zeros(self.rows.size)
        for column, amount in enumerate(demand):
            if amount and column in self._bounded:
                left = self.free[column] - amount
                left *= self._unit[column]
                left *= left
                waste += left
        waste[~fits] = np.inf
        if not fits.any():
            return []
        if self._plain and row not in self._spread:
            return [int(np.argmin(waste))]
        found: list[int] = np.argsort(waste, kind="stable")[: np.count_nonzero(fits)].tolist()
        return found

    def fits(self, row: int) -> Bool:
        """Return the hosts that rules and the room on the whole host allow."""
        session = self.session
        demand = self.demand[row].tolist()
        eligibility = self.eligibility
        fits: Bool = eligibility.allowed(int(eligibility.kind[row]))[self.rows]
        for column, amount in enumerate(demand):
            if amount or column in self._limited:
                fits &= self.free[column] >= amount
        for column in self._unit_columns:
            fits &= self._units(column, demand[column])
        if session.view.consumers.group[row] >= 0:
            refused = rules.refused_by_group(session.state, row)
            if refused is not None:
                fits &= ~refused[1][self.rows]
        return fits

    def _units(self, column: int, amount: int) -> Bool | bool:
        if not amount:
            return True
        inv, rows = self.session.view.inventories, self.rows
        fits: Bool = (inv.min_unit[rows, column] <= amount) & (amount <= inv.max_unit[rows, column])
        fits &= amount % np.maximum(inv.step_size[rows, column], 1) == 0
        return fits
