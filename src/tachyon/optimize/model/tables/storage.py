"""Storage hosts, pools and volumes of a view, as rows and keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tachyon.graph.view.columns import Bool
from tachyon.graph.view.view import View
from tachyon.optimize.model.elements import Pool, StorageNode, Volume
from tachyon.optimize.model.elements.element import COMMON
from tachyon.optimize.model.records import oddities, pool, storage_node, volume
from tachyon.optimize.model.tables.providers import Providers
from tachyon.optimize.model.tables.rows import Children, odd_consumers


class Volumes:
    """The volumes of a view (`layer.Source`)."""

    element = Volume

    def __init__(self, view: View, pools: Providers[Pool]) -> None:
        self.view = view
        self.pools = pools
        self.keys = view.consumers.uuid

    @cached_property
    def members(self) -> Bool:
        """N; which consumers are volumes."""
        view = self.view
        columns = view.consumers
        members: Bool = columns.alive & (columns.type == view.codes.type.find("volume"))
        return members

    @cached_property
    def rows(self) -> list[int]:
        """Rows of volumes in the order in which they came into the graph."""
        order = self.view.consumer_order
        found: list[int] = order[self.members[order]].tolist()
        return found

    @cached_property
    def _member(self) -> bytes:
        return self.members.tobytes()

    def row(self, key: str) -> int:
        """Return the row of a volume, −1 when there is none."""
        row = self.view.consumers.index.get(key, -1)
        return row if 0 <= row < self.view.consumer_rows and self._member[row] else -1

    @cached_property
    def odd(self) -> dict[int, oddities.Oddities]:
        """What volumes say that their own fields do not, by row."""
        return odd_consumers(self.view)

    def fill(self, row: int, values: dict[str, Any], stage: int) -> None:
        """Add what a volume says; all at once."""
        if stage == COMMON:
            consumer = self.view.consumer_at(row)
            kind = self.view.flavor(consumer.flavor_id)
            values.update(volume.values_of(consumer, self.pool(row), kind))

    def pool(self, row: int) -> str | None:
        """Return the name of the pool that a volume's allocations say it lies in."""
        home = self.view.consumers.home.item(row)
        return None if home < 0 else self.view.provider_at(home).name


class PoolEdges:
    """Which pools stand on which storage hosts (`relation.Edges`)."""

    def __init__(self, nodes: Providers[StorageNode], pools: Providers[Pool]) -> None:
        self._nodes = nodes
        self._pools = pools

    def parents(self, child: int) -> Sequence[int]:
        """Return the rows of a pool's storage hosts."""
        record = self._pools.view.provider_at(child)
        odd = oddities.of(record.extra)
        keys = [record.parent_uuid] if odd is None or odd.hosts is None else odd.hosts
        return [row for key in keys if key is not None and (row := self._nodes.row(key)) >= 0]

    @cached_property
    def _by_node(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for row in self._pools.rows:
            for node in self.parents(row):
                found.setdefault(node, []).append(row)
        return found

    def children(self, parent: int) -> Sequence[int]:
        """Return the rows of a storage host's pools in the order of arrival."""
        rows = self._by_node.get(parent, [])
        odd = oddities.of(self._nodes.view.provider_at(parent).extra)
        if odd is None or odd.order is None:
            return rows
        rank = {key: at for at, key in enumerate(odd.order)}
        keys = self._pools.keys
        return sorted(rows, key=lambda row: rank.get(keys[row], len(rank)))


class VolumeEdges:
    """Which volumes lie in which pools (`relation.Edges`)."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes

    @cached_property
    def _several(self) -> dict[int, list[int]]:
        row = self._volumes.pools.row
        members = self._volumes.members
        return {
            at: [pool for key in odd.hosts if (pool := row(key)) >= 0]
            for at, odd in self._volumes.odd.items()
            if odd.hosts is not None and members[at]
        }

    @cached_property
    def _children(self) -> Children:
        odd = self._volumes.odd
        since = {row: odd[row].since for row in self._several}
        return Children(self._volumes.view, self._volumes.members, self._several, since)

    @cached_property
    def _is_pool(self) -> list[bool]:
        return [kind == "pool" for kind in self._volumes.view.tree.types]

    def parents(self, child: int) -> Sequence[int]:
        """Return the rows of a volume's pools."""
        several = self._several.get(child)
        if several is not None:
            return several
        home = self._volumes.view.consumers.home.item(child)
        return (home,) if home >= 0 and self._is_pool[home] else ()

    def children(self, parent: int) -> Sequence[int]:
        """Return the rows of a pool's volumes in the order of arrival."""
        return self._children.of(parent)


class StorageTable:
    """Everything that storage models of one view share."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.nodes = Providers(view, StorageNode, "storage", storage_node.values_of)
        self.pools = Providers(view, Pool, "pool", pool.values_of)
        self.volumes = Volumes(view, self.pools)
        self.pool_edges = PoolEdges(self.nodes, self.pools)
        self.volume_edges = VolumeEdges(self.volumes)


def storage_table(view: View) -> StorageTable:
    """Return a view's table, made once."""
    found: StorageTable | None = view.memo.get("model.storage")
    return found or view.memo.setdefault("model.storage", StorageTable(view))
