"""The bare-metal model: Ironic's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, ClassVar
from xml.etree import ElementTree

from tachyon.graph.simulation import Session
from tachyon.graph.view.view import View
from tachyon.optimize.model.elements import IronicNode
from tachyon.optimize.model.layer import Layer
from tachyon.optimize.model.relation import Relation
from tachyon.optimize.model.root import ClusterModel
from tachyon.optimize.model.tables.baremetal import baremetal_table
from tachyon.optimize.model.text import XmlText
from tachyon.optimize.model.writing.baremetal import transactions
from tachyon.optimize.scope.mask import ScopeMask

#: Fields that a session's deltas change.
_FIELDS = ("power_state", "maintenance", "maintenance_reason")


class BaremetalParts:
    """Bare-metal nodes; nothing stands on them in this model."""

    def __init__(self, nodes: Layer[IronicNode]) -> None:
        self.nodes = nodes

    def layers(self) -> list[Layer[Any]]:
        """Return the one layer."""
        return [self.nodes]

    def relations(self) -> list[Relation[Any, Any]]:
        """Return no relations."""
        return []


class TachyonBaremetalModel(ClusterModel):
    """Watcher's bare-metal model (`BaremetalModelRoot`) on Tachyon."""

    _transactions = staticmethod(transactions)
    _aliases: ClassVar[tuple[str, ...]] = ("_nodes",)

    _nodes: Layer[IronicNode]
    _backing: Any

    def _gather(self, view: View, mask: ScopeMask | None) -> BaremetalParts:
        self._nodes = Layer(
            baremetal_table(view).nodes,
            self._lock,
            self._writes(),
            visible=None if mask is None else mask.providers.tobytes(),
        )
        return BaremetalParts(self._nodes)

    def _seed(self, session: Session) -> None:
        self._nodes.overrides = {
            session.view.providers.uuid[at]: {n: fields[n] for n in _FIELDS if n in fields}
            for at, fields in session.state.fields.items()
        }

    def assert_node(self, obj: object) -> None:
        """Raise `IllegalArgumentException` for anything but a bare-metal node."""
        self._expect(obj, IronicNode)

    def get_all_ironic_nodes(self) -> dict[str, IronicNode]:
        """Return all nodes by uuid, in the order in which they came."""
        return self._nodes.everything().copy()

    def get_node_by_uuid(self, uuid: str) -> IronicNode:
        """Return a node; raises `IronicNodeNotFound`."""
        found = self._nodes.find(uuid)
        if found is None:
            raise self.exceptions.IronicNodeNotFound(uuid=uuid)
        return found

    def add_node(self, node: IronicNode) -> None:
        """Add a node, or put it in the place of the one with its uuid."""
        self.assert_node(node)
        with self._lock:
            self._put(self._nodes, node)

    def remove_node(self, node: IronicNode) -> None:
        """Remove a node; raises `IronicNodeNotFound`."""
        self.assert_node(node)
        with self._lock:
            mine = self._nodes.find(node.uuid)
            if mine is None:
                raise self.exceptions.IronicNodeNotFound(uuid=node.uuid)
            self._backing.drop(mine)
            self._nodes.drop(node.uuid)

    def _write_xml(self) -> str:
        text = XmlText()
        for node in sorted(self.get_all_ironic_nodes().values(), key=attrgetter("uuid")):
            text.write(node)
        return text.done()

    def _read_xml(
        self, root: ElementTree.Element, above: Mapping[ElementTree.Element, ElementTree.Element]
    ) -> None:
        for found in root.iter("IronicNode"):
            self.add_node(IronicNode.from_xml_element(found))
