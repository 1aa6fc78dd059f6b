"""Consumers of one type as the elements of a model, and what they stand on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic

import msgspec

from tachyon.graph.view.columns import Bool
from tachyon.graph.view.view import View
from tachyon.optimize.model.layer import E
from tachyon.optimize.model.records.oddities import KEY, Oddities
from tachyon.optimize.model.tables.providers import Providers
from tachyon.optimize.model.tables.rows import Children

_MARK = f'"{KEY}"'


class Consumers(ABC, Generic[E]):
    """The consumers of one type in a view (`layer.Source`).

    Args:
        view: whose rows count.
        parents: what they stand on.

    Attributes:
        element: the class of the elements.
        keys: by row.
    """

    element: type[E]

    def __init__(self, view: View, parents: Providers[Any]) -> None:
        self.view = view
        self.parents = parents
        self.keys = view.consumers.uuid

    @cached_property
    def members(self) -> Bool:
        """N; which consumers are elements of the model."""
        return self.of_type()

    @abstractmethod
    def of_type(self) -> Bool:
        """Return which consumers are elements of the model (N)."""

    def alive(self, kind: str) -> Bool:
        """Return which consumers of a type there are (N)."""
        columns = self.view.consumers
        found: Bool = columns.alive & (columns.type == self.view.codes.type.find(kind))
        return found

    @cached_property
    def rows(self) -> list[int]:
        """Rows in the order in which they came into the graph."""
        order = self.view.consumer_order
        found: list[int] = order[self.members[order]].tolist()
        return found

    @cached_property
    def _member(self) -> bytes:
        return self.members.tobytes()

    def row(self, key: str) -> int:
        """Return the row of a key, −1 when there is none of the type."""
        row = self.view.consumers.index.get(key, -1)
        return row if 0 <= row < self.view.consumer_rows and self._member[row] else -1

    @cached_property
    def odd(self) -> dict[int, Oddities]:
        """What consumers say that the graph's fields cannot, by row."""
        return odd_consumers(self.view)

    @abstractmethod
    def fill(self, row: int, values: dict[str, Any], stage: int) -> None:
        """Add what a row holds in a stage (`elements.element`)."""


class ConsumerEdges:
    """Which consumers stand on which providers (`relation.Edges`)."""

    def __init__(self, consumers: Consumers[Any]) -> None:
        self._consumers = consumers

    @cached_property
    def several(self) -> dict[int, list[int]]:
        """Rows of providers by row of the consumers that say themselves where they stand."""
        row = self._consumers.parents.row
        members = self._consumers.members
        return {
            at: [parent for key in odd.hosts if (parent := row(key)) >= 0]
            for at, odd in self._consumers.odd.items()
            if odd.hosts is not None and members[at]
        }

    @cached_property
    def _children(self) -> Children:
        odd = self._consumers.odd
        since = {row: odd[row].since for row in self.several}
        return Children(self._consumers.view, self._consumers.members, self.several, since)

    def parents(self, child: int) -> Sequence[int]:
        """Return the rows of what a consumer stands on."""
        several = self.several.get(child)
        if several is not None:
            return several
        home = self._consumers.view.consumers.home.item(child)
        return (home,) if home >= 0 and self.counts(home) else ()

    def counts(self, home: int) -> bool:
        """Tell whether a provider is what consumers of the model stand on."""
        return True

    def children(self, parent: int) -> Sequence[int]:
        """Return the rows of what stands on a provider, in the order of arrival."""
        return self._children.of(parent)


def odd_consumers(view: View) -> dict[int, Oddities]:
    """Return by row what consumers of models say that the graph's fields cannot."""
    found: dict[int, Oddities] | None = view.memo.get("model.odd")
    if found is None:
        found = {
            row: msgspec.convert(msgspec.json.decode(text)[KEY], Oddities)
            for row, text in enumerate(view.consumers.extra)
            if text is not None and _MARK in text
        }
        view.memo["model.odd"] = found
    return found
