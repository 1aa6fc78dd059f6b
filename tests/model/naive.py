"""Watcher's compute and storage models as dictionaries and lists, as simple as can be."""

from __future__ import annotations

import copy
from typing import Any


class NoEdge(Exception):
    pass


class NoElement(Exception):
    pass


class Naive:
    """Elements by kind and key, and the edges between them in the order in which they were made."""

    def __init__(self, *kinds: str) -> None:
        self.elements: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in kinds}
        self.edges: list[tuple[str, str]] = []

    def copy(self) -> Naive:
        return copy.deepcopy(self)

    def put(self, kind: str, key: str, values: dict[str, Any]) -> None:
        self.elements[kind][key] = values

    def drop(self, kind: str, key: str) -> None:
        if key not in self.elements[kind]:
            raise NoElement
        del self.elements[kind][key]
        self.edges = [edge for edge in self.edges if key not in edge]

    def link(self, child: str, parent: str) -> None:
        if (child, parent) not in self.edges:
            self.edges.append((child, parent))

    def unlink(self, child: str, parent: str) -> None:
        if (child, parent) not in self.edges:
            raise NoEdge
        self.edges.remove((child, parent))

    def on(self, child: str) -> list[str]:
        return [p for c, p in self.edges if c == child]

    def of(self, parent: str) -> list[str]:
        return [c for c, p in self.edges if p == parent]

    def sums(self, kind: str, parent: str, names: tuple[str, ...]) -> list[int]:
        held = [self.elements[kind][child] for child in self.of(parent)]
        return [sum(one[name] for one in held) for name in names]
