"""Writes bare-metal models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tachyon.graph.mutations import AnyMutation
from tachyon.graph.view import View
from tachyon.optimize.model.backing.on_graph import Touched
from tachyon.optimize.model.elements import IronicNode
from tachyon.optimize.model.records import ironic_node
from tachyon.optimize.model.tables.baremetal import baremetal_table
from tachyon.optimize.model.writing.transactions import Changes

if TYPE_CHECKING:
    from tachyon.optimize.model.baremetal import BaremetalParts


def transactions(
    parts: BaremetalParts, view: View, touched: Touched
) -> Sequence[Sequence[AnyMutation]]:
    """Return the transactions that bring the graph to what a model holds."""
    changes = Changes(view, touched)
    changes.providers(
        parts.nodes,
        baremetal_table(view).nodes,
        IronicNode,
        lambda node, before, _: ironic_node.record(node.as_dict(), before),
    )
    return changes.transactions()
