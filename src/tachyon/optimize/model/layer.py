"""The elements of one kind in a model, made when they are asked for.

A layer stands on a source (the rows of a view) and holds what differs from it: elements added,
removed and written. Elements of rows that nobody asked for do not exist. The order is that of a
dictionary: rows as they came into the graph, then what was added; what is added under a known key
takes its place.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tachyon.optimize.model.elements.element import Element

E = TypeVar("E", bound=Element)
E_co = TypeVar("E_co", bound=Element, covariant=True)


class Source(Protocol[E_co]):
    """The rows of one kind of element in a view."""

    @property
    def element(self) -> type[E_co]:
        """The class of the elements."""

    @property
    def rows(self) -> Sequence[int]:
        """All rows of the kind, in the order in which they came into the graph."""

    @property
    def keys(self) -> Sequence[str]:
        """Keys by row."""

    def row(self, key: str) -> int:
        """Return the row of a key, −1 when the view has none of this kind."""

    def fill(self, row: int, values: dict[str, Any], stage: int) -> None:
        """Add what a row holds in a stage (`elements.element`)."""


class Writes(Protocol):
    """What is told of writes to elements."""

    def __call__(self, element: Element, name: str, before: Any) -> None:
        """Note that a field was written."""


class Layer(Generic[E]):
    """The elements of one kind.

    Args:
        source: the rows it stands on.
        lock: held while elements are made, so that there is one of each.
        writes: told of every write to an element.
        visible: a byte by row, 0 for rows that do not exist for this model; None: all do.
        excluded: a byte by row, 1 for elements whose `watcher_exclude` is set by a scope.
        overrides: by key, what a session's deltas made of fields.
    """

    __slots__ = (
        "_added",
        "_all",
        "_gone",
        "_live",
        "_lock",
        "_writes",
        "excluded",
        "overrides",
        "source",
        "visible",
        "written",
    )

    def __init__(
        self,
        source: Source[E],
        lock: threading.RLock,
        writes: Writes,
        *,
        visible: bytes | None = None,
        excluded: bytes | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.source = source
        self.visible = visible
        self.excluded = excluded
        self.overrides = overrides or {}
        self._lock: Any = lock
        self._writes = writes
        self._live: dict[str, E] = {}
        self._all: dict[str, E] | None = None
        #: Keys that stand behind those of the source, in order.
        self._added: dict[str, E] = {}
        #: Keys of the source that were removed.
        self._gone: set[str] = set()
        #: Keys of elements that are not what the source says.
        self.written: set[str] = set()

    @property
    def altered(self) -> bool:
        """Whether the layer holds anything that its source does not say."""
        return bool(self.written or self._added or self._gone)

    def base_row(self, key: str) -> int:
        """Return the row of a key that the source shows to this model, −1 for none."""
        row = self.source.row(key)
        return row if row >= 0 and (self.visible is None or self.visible[row]) else -1

    def find(self, key: str) -> E | None:
        """Return the element of a key."""
        found = self._live.get(key)
        if found is not None:
            return found
        if key in self._gone:
            return None
        row = self.base_row(key)
        return None if row < 0 else self.of_row(row, key)

    def of_row(self, row: int, key: str) -> E:
        """Return the element of a row that is known to exist for this model."""
        with self._lock:
            found = self._live.get(key)
            if found is None:
                found = self._live[key] = self.source.element.live(self, row, key)
            return found

    def of_rows(self, rows: Iterable[int]) -> dict[str, E]:
        """Return the elements of rows by key, of those that exist for this model."""
        keys, visible, live = self.source.keys, self.visible, self._live
        make = self.source.element.live
        found: dict[str, E] = {}
        with self._lock:
            for row in rows:
                if visible is None or visible[row]:
                    key = keys[row]
                    element = live.get(key)
                    if element is None:
                        element = live[key] = make(self, row, key)
                    found[key] = element
        return found

    def everything(self) -> dict[str, E]:
        """Return all elements by key, in order; the layer's own dictionary."""
        if self._all is None:
            with self._lock:
                self._all = self._gather()
        return self._all

    def _gather(self) -> dict[str, E]:
        keys, gone = self.source.keys, self._gone
        rows: Iterable[int] = self.source.rows
        if gone:
            rows = (row for row in rows if keys[row] not in gone)
        return {**self.of_rows(rows), **self._added}

    def put(self, key: str, element: E) -> None:
        """Add an element, or put it in the place of the one known under its key."""
        with self._lock:
            # Not `find`: a key that was removed comes back behind all others.
            before = self._live.get(key)
            known = before is not None or (key not in self._gone and self.base_row(key) >= 0)
            if before is not None and before is not element:
                before.detach()
            element.attach(self)
            self._live[key] = element
            if not known or key in self._added:
                self._added[key] = element
            self.written.add(key)
            if self._all is not None:
                self._all[key] = element

    def drop(self, key: str) -> None:
        """Remove the element of a key that is known."""
        with self._lock:
            element = self._live.pop(key, None)
            if element is not None:
                element.detach()
            self._added.pop(key, None)
            if self.base_row(key) >= 0:
                self._gone.add(key)
            self.written.discard(key)
            if self._all is not None:
                self._all.pop(key, None)

    def fill(self, element: Element, values: dict[str, Any], stage: int) -> None:
        """Fill a live element (`Keeper`)."""
        row = element._row
        self.source.fill(row, values, stage)
        if self.excluded is not None and self.excluded[row]:
            values["watcher_exclude"] = True
        if self.overrides:
            values.update(self.overrides.get(values[element.key_field], ()))

    def note(self, element: Element, name: str, before: Any) -> None:
        """Note a write to an element (`Keeper`)."""
        key = element.__dict__.get(element.key_field)
        if key is not None and self._live.get(key) is element:
            self.written.add(key)
        self._writes(element, name, before)

    def carry_over(self, other: Layer[E]) -> None:
        """Make `other`, fresh and on the same source, hold what this layer holds.

        Rows that `other` does not show stay hidden.
        """
        with self._lock:
            other.overrides = dict(self.overrides)
            other._gone = set(self._gone)
            other.written = {
                key
                for key in self.written | self._added.keys()
                if key in self._added or other.base_row(key) >= 0
            }
            for key in other.written:
                element = self._live[key].copy()
                element.attach(other)
                other._live[key] = element
            other._added = {key: other._live[key] for key in self._added}

    def adopt(self, older: Layer[E]) -> None:
        """Take over the live elements of a layer on an older view; they read from this one now."""
        with self._lock:
            for key, element in older._live.items():
                row = self.base_row(key)
                if row < 0:
                    element.detach()
                else:
                    element.reopen(self, row)
                    self._live[key] = element

    def is_gone(self, key: str) -> bool:
        """Tell whether a key of the source was removed, though it may have been added again."""
        return key in self._gone
