"""Ironic's versioned notifications of nodes ([DEFAULT] notification_level = info)."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.cloud import CONTROLLER, Cloud
from tachyon.openstack.emulator.notifications.bus import Notification
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.state.baremetal import Node
from tachyon.openstack.emulator.times import zulu

Payload = dict[str, Any]


def node(found: Node) -> Payload:
    """Return the fields that every node payload has."""
    return {
        "clean_step": None,
        "conductor_group": "",
        "console_enabled": False,
        "created_at": zulu(found.created),
        "deploy_step": None,
        "description": None,
        "driver": "fake-hardware",
        "extra": found.extra,
        "fault": None,
        "inspection_finished_at": None,
        "inspection_started_at": None,
        "instance_uuid": None,
        "last_error": found.last_error,
        "lessee": None,
        "maintenance": found.maintenance,
        "maintenance_reason": found.maintenance_reason,
        "name": found.name,
        "owner": None,
        "power_state": found.power_state,
        "properties": found.properties,
        "protected": False,
        "protected_reason": None,
        "provision_state": found.provision_state,
        "provision_updated_at": zulu(found.created),
        "resource_class": found.resource_class,
        "retired": False,
        "retired_reason": None,
        "target_power_state": found.target_power_state,
        "target_provision_state": None,
        "traits": found.traits,
        "updated_at": zulu(found.updated),
        "uuid": found.uuid,
    }


class Teller:
    """Tells what happens to nodes, as Ironic does."""

    def __init__(self, cloud: Cloud, requester: Requester) -> None:
        self.cloud = cloud
        self.requester = requester

    def power(self, phase: str, found: Node, wanted: str) -> None:
        """Tell that a node is being switched: phase is start, end or error."""
        data = {**node(found), "to_power": wanted}
        self._send(f"power_set.{phase}", "NodeSetPowerStatePayload", "1.19", data)

    def maintenance(self, phase: str, found: Node) -> None:
        """Tell that a node goes into maintenance, or comes out of it."""
        self._send(f"maintenance_set.{phase}", "NodePayload", "1.18", node(found))

    def changed(self, phase: str, found: Node) -> None:
        """Tell that an operator changed a node."""
        self._send(f"update.{phase}", "NodeCRUDPayload", "1.16", node(found))

    def _send(self, event: str, name: str, version: str, data: Payload) -> None:
        payload = {
            "ironic_object.data": data,
            "ironic_object.name": name,
            "ironic_object.namespace": "ironic",
            "ironic_object.version": version,
        }
        where = "ironic-api" if event.startswith(("maintenance", "update")) else "ironic-conductor"
        context = self.requester.context()
        self.cloud.bus.send(
            Notification(
                "ironic",
                f"{where}.{CONTROLLER}",
                f"baremetal.node.{event}",
                payload,
                context,
                "error" if event.endswith(".error") else "info",
            )
        )
