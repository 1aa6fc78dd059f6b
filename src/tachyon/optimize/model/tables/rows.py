"""What the tables of all models have in common: bytes for masks, children by parent, amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from tachyon.graph.view.columns import I64, Bool
from tachyon.graph.view.view import View


class Children:
    """Rows of children by row of their parent, in the order of arrival.

    The first few parents are looked up one by one; then an index of all is made (15 ms for 100,000
    children).
    """

    _SINGLE = 16

    def __init__(
        self,
        view: View,
        members: Bool,
        several: Mapping[int, Sequence[int]],
        since: Mapping[int, int],
    ) -> None:
        """`members` are the consumers that count, `several` and `since` the parents of odd ones."""
        self._view = view
        self._placed = view.consumers.placed
        if since:
            self._placed = self._placed.copy()
            self._placed[list(since)] = list(since.values())
        self._several = several
        columns = view.consumers
        plain = members & (columns.home >= 0)
        if several:
            plain[list(several)] = False
        self._plain = plain
        self._asked = 0
        self._start: list[int] = []
        self._rows: list[int] = []

    def of(self, parent: int) -> Sequence[int]:
        """Return the rows of a parent's children."""
        if not self._start:
            self._asked += 1
            if self._asked <= self._SINGLE:
                return self._look_up(parent)
            self._index()
        return self._rows[self._start[parent] : self._start[parent + 1]]

    def _look_up(self, parent: int) -> list[int]:
        rows = np.flatnonzero(self._plain & (self._view.consumers.home == parent))
        odd = [row for row, parents in self._several.items() if parent in parents]
        found: list[int] = self._ordered(np.concatenate([rows, np.array(odd, np.int64)])).tolist()
        return found

    def _ordered(self, rows: I64, parents: I64 | None = None) -> I64:
        keys = (self._view.consumers.position[rows], self._placed[rows])
        ordered: I64 = rows[np.lexsort(keys if parents is None else (*keys, parents))]
        return ordered

    def _index(self) -> None:
        rows = np.flatnonzero(self._plain)
        parents = self._view.consumers.home[rows].astype(np.int64)
        odd = [(row, at) for row, several in self._several.items() for at in several]
        if odd:
            pairs = np.array(odd, np.int64)
            rows = np.concatenate([rows, pairs[:, 0]])
            parents = np.concatenate([parents, pairs[:, 1]])
        self._rows = self._ordered(rows, parents).tolist()
        counts = np.bincount(parents, minlength=self._view.provider_rows)
        self._start = np.concatenate([[0], np.cumsum(counts)]).tolist()


def member_bytes(rows: Iterable[int], size: int) -> bytes:
    """Return a byte by row, 1 for the rows given."""
    found = bytearray(size)
    for row in rows:
        found[row] = 1
    return bytes(found)


def total_held(view: View, names: Sequence[str]) -> list[int]:
    """Return by consumer row how much it holds of some classes together, wherever it does."""
    columns = [view.class_index[name] for name in names if name in view.class_index]
    held: list[int] = view.consumers.demand[:, columns].sum(axis=1).tolist()
    for row, parts in view.consumers.spread.items():
        held[row] = sum(a for _, part in parts for c, a in part if c in columns)
    return held


def json_of(text: str | None) -> Any:
    """Return a JSON column's value, an empty mapping for none."""
    return {} if text is None else msgspec.json.decode(text)
