"""Writes storage models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tachyon.graph.entities import Consumer, ResourceProvider
from tachyon.graph.mutations import AnyMutation
from tachyon.graph.view import View
from tachyon.optimize.model.backing.on_graph import Touched
from tachyon.optimize.model.elements import Pool, StorageNode, Volume
from tachyon.optimize.model.records import pool, storage_node, volume
from tachyon.optimize.model.tables.storage import StorageTable, storage_table
from tachyon.optimize.model.writing.transactions import Changes, Placed, allocate

if TYPE_CHECKING:
    from tachyon.optimize.model.storage import StorageParts


def transactions(
    parts: StorageParts, view: View, touched: Touched
) -> Sequence[Sequence[AnyMutation]]:
    """Return the transactions that bring the graph to what a model holds."""
    return _Writer(parts, view, touched).transactions()


class _Writer:
    def __init__(self, parts: StorageParts, view: View, touched: Touched) -> None:
        self.parts = parts
        self.table: StorageTable = storage_table(view)
        self.changes = Changes(view, touched)

    def transactions(self) -> Sequence[Sequence[AnyMutation]]:
        parts, table, changes = self.parts, self.table, self.changes
        changes.providers(parts.nodes, table.nodes, StorageNode, self._node)
        changes.providers(parts.pools, table.pools, Pool, self._pool)
        changes.consumers(parts.volumes, table.volumes, Volume, self._volume)
        return changes.transactions()

    def _node(
        self, node: StorageNode, before: ResourceProvider | None, row: int
    ) -> ResourceProvider:
        order = list(self.parts.standing.of(node.host))
        arrived = self._arrived(order)
        return storage_node.record(node.as_dict(), None if order == arrived else order, before)

    def _arrived(self, pools: list[str]) -> list[str]:
        """Return pools in the order in which they came, or will come, into the graph."""
        position = self.changes.view.providers.position
        newest = int(position.max(initial=-1)) + 1
        new = {key: newest + at for at, key in enumerate(self.changes.touched.keys(Pool))}
        gone, row = self.parts.pools.is_gone, self.table.pools.row
        return sorted(
            pools,
            key=lambda key: new[key] if gone(key) or (at := row(key)) < 0 else int(position[at]),
        )

    def _pool(self, one: Pool, before: ResourceProvider | None, row: int) -> ResourceProvider:
        return pool.record(one.as_dict(), list(self.parts.standing.on(one.name)), before)

    def _volume(self, one: Volume, before: Consumer | None, row: int) -> Placed:
        view = self.changes.view
        values = one.as_dict()
        kind = view.flavor(before.flavor_id) if before is not None else None
        hosts = list(self.parts.lying.on(values["uuid"]))
        stood: list[str] = []
        held: dict[str, int] = {}
        if before is not None:
            keys = view.providers.uuid
            stood = [keys[at] for at in self.table.volume_edges.parents(row)]
            held = {"DISK_GB": volume.size(before)}
        allocations, named = allocate(
            {"DISK_GB": values.get("size", 0)},
            hosts,
            self.changes.find,
            before,
            stood,
            held,
            view,
        )
        lies = hosts[0] if hosts and allocations else None
        after = volume.record(values, allocations, named, lies, before, kind)
        return Placed(before, after, stood, hosts)
