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
from tachyon.optimize.strategies.fitting import Fitting, Key

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
        open: H; which of them are asked; see `open_only` and `set_open`.
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
        self._most = np.floor(allowed[: view.resource_columns])
        #: C + K; what amounts are divided by to compare classes and loads: a mean host.
        most = np.vstack([capacity, *(load.capacity[self.rows] for load in loads)])
        mean = most.mean(axis=1) if self.rows.size else np.zeros(len(most))
        self.norm: F64 = np.where(mean > 0, mean, 1.0)
        self._unit: F64 = 1.0 / self.norm
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
        #: Columns of which like consumers hold the same: those of resource classes.
        self._steady = view.resource_columns
        #: By whether hosts are compared by what would be left on them.
        self._tables: dict[bool, Fitting] = {}
        self._full: F64 | None = None
        #: Positions whose fullness is not that of `_full` any more.
        self._changed: list[int] = []

    def fullness(self) -> F64:
        """Return the share of each host (H) that is taken, of the class of which most is taken.

        As a rank for `place` it spreads consumers evenly over the hosts. It is the packer's own
        array, and follows what is placed.
        """
        if self._full is None:
            self._full = self._fullness(slice(None))
        elif self._changed:
            at = np.array(self._changed, np.int64)
            self._full[at] = self._fullness(at)
        self._changed.clear()
        return self._full

    def _fullness(self, at: slice | I64) -> F64:
        most = self._most[:, at]
        with np.errstate(divide="ignore", invalid="ignore"):
            left = self.free[: len(most), at] / most
        full: F64 = 1.0 - np.where(most > 0, left, 1.0).min(axis=0, initial=1.0)
        return full

    def admit(self, row: int) -> None:
        """Open a host that was out of service when the work began; the plan enables it."""
        self.eligibility.open(row)
        self.set_open(row, wanted=True)
        # Which hosts rules allow has changed for every class.
        self._tables.clear()

    def shut(self, row: int) -> None:
        """Take `admit` back."""
        self.eligibility.shut(row)
        self.set_open(row, wanted=False)
        self._tables.clear()

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
            self._shift(row, source, target, -1)

    def place(self, row: int, rank: F64 | None = None) -> int:
        """Move a consumer to the best open host that it fits on; return its row, −1 for none.

        Hosts that a soft policy of its server group dislikes come after all others.

        Args:
            row: of the consumer.
            rank: H, not NaN; the lowest is tried first, infinity never. None: best fit.
        """
        if self._plain and row not in self._spread:
            at = self._choose(row, rank)
            target = -1 if at < 0 else self.rows.item(at)
            return target if target >= 0 and self.move(row, target) else -1
        # Only recording tells whether the parts of a consumer fit on those of a host.
        worth = self._worth(row, rank).copy()
        while (at := self._best(row, worth)) >= 0:
            target = self.rows.item(at)
            if self.move(row, target):
                return target
            worth[at] = np.inf
        return -1

    def best(self, row: int, rank: F64 | None = None) -> int:
        """Return the row of the host that `place` tries first, −1 for none."""
        at = self._choose(row, rank)
        return -1 if at < 0 else self.rows.item(at)

    def place_all(self, rows: Sequence[int], rank: F64 | None = None) -> list[int]:
        """Place consumers one after another, all of them or none; return their hosts' rows.

        Empty when one of them found no place.

        Args:
            rows: of different consumers.
            rank: see `place`.
        """
        quiet, simple = self.eligibility.quiet, self.session.state.simple_home
        if not self._plain or any(simple(row) < 0 for row in rows):
            return self._place_each(rows, rank)
        # Room on whole hosts decides, and it is known: nothing is recorded before a rule looks at
        # the session, and most often nothing has to be taken back there.
        mark, pending, targets = self.mark(), list[tuple[int, int, int]](), list[int]()
        for row in rows:
            if not quiet[row]:
                self._record(pending)
            at = self._choose(row, rank)
            if at < 0:
                for undone in reversed(pending):
                    self._shift(*undone, -1)
                self.back_to(mark)
                return []
            targets.append(self.rows.item(at))
            pending.append((row, simple(row), targets[-1]))
            self._shift(*pending[-1])
        self._record(pending)
        return targets

    def _record(self, pending: list[tuple[int, int, int]]) -> None:
        """Record moves that are accounted for, and forget that they are pending."""
        self.session.record_moves([row for row, _, _ in pending], [to for _, _, to in pending])
        self._log += pending
        pending.clear()

    def _place_each(self, rows: Sequence[int], rank: F64 | None) -> list[int]:
        mark = self.mark()
        targets = []
        for row in rows:
            target = self.place(row, rank)
            if target < 0:
                self.back_to(mark)
                return []
            targets.append(target)
        return targets

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
        self._shift(row, source, target)
        self._log.append((row, source, target))
        return True

    def _shift(self, row: int, source: int, target: int, sign: int = 1) -> None:
        """Account for a move (1), or for one that is taken back (−1)."""
        demand = self.demand[row]
        hosts = ((target, -sign), (source, sign)) if self._vacate else ((target, -sign),)
        for host, direction in hosts:
            at = self.position.item(host)
            if at >= 0:
                if direction > 0:
                    self.free[:, at] += demand
                else:
                    self.free[:, at] -= demand
                self._touch(at)

    def _touch(self, at: int) -> None:
        if self._full is not None:
            self._changed.append(at)
        for table in self._tables.values():
            table.touch(at)

    def _choose(self, row: int, rank: F64 | None) -> int:
        """Return the position of the host to try first, −1 for none; see `place`."""
        if rank is not None and self.eligibility.quiet[row]:
            # What is measured seldom rules out the host that rank and classes would have.
            at = self._best(row, rank + self._by_class(row, waste=False))
            if at < 0 or self._bears(row, at):
                return at
        return self._best(row, self._worth(row, rank))

    def _bears(self, row: int, at: int) -> bool:
        """Tell whether a host has room for all of a consumer that no resource class counts."""
        columns = range(self._steady, len(self.demand[row]))
        amounts: list[float] = self.demand[row].tolist()
        return all(
            self.free[column, at] >= amounts[column]
            for column in columns
            if amounts[column] or column in self._limited
        )

    def _best(self, row: int, worth: F64) -> int:
        """Return the position of the host with the least worth but the consumer's own; −1: none."""
        if not worth.size:
            return -1
        home = self.position.item(self.session.state.home(row))
        own = np.inf if home < 0 else worth[home]
        if own < np.inf:
            worth[home] = np.inf
        at = int(worth.argmin())
        found = at if worth[at] < np.inf else -1
        if own < np.inf:
            worth[home] = own
        return found

    def _worth(self, row: int, rank: F64 | None) -> F64:
        """Return what each host is worth to a consumer (H), the less the better, infinity: none.

        The array may be a table's own, see `Fitting.find`.
        """
        worth = self._fitting(row, waste=rank is None)
        if rank is not None:
            worth = rank + worth
        if self.eligibility.quiet[row]:
            return worth
        refused = self.eligibility.refused_now(row)
        if refused is not None:
            worth = np.where(refused[self.rows], np.inf, worth)
        disliked = self.eligibility.disliked_now(row)
        if disliked is not None:
            pleasant = np.where(disliked[self.rows], np.inf, worth)
            if self._best(row, pleasant) >= 0:
                return pleasant
        return worth

    def _by_class(self, row: int, *, waste: bool) -> F64:
        """Return what hosts are worth by steady rules and resource classes; see `Fitting.find`."""
        table = self._tables.get(waste)
        if table is None:
            width = self._steady
            table = self._tables[waste] = Fitting(
                self.free[:width], self.open, self._unit[:width], waste=waste
            )
        demand = self.demand[row].tolist()
        kind = self.eligibility.kind.item(row)
        key = (kind, *demand[: self._steady])
        worth = table.find(key)
        return self._new_class(table, key, demand) if worth is None else worth

    def _fitting(self, row: int, *, waste: bool) -> F64:
        """Return what hosts are worth by steady rules and the room that there is; see `_worth`."""
        worth = self._by_class(row, waste=waste)
        demand = self.demand[row].tolist()
        fits: Bool | None = None
        for column in range(self._steady, len(demand)):
            amount, free = demand[column], self.free[column]
            if amount or column in self._limited:
                fits = free >= amount if fits is None else fits & (free >= amount)
                if waste and amount and column in self._bounded:
                    left = free - amount
                    left *= self._unit[column]
                    left *= left
                    worth = worth + left
        return worth if fits is None else np.where(fits, worth, np.inf)

    def _new_class(self, table: Fitting, key: Key, demand: list[float]) -> F64:
        amounts = np.array(demand[: self._steady])
        asked = amounts != 0
        asked[[column for column in self._limited if column < self._steady]] = True
        may = self.eligibility.allowed(key[0])[self.rows]
        for column in self._unit_columns:
            may &= self._units(column, int(demand[column]))
        return table.add(key, amounts, asked, may)

    def fits(self, row: int) -> Bool:
        """Return the open hosts (H) that rules and the room on the whole host allow."""
        fits = self._fitting(row, waste=False) < np.inf
        refused = self.eligibility.refused_now(row)
        if refused is not None:
            fits &= ~refused[self.rows]
        return fits

    def open_only(self, hosts: Bool) -> None:
        """Ask only some hosts (P)."""
        self.open[:] = hosts[self.rows]
        self._tables.clear()

    def set_open(self, host: int, *, wanted: bool) -> bool:
        """Open or close a host of any row; return whether it was open."""
        at = self.position.item(host)
        if at < 0:
            return False
        was = bool(self.open[at])
        self.open[at] = wanted
        self._touch(at)
        return was

    def _units(self, column: int, amount: int) -> Bool | bool:
        if not amount:
            return True
        inv, rows = self.session.view.inventories, self.rows
        fits: Bool = (inv.min_unit[rows, column] <= amount) & (amount <= inv.max_unit[rows, column])
        fits &= amount % np.maximum(inv.step_size[rows, column], 1) == 0
        return fits
