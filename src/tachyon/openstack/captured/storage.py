"""Cinder's answers as storage hosts, pools and volumes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tachyon.graph.entities import (
    AMOUNT_MAX,
    Attachment,
    Consumer,
    Flavor,
    Inventory,
    ResourceProvider,
)
from tachyon.graph.mutations import Cluster
from tachyon.openstack.captured.answers import Answer, Capture, moment

_VOLUME = "cinder-volume"
#: What Cinder reports of a pool and Watcher's storage model shows as it is.
_POOL_CAPACITIES = (
    "total_capacity_gb",
    "free_capacity_gb",
    "provisioned_capacity_gb",
    "allocated_capacity_gb",
)


def volume_type(kind: Answer) -> Flavor:
    """Return a volume type as a flavor."""
    return Flavor(id=kind["id"], name=kind["name"], extra_specs=kind.get("extra_specs", {}))


def storage(capture: Capture) -> list[ResourceProvider]:
    """Return storage hosts and pools. Cinder knows them by name, so the name is the uuid, too."""
    types: dict[str, list[str]] = {}
    for kind in capture.all("cinder", "volume_types"):
        name = kind.get("extra_specs", {}).get("volume_backend_name")
        types.setdefault(name, []).append(kind["name"])

    def backend(service: Answer) -> ResourceProvider:
        host = service["host"]
        return ResourceProvider(
            uuid=host,
            name=host,
            type="storage",
            status=service["status"],
            state=service["state"],
            disabled_reason=service["disabled_reason"],
            availability_zone=service["zone"],
            traits=("STORAGE_BACKEND",),
            extra={"volume_types": sorted(types.get(host.partition("@")[2], []))},
        )

    backends = capture.build("cinder", _VOLUME, backend)
    zones = {p.uuid: p.availability_zone for p in backends}
    volumes = Counter(v.get("os-vol-host-attr:host") for v in capture.all("cinder", "volumes"))

    def pool(entry: Answer) -> ResourceProvider:
        name, capabilities = entry["name"], entry["capabilities"]
        host = name.partition("#")[0]
        return ResourceProvider(
            uuid=name,
            name=name,
            type="pool",
            parent_uuid=host if host in zones else None,
            availability_zone=zones.get(host),
            inventories={"DISK_GB": _pool_inventory(capabilities)},
            extra={
                "total_volumes": volumes[name],
                **{member: capabilities.get(member) for member in _POOL_CAPACITIES},
            },
        )

    return [*backends, *capture.build("cinder", "pools", pool)]


def _pool_inventory(capabilities: Answer) -> Inventory:
    """Return what a pool can take, as Cinder's capacity filter reckons.

    A pool that calls itself `infinite` or `unknown` takes anything.
    """
    total = capabilities.get("total_capacity_gb")
    if not isinstance(total, int | float):
        return Inventory(total=AMOUNT_MAX)
    ratio: Any = 1.0
    if capabilities.get("thin_provisioning_support") is True:
        ratio = capabilities.get("max_over_subscription_ratio")
    return Inventory(
        total=int(total),
        reserved=int(total * capabilities.get("reserved_percentage", 0) / 100),
        # "auto" is a number that only the scheduler knows.
        allocation_ratio=float(ratio) if str(ratio).replace(".", "", 1).isdigit() else 1.0,
    )


def volumes(capture: Capture, cluster: Cluster) -> list[Consumer]:
    """Return the volumes."""
    pools = {p.uuid for p in cluster.providers if p.type == "pool"}

    def volume(entry: Answer) -> Consumer:
        pool = entry["os-vol-host-attr:host"]
        return Consumer(
            uuid=entry["id"],
            name=entry["name"] or "",
            type="volume",
            status=entry["status"],
            bootable=entry["bootable"] == "true",
            created_at=moment(entry["created_at"]),
            project_id=entry["os-vol-tenant-attr:tenant_id"],
            flavor_id=entry["volume_type_id"],
            attachments=tuple(
                Attachment(consumer_uuid=a["server_id"], attachment_id=a["attachment_id"])
                for a in entry["attachments"]
            ),
            allocations={pool: {"DISK_GB": entry["size"]}} if pool in pools else {},
            metadata=entry["metadata"],
            extra={
                "multiattach": entry["multiattach"],
                "snapshot_id": entry["snapshot_id"],
                "volume_type": entry["volume_type"],
            },
        )

    return capture.build("cinder", "volumes", volume)
