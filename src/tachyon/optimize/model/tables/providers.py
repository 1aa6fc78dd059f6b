"""Providers of one type as the elements of a model, read from their records."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic

from tachyon.graph.entities import ResourceProvider
from tachyon.graph.view.view import View
from tachyon.optimize.model.elements.element import COMMON
from tachyon.optimize.model.layer import E
from tachyon.optimize.model.tables.rows import member_bytes


class Providers(Generic[E]):
    """The providers of one type (`layer.Source`), each read by a function from its record."""

    def __init__(
        self,
        view: View,
        element: type[E],
        kind: str,
        read: Callable[[ResourceProvider], dict[str, Any]],
    ) -> None:
        self.view = view
        self.element = element
        self.keys = view.providers.uuid
        self._kind = kind
        self._read = read

    @cached_property
    def rows(self) -> list[int]:
        """Rows in the order in which they came into the graph."""
        types = self.view.tree.types
        return [row for row in self.view.provider_order.tolist() if types[row] == self._kind]

    @cached_property
    def _member(self) -> bytes:
        return member_bytes(self.rows, self.view.provider_rows)

    def row(self, key: str) -> int:
        """Return the row of a key, −1 when there is none of the type."""
        row = self.view.providers.index.get(key, -1)
        return row if 0 <= row < self.view.provider_rows and self._member[row] else -1

    def fill(self, row: int, values: dict[str, Any], stage: int) -> None:
        """Add what a provider says; all at once."""
        if stage == COMMON:
            values.update(self._read(self.view.provider_at(row)))
