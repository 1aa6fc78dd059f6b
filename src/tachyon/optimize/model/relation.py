"""Who stands on what: the edges from the elements of one layer to those of another.

Edges are those of the source until they are changed; a parent's children are gathered when they
are asked for. Children stand in the order in which they came to their parent: what is linked last
stands last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.layer import Layer

C = TypeVar("C", bound=Element)
P = TypeVar("P", bound=Element)


class Edges(Protocol):
    """Edges between rows of a view."""

    def parents(self, child: int) -> Sequence[int]:
        """Return the rows of what a row stands on, most often one."""

    def children(self, parent: int) -> Sequence[int]:
        """Return the rows of what stands on a row, in the order of arrival."""


class Relation(Generic[C, P]):
    """The edges from the children's layer to the parents'."""

    __slots__ = ("_lists", "_lock", "_parents", "changed", "children", "parents", "source")

    def __init__(
        self,
        source: Edges,
        children: Layer[C],
        parents: Layer[P],
        lock: threading.RLock,
    ) -> None:
        self.source = source
        self.children = children
        self.parents = parents
        self._lock: Any = lock
        #: Children by key, of every parent that somebody asked for.
        self._lists: dict[str, dict[str, C]] = {}
        #: Parents by child, where they are not those of the source.
        self._parents: dict[str, list[str]] = {}
        #: Parents whose children, or what these hold, are not what the source says.
        self.changed: set[str] = set()

    def of(self, parent: str) -> dict[str, C]:
        """Return the children of a known parent by key, in order; the relation's own."""
        found = self._lists.get(parent)
        if found is None:
            with self._lock:
                found = self._lists.get(parent)
                if found is None:
                    found = self._lists[parent] = self._gather(parent)
        return found

    def _gather(self, parent: str) -> dict[str, C]:
        row = self.parents.base_row(parent)
        return {} if row < 0 else self.children.of_rows(self.source.children(row))

    def on(self, child: str) -> Sequence[str]:
        """Return the keys of what a known child stands on, the oldest edge first."""
        known = self._parents.get(child)
        if known is not None:
            return known
        row = self.children.base_row(child)
        if row < 0:
            return ()
        keys, visible = self.parents.source.keys, self.parents.visible
        return [keys[at] for at in self.source.parents(row) if visible is None or visible[at]]

    def link(self, child: str, parent: str) -> bool:
        """Let a child stand on a parent; False when it does already."""
        with self._lock:
            mine = self.of(parent)
            if child in mine:
                return False
            element = self.children.find(child)
            assert element is not None
            self._parents[child] = [*self.on(child), parent]
            mine[child] = element
            self.changed.add(parent)
            return True

    def unlink(self, child: str, parent: str) -> bool:
        """Take a child from a parent; False when it does not stand there."""
        with self._lock:
            mine = self.of(parent)
            if child not in mine:
                return False
            self._parents[child] = [key for key in self.on(child) if key != parent]
            del mine[child]
            self.changed.add(parent)
            return True

    def drop_child(self, child: str) -> None:
        """Forget a child's edges, for it goes."""
        for parent in list(self.on(child)):
            self.unlink(child, parent)
        self._parents[child] = []

    def drop_parent(self, parent: str) -> list[str]:
        """Forget a parent's edges, for it goes; returns the children that stood there."""
        with self._lock:
            children = list(self.of(parent))
            for child in children:
                self.unlink(child, parent)
            return children

    def replace_child(self, child: str) -> None:
        """Show the element that has taken a child's place where the child stands."""
        element = self.children.find(child)
        assert element is not None
        for parent in self.on(child):
            mine = self._lists.get(parent)
            if mine is not None and child in mine:
                mine[child] = element

    def edges(self) -> Iterator[tuple[str, str]]:
        """Yield all edges as (child, parent), by child."""
        for child in list(self.children.everything()):
            for parent in self.on(child):
                yield child, parent

    def carry_over(self, other: Relation[C, P]) -> None:
        """Make `other`, fresh and on the same source, hold what this relation holds."""
        find, shown = other.children.find, other.parents.find
        with self._lock:
            other._parents = {
                child: [parent for parent in parents if shown(parent) is not None]
                for child, parents in self._parents.items()
            }
            other.changed = set(self.changed)
            for parent in self.changed:
                listed = self._lists.get(parent)
                if listed is not None:
                    other._lists[parent] = {
                        key: element for key in listed if (element := find(key)) is not None
                    }
