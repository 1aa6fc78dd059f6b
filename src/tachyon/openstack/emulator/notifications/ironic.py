"""Ironic's versioned notifications of nodes ([DEFAULT] notification_level = info)."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.cloud import CONTROLLER, Cloud
from tachyon.openstack.emulator.notifications.bus import Notification
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.state.baremetal import Node
from tachyon.openstack.emulator.times import zulu

Payload = dict[str, Any]

#: The project of the services, whose user enrolled the nodes.
OWNER = "8be84b13c8cd427e9678e3ffed799c32"


#: Interfaces of the fake hardware type.
INTERFACES = {
    "bios_interface": "fake",
    "boot_interface": "fake",
    "console_interface": "fake",
    "deploy_interface": "fake",
    "inspect_interface": "fake",
    "management_interface": "fake",
    "network_interface": "noop",
    "power_interface": "fake",
    "raid_interface": "fake",
    "rescue_interface": "fake",
    "storage_interface": "noop",
    "vendor_interface": "fake",
}


def node(found: Node) -> Payload:
    """Return the fields that every node payload has."""
    return {
        **INTERFACES,
        "boot_mode": None,
        "clean_step": {},
        "conductor_group": "",
        "console_enabled": False,
        "created_at": zulu(found.created),
        "deploy_step": {},
        "description": None,
        "disable_power_off": False,
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
        "owner": OWNER,
        "power_state": found.power_state,
        "properties": found.properties,
        "protected": False,
        "protected_reason": None,
        "provision_state": found.provision_state,
        "provision_updated_at": zulu(found.created),
        "resource_class": found.resource_class,
        "retired": False,
        "retired_reason": None,
        "secure_boot": None,
        "target_power_state": found.target_power_state,
        "target_provision_state": found.target_provision_state,
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
        self._send(f"power_set.{phase}", "NodeSetPowerStatePayload", "1.17", data)

    def maintenance(self, phase: str, found: Node) -> None:
        """Tell that a node goes into maintenance, or comes out of it."""
        self._send(f"maintenance_set.{phase}", "NodePayload", "1.17", node(found))

    def provision(self, phase: str, found: Node, verb: str, before: tuple[str, str | None]) -> None:
        """Tell that a node came into another state of provision.

        `before` are the state it was in, and that to which it was on its way.
        """
        data = {
            **node(found),
            "driver_internal_info": {},
            "event": verb,
            "instance_info": {},
            "previous_provision_state": before[0],
            "previous_target_provision_state": before[1],
        }
        self._send(f"provision_set.{phase}", "NodeSetProvisionStatePayload", "1.18", data)

    def changed(self, what: str, phase: str, found: Node) -> None:
        """Tell of an operator's work on a node: `what` is create, update or delete."""
        data = {**node(found), "chassis_uuid": None, "driver_info": {}, "instance_info": {}}
        self._send(f"{what}.{phase}", "NodeCRUDPayload", "1.15", data)

    def _send(self, event: str, name: str, version: str, data: Payload) -> None:
        payload = {
            "ironic_object.data": data,
            "ironic_object.name": name,
            "ironic_object.namespace": "ironic",
            "ironic_object.version": version,
        }
        by_conductor = event.startswith(("power", "provision"))
        where = "ironic-conductor" if by_conductor else "ironic-api"
        context = _context(self.requester)
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


def _context(requester: Requester) -> dict[str, Any]:
    """Return the context of Ironic's notifications, which is not Nova's."""
    told = requester.context()
    kept = {name: value for name, value in told.items() if name not in _NOT_TOLD}
    return {**kept, "is_admin": False, "auth_token": None, "auth_token_info": None}


_NOT_TOLD = frozenset(
    {
        "project_name",
        "quota_class",
        "read_deleted",
        "remote_address",
        "service_catalog",
        "timestamp",
        "user_id",
        "user_name",
    }
)
