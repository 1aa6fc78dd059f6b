"""Bare-metal nodes of a view, as rows and keys."""

from __future__ import annotations

from tachyon.graph.view.view import View
from tachyon.optimize.model.elements import IronicNode
from tachyon.optimize.model.records import ironic_node
from tachyon.optimize.model.tables.providers import Providers


class BaremetalTable:
    """Everything that bare-metal models of one view share."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.nodes = Providers(view, IronicNode, "baremetal", ironic_node.values_of)


def baremetal_table(view: View) -> BaremetalTable:
    """Return a view's table, made once."""
    found: BaremetalTable | None = view.memo.get("model.baremetal")
    return found or view.memo.setdefault("model.baremetal", BaremetalTable(view))
