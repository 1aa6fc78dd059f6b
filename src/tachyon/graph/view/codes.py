"""Dictionary coding: strings of a column stand in one shared, append-only table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

#: Code of a value that is not there.
NONE = -1


class Codes:
    """An append-only table of strings; a value keeps its code for ever.

    Views of successive generations share one table: a later view may add values, which an
    earlier one never refers to.
    """

    __slots__ = ("_index", "values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: list[str] = []
        self._index: dict[str, int] = {}
        for value in values:
            self.code(value)

    def code(self, value: str | None) -> int:
        """Return the code of a value, adding it when it is new; `NONE` for None."""
        if value is None:
            return NONE
        code = self._index.get(value)
        if code is None:
            code = len(self.values)
            self.values.append(value)
            self._index[value] = code
        return code

    def find(self, value: str | None) -> int:
        """Return the code of a value, `NONE` when no row ever had it."""
        return NONE if value is None else self._index.get(value, NONE)

    def value(self, code: int) -> str | None:
        """Return the string behind a code."""
        return None if code == NONE else self.values[code]

    def encode(self, values: Sequence[str | None]) -> NDArray[np.int32]:
        """Code a whole column; the work per distinct value is done once."""
        for value in dict.fromkeys(values):
            self.code(value)
        table: dict[str | None, int] = {None: NONE}
        table.update(self._index)
        return np.fromiter(map(table.__getitem__, values), np.int32, len(values))
