"""Where a consumer stands: the row form of its allocations, and the provider trees behind it.

A *home* is the provider that people mean by "the host": of the providers that a consumer holds
something on, their nearest ancestors (or selves) of a host type. Most consumers hold all they
hold on their home; those that hold parts on children (NUMA, PCI) or on sharing providers are
*spread* and carry their parts explicitly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tachyon.graph.entities import HOST_TYPES, ResourceProvider

#: What is held on one provider: (provider row, ((class column, amount), …)), columns ascending.
Part = tuple[int, tuple[tuple[int, int], ...]]
#: All that a consumer holds, provider rows ascending; empty when it holds nothing.
Parts = tuple[Part, ...]

_RANK = {"compute": 0, "baremetal": 0, "pool": 1}
_NO_HOST = 2


class Tree:
    """The provider trees of one generation, as arrays by provider row.

    `parent` is −1 for roots and rows that are gone. Built once per change of structure and shared
    by all views in between. Where an order must be chosen it is that of uuids: row numbers differ
    between processes, and all must give the same answers.
    """

    def __init__(self, providers: Sequence[ResourceProvider | None], index: dict[str, int]) -> None:
        size = len(providers)
        self.parent: NDArray[np.int32] = np.full(size, -1, np.int32)
        self.types: list[str] = ["" if p is None else p.type for p in providers]
        self._uuid: list[str] = ["" if p is None else p.uuid for p in providers]
        self._children: dict[int, list[int]] = {}
        for row, provider in enumerate(providers):
            if provider is not None and provider.parent_uuid is not None:
                above = index[provider.parent_uuid]
                self.parent[row] = above
                self._children.setdefault(above, []).append(row)
        for rows in self._children.values():
            rows.sort(key=self._uuid.__getitem__)
        self.nested = bool(self._children)
        self._subtrees: dict[int, tuple[int, ...]] = {}

    @cached_property
    def preorder(self) -> NDArray[np.int64]:
        """Rank of each row in a depth-first walk, parents before children, siblings by uuid."""
        rank = np.arange(self.parent.size, dtype=np.int64)
        if not self.nested:
            return rank
        at = 0
        for root in np.flatnonzero(self.parent < 0).tolist():
            for row in self.subtree(root):
                rank[row] = at
                at += 1
        return rank

    @cached_property
    def hosts(self) -> list[int]:
        """The host of each row, as `host` returns it."""
        return [self.host(row) for row in range(self.parent.size)]

    def has_children(self, row: int) -> bool:
        """Tell whether a provider has children."""
        return row in self._children

    def subtree(self, row: int) -> tuple[int, ...]:
        """Return a row and all its descendants in preorder, siblings by uuid."""
        if row not in self._children:
            return (row,)
        found = self._subtrees.get(row)
        if found is None:
            rows: list[int] = []
            stack = [row]
            while stack:
                here = stack.pop()
                rows.append(here)
                stack.extend(reversed(self._children.get(here, ())))
            found = self._subtrees[row] = tuple(rows)
        return found

    def owners(self, provider_type: str) -> NDArray[np.int64]:
        """Return, by row, the nearest ancestor or self of a type, −1 where there is none."""
        mine = np.array([t == provider_type for t in self.types], dtype=bool)
        owner = np.where(mine, np.arange(len(self.types)), -1).astype(np.int64)
        if self.nested:
            above = self.parent
            pending = (owner < 0) & (above >= 0)
            at = above.astype(np.int64)
            while pending.any():
                reached = np.where(pending, owner[np.maximum(at, 0)], -1)
                owner = np.where(reached >= 0, reached, owner)
                at = np.where(pending, above[np.maximum(at, 0)], -1).astype(np.int64)
                pending = (owner < 0) & (at >= 0)
        return owner

    def host(self, row: int) -> int:
        """Return the nearest ancestor or self of a host type, else the root."""
        at = row
        while self.types[at] not in HOST_TYPES:
            above = int(self.parent[at])
            if above < 0:
                return at
            at = above
        return at

    def home(self, provider_rows: Sequence[int]) -> int:
        """Return the home of a consumer that holds something on these rows; −1 for none.

        Compute hosts come before pools, and those before sharing providers; then the first uuid.
        """
        hosts = {self.host(row) for row in provider_rows}
        if not hosts:
            return -1
        return min(hosts, key=lambda row: (_RANK.get(self.types[row], _NO_HOST), self._uuid[row]))


def merge_parts(parts: Parts, extra: Parts, sign: int = 1) -> Parts:
    """Return `parts` with the amounts of `extra` added (or, with sign −1, taken away)."""
    amounts: dict[int, dict[int, int]] = {row: dict(held) for row, held in parts}
    for row, held in extra:
        mine = amounts.setdefault(row, {})
        for column, amount in held:
            mine[column] = mine.get(column, 0) + sign * amount
    return make_parts(amounts)


def make_parts(amounts: dict[int, dict[int, int]]) -> Parts:
    """Return amounts by provider row and class column in their one canonical form."""
    return tuple(
        (row, held)
        for row in sorted(amounts)
        if (held := tuple(sorted((c, a) for c, a in amounts[row].items() if a)))
    )
