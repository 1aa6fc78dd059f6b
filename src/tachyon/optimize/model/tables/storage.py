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
from tachyon.optimize.model.tables.consumers import ConsumerEdges, Consumers
from tachyon.optimize.model.tables.providers import Providers


class Volumes(Consumers[Volume]):
    """The volumes of a view (`layer.Source`)."""

    element = Volume

    def of_type(self) -> Bool:
        """Return which consumers are volumes (N)."""
        return self.alive("volume")

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


class VolumeEdges(ConsumerEdges):
    """Which volumes lie in which pools (`relation.Edges`)."""

    @cached_property
    def _is_pool(self) -> list[bool]:
        return [kind == "pool" for kind in self._consumers.view.tree.types]

    def counts(self, home: int) -> bool:
        """Tell whether a provider is a pool."""
        return self._is_pool[home]


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
