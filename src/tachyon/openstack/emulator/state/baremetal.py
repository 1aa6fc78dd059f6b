"""Ironic's records, which are MAAS's machines, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ON, OFF, REBOOT = "power on", "power off", "rebooting"


@dataclass(slots=True)
class Node:
    """A baremetal node. `hostname` is the compute host on it, None if it is none."""

    uuid: str
    name: str | None
    created: datetime
    updated: datetime
    power_state: str | None = ON
    target_power_state: str | None = None
    provision_state: str = "active"
    target_provision_state: str | None = None
    maintenance: bool = False
    maintenance_reason: str | None = None
    hostname: str | None = None
    resource_class: str | None = "baremetal"
    last_error: str | None = None
    traits: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


class Baremetal:
    """All nodes, found by uuid or name."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._names: dict[str, Node] = {}

    def add(self, node: Node) -> None:
        """Add a node."""
        self.nodes[node.uuid] = node
        if node.name is not None:
            self._names[node.name] = node

    def rename(self, node: Node, name: str) -> None:
        """Give a node another name."""
        self._names.pop(node.name or "", None)
        node.name = name
        self._names[name] = node

    def remove(self, node: Node) -> None:
        """Forget a node."""
        self.nodes.pop(node.uuid, None)
        self._names.pop(node.name or "", None)

    def find(self, name: str) -> Node | None:
        """Return the node of a uuid or name."""
        return self.nodes.get(name) or self._names.get(name)
