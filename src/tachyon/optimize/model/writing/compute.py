"""Writes compute models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tachyon.graph.entities import Consumer, ResourceProvider
from tachyon.graph.mutations import AnyMutation
from tachyon.graph.view import View
from tachyon.optimize.model.backing.on_graph import Touched
from tachyon.optimize.model.elements import ComputeNode, Instance
from tachyon.optimize.model.records import compute_node, instance
from tachyon.optimize.model.tables.compute import compute_table
from tachyon.optimize.model.writing.transactions import Changes, Placed, allocate

if TYPE_CHECKING:
    from tachyon.optimize.model.compute import ComputeParts


def transactions(
    parts: ComputeParts, view: View, touched: Touched
) -> Sequence[Sequence[AnyMutation]]:
    """Return the transactions that bring the graph to what a model holds."""
    return _Writer(parts, view, touched).transactions()


class _Writer:
    def __init__(self, parts: ComputeParts, view: View, touched: Touched) -> None:
        self.parts = parts
        self.table = compute_table(view)
        self.changes = Changes(view, touched)

    def transactions(self) -> Sequence[Sequence[AnyMutation]]:
        parts, table, changes = self.parts, self.table, self.changes
        changes.providers(parts.nodes, table.hosts, ComputeNode, self._node)
        changes.consumers(parts.instances, table.instances, Instance, self._instance)
        return changes.transactions()

    def _node(
        self, node: ComputeNode, before: ResourceProvider | None, row: int
    ) -> ResourceProvider:
        below = () if before is None else self.table.hosts.below(row)
        return compute_node.record(node.as_dict(), before, below)

    def _instance(self, element: Instance, before: Consumer | None, row: int) -> Placed:
        view = self.changes.view
        values = element.as_dict()
        flavor = view.flavor(before.flavor_id) if before is not None else None
        hosts = list(self.parts.placements.on(values["uuid"]))
        stood: list[str] = []
        held: dict[str, int] = {}
        if before is not None:
            keys = view.providers.uuid
            stood = [keys[at] for at in self.table.placements.parents(row)]
            held = instance.amounts(before.allocations, flavor)
        allocations, named = allocate(
            by_class(values), hosts, self.changes.find, before, stood, by_class(held), view
        )
        host = self.changes.find(hosts[0]) if hosts and allocations else None
        after = instance.record(values, allocations, named, host, before, flavor)
        return Placed(before, after, stood, hosts)


def by_class(values: Mapping[str, Any]) -> dict[str, int]:
    """Return the amounts among an instance's fields by resource class, those that are not 0."""
    return {
        classes[0]: values[name] for name, classes in instance.CLASSES.items() if values.get(name)
    }
