"""What hosts are worth to classes of like consumers, kept up to date host by host.

Consumers are alike that hold the same amounts and may go to the same hosts: a flavor in a zone. A
placement changes one host, so the worth of that host alone is worked out anew, for all classes at
once; the best host is then a look along one row. To compare every resource class on every host for
every consumer costs several times as much, the more so the more hosts there are.
"""

from __future__ import annotations

import numpy as np

from tachyon.graph.view.columns import F64, I64, Bool

#: Most classes that are kept at a time; with more, all begin anew.
CLASSES = 256
#: Stands for an amount that fits anywhere.
_NOTHING = -float(2**62)

#: What tells a class of consumers from others.
Key = tuple[int, ...]


class Fitting:
    """A table of classes × hosts: infinity where a host cannot take a consumer of a class.

    Args:
        free: C × H; what is left on each host.
        open_: H; which hosts take anything at all. The caller changes both arrays in place, and
            calls `touch`.
        unit: C; by what amounts left are multiplied to compare columns.
        waste: whether hosts that can take a consumer are worth the squared norm of what would be
            left there (of the columns of which it holds something); else they are worth 0.
    """

    def __init__(self, free: F64, open_: Bool, unit: F64, *, waste: bool) -> None:
        self._free = free
        self._open = open_
        self._unit = unit
        self._waste = waste
        self._slots: dict[Key, int] = {}
        self._stale: list[int] = []
        columns, hosts = free.shape
        # Memory that no class has used yet is never touched, and so costs nothing.
        self._worth: F64 = np.empty((CLASSES, hosts))
        self._may: Bool = np.empty((CLASSES, hosts), np.bool_)
        self._amounts: F64 = np.empty((columns, CLASSES, 1))
        self._weight: F64 = np.empty((columns, CLASSES, 1))

    def touch(self, at: int) -> None:
        """Note that what is left on a host, or whether it is open, has changed."""
        self._stale.append(at)

    def find(self, key: Key) -> F64 | None:
        """Return what each host is worth to a class (H), None when the class is not known.

        The array is the table's own: who writes to it puts back what was there.
        """
        slot = self._slots.get(key)
        if slot is None:
            return None
        stale = self._stale
        if stale:
            # Most often one host, which a slice reaches faster than an index.
            at = slice(stale[0], stale[0] + 1) if len(stale) == 1 else np.array(stale, np.int64)
            self._work_out(slice(0, len(self._slots)), at)
            stale.clear()
        worth: F64 = self._worth[slot]
        return worth

    def add(self, key: Key, amounts: F64, asked: Bool, may: Bool) -> F64:
        """Take in a class that is not known; return what each host is worth to it, see `find`.

        Args:
            key: of the class.
            amounts: C; what each of its consumers holds.
            asked: C; the columns that must have room for it.
            may: H; the hosts that rules allow it.
        """
        if len(self._slots) == CLASSES:
            self._slots.clear()
        slot = self._slots[key] = len(self._slots)
        self._may[slot] = may
        self._amounts[:, slot, 0] = np.where(asked, amounts, _NOTHING)
        self._weight[:, slot, 0] = np.where(amounts != 0, self._unit, 0.0)
        self._work_out(slice(slot, slot + 1), slice(None))
        worth: F64 = self._worth[slot]
        return worth

    def _work_out(self, slots: slice, at: slice | I64) -> None:
        left = self._free[:, at][:, None, :] - self._amounts[:, slots]
        fits = left.min(axis=0) >= 0
        fits &= self._may[slots, at]
        fits &= self._open[at]
        worth = np.zeros(fits.shape)
        if self._waste:
            left *= self._weight[:, slots]
            left *= left
            left.sum(axis=0, out=worth)
        worth[~fits] = np.inf
        self._worth[slots, at] = worth
