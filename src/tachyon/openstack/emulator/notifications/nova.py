"""Nova's versioned notifications (notification_format = versioned).

Payloads have the objects, versions and fields of Nova 34. `Teller` speaks on behalf of one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tachyon.openstack.emulator.cloud import CONTROLLER, Cloud
from tachyon.openstack.emulator.notifications.bus import Notification
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.state.compute import Aggregate, Flavor, Group, Host, Server
from tachyon.openstack.emulator.state.image import checksum
from tachyon.openstack.emulator.times import zulu

API, SCHEDULER = f"nova-api:{CONTROLLER}", f"nova-scheduler:{CONTROLLER}"
Payload = dict[str, Any]
_POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}

#: Object and version of an event's payload, where it is not that of most actions.
_OBJECTS = {
    "create": ("InstanceCreatePayload", "1.13"),
    "resize_prep": ("InstanceActionResizePrepPayload", "1.4"),
    "rebuild": ("InstanceActionRebuildPayload", "1.10"),
    "rebuild_scheduled": ("InstanceActionRebuildPayload", "1.10"),
    "snapshot": ("InstanceActionSnapshotPayload", "1.10"),
    "volume_attach": ("InstanceActionVolumePayload", "1.7"),
    "volume_detach": ("InstanceActionVolumePayload", "1.7"),
    "volume_swap": ("InstanceActionVolumeSwapPayload", "1.9"),
    "exists": ("InstanceExistsPayload", "2.1"),
    "update": ("InstanceUpdatePayload", "2.1"),
}
_ACTION = ("InstanceActionPayload", "1.9")
#: Events whose sender has the block devices at hand; the others say null.
_WITH_DEVICES = {
    "create",
    "delete",
    "shutdown",
    "live_migration_pre",
    "live_migration_rollback",
    "reboot",
    "rebuild.end",
    "resize",
    "resize_finish",
    "resize_revert",
    "resume",
    "shelve",
    "shelve_offload",
    "unshelve",
}


def compute(host: str | None) -> str:
    """Return the publisher id of a host's nova-compute."""
    return f"nova-compute:{host or CONTROLLER}"


def _object(name: str, version: str, data: Payload) -> Payload:
    return {
        "nova_object.data": data,
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": version,
    }


def flavor(found: Flavor) -> Payload:
    """Return a flavor's payload."""
    return _object(
        "FlavorPayload",
        "1.4",
        {
            "description": None,
            "disabled": False,
            "ephemeral_gb": found.ephemeral,
            "extra_specs": dict(found.extra_specs),
            "flavorid": found.id,
            "is_public": True,
            "memory_mb": found.ram,
            "name": found.name,
            "projects": None,
            "root_gb": found.disk,
            "rxtx_factor": 1.0,
            "swap": found.swap,
            "vcpu_weight": 0,
            "vcpus": found.vcpus,
        },
    )


def image(found: Server, now: datetime) -> Payload:
    """Return the payload of a server's image."""
    properties = _object("ImageMetaPropsPayload", "1.20", {})
    return _object(
        "ImageMetaPayload",
        "1.0",
        {
            "checksum": checksum(found.image or ""),
            "container_format": "bare",
            "created_at": zulu(now),
            "direct_url": None,
            "disk_format": "raw",
            "id": found.image,
            "min_disk": 0,
            "min_ram": 0,
            "name": "empty",
            "owner": found.project_id,
            "properties": properties,
            "protected": None,
            "size": 1024,
            "status": "active",
            "tags": None,
            "updated_at": zulu(now),
            "virtual_size": None,
            "visibility": None,
        },
    )


def instance(server: Server) -> Payload:
    """Return the fields that every instance payload has, as they are now."""
    return {
        "architecture": None,
        "auto_disk_config": "MANUAL",
        "availability_zone": server.zone,
        "block_devices": None,
        "created_at": zulu(server.created),
        "deleted_at": zulu(server.terminated),
        "display_description": server.description,
        "display_name": server.name,
        "flavor": flavor(server.flavor),
        "host": server.host,
        "host_name": server.name,
        "image_uuid": server.image or "",
        "ip_addresses": [],
        "kernel_id": "",
        "key_name": None,
        "launched_at": zulu(server.launched),
        "locked": server.locked,
        "locked_reason": server.locked_reason,
        "metadata": dict(server.metadata),
        "node": server.node,
        "os_type": None,
        "power_state": _POWER.get(server.power_state, "running"),
        "progress": 0,
        "ramdisk_id": "",
        "reservation_id": server.reservation_id,
        "shares": None,
        "state": server.vm_state,
        "task_state": server.task_state,
        "tenant_id": server.project_id,
        "terminated_at": zulu(server.terminated),
        "updated_at": zulu(server.updated),
        "user_id": server.user_id,
        "uuid": server.uuid,
    }


class Teller:
    """Tells what happens to servers, services and aggregates, as Nova does."""

    def __init__(self, cloud: Cloud, requester: Requester) -> None:
        self.cloud = cloud
        self.requester = requester

    def tell(self, publisher: str, event: str, payload: Payload) -> None:
        """Send any payload."""
        # Cinder asks for a swap, and passes on whose request it works on.
        context = self.requester.context(passed_on=event.startswith("instance.volume_swap"))
        self.cloud.bus.send(Notification("nova", publisher, event, payload, context))

    def instance(
        self,
        event: str,
        server: Server,
        publisher: str,
        *,
        stale: Payload | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell of a server: "power_off.start", "lock" …

        Args:
            event: without "instance."
            server: it happens to.
            publisher: id of the service that tells.
            stale: the fields that the service still believes in; None: the present ones.
            more: fields that only this event has.
        """
        action = event.partition(".")[0]
        data = stale.copy() if stale is not None else instance(server)
        data["request_id"] = self.requester.request_id
        data["action_initiator_user"] = self.requester.user_id
        data["action_initiator_project"] = self.requester.project_id
        if {action, event} & _WITH_DEVICES:
            data["block_devices"] = []
        if action not in {"exists", "update"}:
            data["fault"] = None
        if action in {"exists", "update"}:
            data["audit_period"] = self._audit_period()
        if action == "create":
            data |= {"instance_name": server.instance_name, "keypairs": []}
        if action in {"create", "update"}:
            data["tags"] = list(server.tags)
        if action in {"create", "rebuild", "rebuild_scheduled"}:
            data["trusted_image_certificates"] = None
        data |= more or {}
        name, version = _OBJECTS.get(action, _ACTION)
        self.tell(publisher, f"instance.{event}", _object(name, version, data))

    def exists(self, server: Server, publisher: str) -> None:
        """Tell that a server is there, as Nova does before it changes in size or ends."""
        self.instance("exists", server, publisher)

    def update(
        self,
        server: Server,
        old_state: str,
        old_task: str | None,
        *,
        old_name: str | None = None,
    ) -> None:
        """Tell that a server was saved; `old_name` is what it was called until then."""
        change = _object(
            "InstanceStateUpdatePayload",
            "1.0",
            {
                "new_task_state": server.task_state,
                "old_state": old_state,
                "old_task_state": old_task,
                "state": server.vm_state,
            },
        )
        more = {"old_display_name": old_name, "state_update": change}
        # Whoever saves calls itself so, whatever host it is on.
        self.instance("update", server, compute(CONTROLLER), more=more)

    def _audit_period(self) -> Payload:
        now = self.cloud.now()
        first = now.replace(day=1, hour=0, minute=0, second=0)
        return _object(
            "AuditPeriodPayload",
            "1.0",
            {"audit_period_beginning": zulu(first), "audit_period_ending": zulu(now)},
        )

    def scheduler(self, phase: str, server: Server, wanted: Flavor, host: Host | None) -> None:
        """Tell that a host is looked for, or was found. `host` is the one that was asked for."""
        destination = None
        if host is not None:
            found = {"aggregates": None, "host": host.name, "node": host.hypervisor_hostname}
            destination = _object("DestinationPayload", "1.0", found)
        requests = {"instance_uuid": server.uuid, "requests": []}
        data = {
            "availability_zone": server.pinned_zone,
            "flavor": flavor(wanted),
            "force_hosts": None,
            "force_nodes": None,
            "ignore_hosts": None,
            "image": image(server, self.cloud.now()),
            "instance_group": None,
            "instance_uuid": server.uuid,
            "num_instances": 1,
            "numa_topology": None,
            "pci_requests": _object("InstancePCIRequestsPayload", "1.0", requests),
            "project_id": server.project_id,
            "requested_destination": destination,
            "retry": None,
            "scheduler_hints": {},
            "security_groups": ["default"],
            "user_id": server.user_id,
        }
        payload = _object("RequestSpecPayload", "1.1", data)
        self.tell(SCHEDULER, f"scheduler.select_destinations.{phase}", payload)

    def service(self, host: Host, event: str = "update") -> None:
        """Tell that a nova-compute service was enabled, disabled, forced down or up."""
        data = {
            "availability_zone": None,
            "binary": "nova-compute",
            "disabled": host.disabled,
            "disabled_reason": host.disabled_reason,
            "forced_down": host.forced_down,
            "host": host.name,
            "last_seen_up": zulu(host.last_seen),
            "report_count": host.report_count,
            "topic": "compute",
            "uuid": host.service_id,
            "version": 74,
        }
        payload = _object("ServiceStatusPayload", "1.1", data)
        self.tell(compute(host.name), f"service.{event}", payload)

    def aggregate(self, event: str, found: Aggregate) -> None:
        """Tell of an aggregate: "add_host.end" …"""
        data = {
            "hosts": list(found.hosts),
            "id": found.id,
            "metadata": dict(found.metadata),
            "name": found.name,
            "uuid": found.uuid,
        }
        self.tell(API, f"aggregate.{event}", _object("AggregatePayload", "1.1", data))

    def group(self, event: str, found: Group) -> None:
        """Tell of a server group: "create", "delete", "add_member"."""
        data = {
            "hosts": None,
            "members": list(found.members),
            "name": found.name,
            "policies": [found.policy],
            "policy": found.policy,
            "project_id": found.project_id,
            "rules": {key: str(value) for key, value in found.rules.items()},
            "user_id": found.user_id,
            "uuid": found.uuid,
        }
        self.tell(API, f"server_group.{event}", _object("ServerGroupPayload", "1.1", data))
