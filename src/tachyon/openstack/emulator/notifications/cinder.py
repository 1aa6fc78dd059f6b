"""Cinder's notifications: unversioned, on the exchange `openstack`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.notifications.bus import Notification
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.state.storage import Attachment, Pool, Snapshot, Volume
from tachyon.openstack.emulator.times import exact, micro, offset

Payload = dict[str, Any]
#: Members that only Cinder's contexts have.
_MORE: Payload = {
    "message_action": None,
    "message_resource_id": None,
    "message_resource_type": None,
    "domain_id": None,
}


def volume(found: Volume, service: str | None) -> Payload:
    """Return the payload of a volume; `service` is the uuid of its backend's service."""
    return {
        "availability_zone": found.zone,
        "created_at": offset(found.created),
        "display_name": found.name,
        "host": found.pool,
        "launched_at": offset(found.created),
        "metadata": [{"key": k, "value": v} for k, v in found.metadata.items()],
        "replication_driver_data": None,
        "replication_extended_status": None,
        "replication_status": None,
        "size": found.size,
        "snapshot_id": found.snapshot_id,
        "status": found.status,
        "tenant_id": found.project_id,
        "user_id": found.user_id,
        "volume_attachment": [_attachment(found, a, service) for a in found.attachments.values()],
        "volume_id": found.id,
        "volume_type": found.type_id,
    }


def snapshot(found: Volume, taken: Snapshot, event: str) -> Payload:
    """Return the payload of a snapshot of a volume."""
    gone = event.startswith("delete")
    return {
        "availability_zone": found.zone,
        "created_at": offset(taken.created),
        "deleted": "",
        "display_name": taken.name,
        "metadata": "{}",
        "snapshot_id": taken.id,
        "status": "deleting" if gone else "available" if event.endswith("end") else "creating",
        "tenant_id": found.project_id,
        "user_id": found.user_id,
        "volume_id": found.id,
        "volume_size": taken.size,
    }


def _attachment(found: Volume, attachment: Attachment, service: str | None) -> Payload:
    ready = found.status == "in-use"
    info = {
        "volume_id": found.id,
        "access_mode": "rw",
        "qos_specs": None,
        "encrypted": False,
        "cacheable": False,
        "driver_volume_type": "emulated",
        "attachment_id": attachment.id,
        "enforce_multipath": False,
    }
    connector = {"host": attachment.host, "mountpoint": attachment.device, "ip": "127.0.0.1"}
    return {
        "attach_mode": "rw" if ready else "null",
        "attach_status": "attached" if ready else "reserved",
        "attach_time": micro(attachment.created) if ready else None,
        "attached_host": attachment.host if ready else None,
        "connection_info": json.dumps(info) if ready else "{}",
        "connector": json.dumps(connector) if ready else None,
        "created_at": micro(attachment.created),
        "deleted": False,
        "deleted_at": None,
        "detach_time": None,
        "id": attachment.id,
        "instance_uuid": attachment.server_id,
        "mountpoint": attachment.device if ready else None,
        "updated_at": micro(found.updated),
        "volume": _record(found, service, attached=ready),
        "volume_id": found.id,
    }


def _record(found: Volume, service: str | None, *, attached: bool) -> Payload:
    """Return a volume as an attachment's payload holds it: its row in Cinder's database."""
    return {
        "_name_id": None,
        "attach_status": "attached" if attached else "detached",
        "availability_zone": found.zone,
        "bootable": found.bootable,
        "cluster_name": None,
        "consistencygroup_id": None,
        "created_at": micro(found.created),
        "deleted": False,
        "deleted_at": None,
        "display_description": found.description,
        "display_name": found.name,
        "ec2_id": None,
        "encryption_key_id": None,
        "group_id": None,
        "host": found.pool,
        "id": found.id,
        "launched_at": micro(found.created),
        "migration_status": found.migration_status,
        "multiattach": found.multiattach,
        "previous_status": "available",
        "project_id": found.project_id,
        "provider_auth": None,
        "provider_geometry": None,
        "provider_id": None,
        "provider_location": None,
        "replication_driver_data": None,
        "replication_extended_status": None,
        "replication_status": None,
        "scheduled_at": micro(found.created),
        "service_uuid": service,
        "shared_targets": False,
        "size": found.size,
        "snapshot_id": found.snapshot_id,
        "source_volid": None,
        "status": found.status,
        "terminated_at": None,
        "updated_at": micro(found.updated),
        "use_quota": True,
        "user_id": found.user_id,
        "volume_type_id": found.type_id,
    }


class Teller:
    """Tells what happens to volumes and pools, as Cinder does."""

    def __init__(self, cloud: Cloud, requester: Requester) -> None:
        self.cloud = cloud
        self.requester = requester

    def volume(self, event: str, found: Volume) -> None:
        """Tell of a volume: "create.end", "retype" …"""
        pool = found.pool or ""
        # Creation is told in the name of the pool, all else in that of the backend or its host.
        publisher = pool if event.startswith("create") else pool.partition("#")[0]
        if event in {"attach.end", "detach.end"}:
            publisher = pool.partition("@")[0]
        backend = self.cloud.storage.backends.get(pool.partition("#")[0])
        payload = volume(found, backend.uuid if backend is not None else None)
        self._send(f"volume.{publisher}", f"volume.{event}", payload)

    def snapshot(self, event: str, found: Volume, taken: Snapshot) -> None:
        """Tell of a snapshot: "create.end", "delete.start" …"""
        publisher = (found.pool or "").partition("#")[0]
        self._send(f"snapshot.{publisher}", f"snapshot.{event}", snapshot(found, taken, event))

    def capacity(self, pools: list[Pool]) -> None:
        """Tell how full pools and their backends are, as cinder-volume does now and then."""
        for pool in pools:
            self._capacity("pool", pool.name, [pool])
        storage = self.cloud.storage
        for name in dict.fromkeys(pool.backend for pool in pools):
            members = [pool for pool in storage.pools.values() if pool.backend == name]
            self._capacity("backend", name, members)

    def _capacity(self, kind: str, name: str, pools: list[Pool]) -> None:
        sized = [pool for pool in pools if not isinstance(pool.total, str)]
        total = sum(float(pool.total) for pool in sized)
        allocated = float(sum(pool.allocated for pool in sized))
        payload: Payload = {
            "allocated": allocated,
            "free": total - allocated,
            "name_to_id": name,
            "provisioned": allocated,
            "reported_at": exact(self.cloud.now()),
            "total": total,
            "virtual_free": sum(pool.virtual_free for pool in sized),
        }
        publisher = f"capacity.{name.partition('@')[0]}"
        self._send(publisher, f"capacity.{kind}", payload)

    def _send(self, publisher: str, event: str, payload: Payload) -> None:
        # Nova asks to attach and detach, and passes on whose request it works on.
        passed_on = event.startswith(("volume.attach", "volume.detach"))
        context = {**self.requester.context(passed_on=passed_on), **_MORE}
        del context["user_name"]
        self.cloud.bus.send(Notification("openstack", publisher, event, payload, context))


def nobody() -> Requester:
    """Return the requester of what services do by themselves."""
    moment = datetime.now(UTC).strftime("%H%M%S%f")
    return Requester(f"req-periodic-{moment}", "", "", "", "", ("admin",))
