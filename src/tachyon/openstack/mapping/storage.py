"""Cinder's answers as storage hosts, pools and volumes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeGuard

from tachyon.graph.entities import (
    AMOUNT_MAX,
    Attachment,
    Consumer,
    Flavor,
    Inventory,
    ResourceProvider,
)
from tachyon.openstack.mapping.answers import Answer, moment

#: The binary whose services are storage hosts.
VOLUME_BINARY = "cinder-volume"
#: What Cinder reports of a pool and Watcher's storage model shows as it is.
POOL_CAPACITIES = (
    "total_capacity_gb",
    "free_capacity_gb",
    "provisioned_capacity_gb",
    "allocated_capacity_gb",
)


def volume_type(kind: Answer) -> Flavor:
    """Return a volume type as a flavor."""
    return Flavor(id=kind["id"], name=kind["name"], extra_specs=kind.get("extra_specs") or {})


def types_of_backends(types: Iterable[Answer]) -> dict[str, list[str]]:
    """Return the names of the volume types that name each backend."""
    names: dict[str, list[str]] = {}
    for kind in types:
        backend = (kind.get("extra_specs") or {}).get("volume_backend_name")
        if backend is not None:
            names.setdefault(backend, []).append(kind["name"])
    return names


def storage_host(service: Answer, types: Mapping[str, Collection[str]]) -> ResourceProvider:
    """Return a cinder-volume service; Cinder knows it by name, so the name is the uuid, too.

    Args:
        service: of `GET /os-services`.
        types: names of volume types by backend (`types_of_backends`).
    """
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
        extra={"volume_types": sorted(types.get(host.partition("@")[2], ()))},
    )


def pool(entry: Answer, zones: Mapping[str, str | None], volumes: int) -> ResourceProvider:
    """Return a pool.

    Args:
        entry: of `GET /scheduler-stats/get_pools?detail=true`. A capacity that is missing,
            unknown or endless is kept as it is told.
        zones: zones of the storage hosts by name; a pool of another host stands alone.
        volumes: how many volumes lie in it.
    """
    name, capabilities = entry["name"], entry["capabilities"]
    host = name.partition("#")[0]
    capacities = {member: capabilities.get(member) for member in POOL_CAPACITIES}
    return ResourceProvider(
        uuid=name,
        name=name,
        type="pool",
        parent_uuid=host if host in zones else None,
        availability_zone=zones.get(host),
        inventories={"DISK_GB": _pool_inventory(capabilities)},
        extra={
            "total_volumes": volumes,
            **capacities,
            "virtual_free": _virtual_free(capabilities),
        },
    )


def _pool_inventory(capabilities: Answer) -> Inventory:
    """Return what a pool can take, as Cinder's capacity filter reckons.

    A pool that calls itself `infinite` or `unknown` takes anything.
    """
    total: object = capabilities.get("total_capacity_gb")
    if not _is_number(total):
        return Inventory(total=AMOUNT_MAX)
    ratio: Any = 1.0
    if capabilities.get("thin_provisioning_support") is True:
        ratio = capabilities.get("max_over_subscription_ratio")
    return Inventory(
        total=int(total),
        reserved=_reserved(capabilities),
        # "auto" is a number that only the scheduler knows.
        allocation_ratio=float(ratio) if str(ratio).replace(".", "", 1).isdigit() else 1.0,
    )


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 <= value <= AMOUNT_MAX


def _reserved(capabilities: Answer) -> int:
    percentage = capabilities.get("reserved_percentage") or 0
    return int(capabilities["total_capacity_gb"] * percentage / 100)


def _virtual_free(capabilities: Answer) -> float | None:
    """Return what a pool has left to promise, as Cinder's own events reckon it (None: unknown)."""
    total: object = capabilities.get("total_capacity_gb")
    free: object = capabilities.get("free_capacity_gb")
    if not (_is_number(total) and _is_number(free)):
        return None
    inventory = _pool_inventory(capabilities)
    if capabilities.get("thin_provisioning_support") is True:
        provisioned = capabilities.get("provisioned_capacity_gb") or 0
        return float(total * inventory.allocation_ratio - provisioned - inventory.reserved)
    return float(free - inventory.reserved)


def snapshots(count: int) -> dict[str, int]:
    """Return what a volume's `extra` says of its snapshots: Cinder moves none that has any."""
    return {"snapshots": count} if count else {}


def _migration(status: str | None) -> dict[str, str]:
    """Return what a volume's `extra` says of a migration that is under way or has failed."""
    return {} if status in (None, "none", "success") else {"migration_status": status}


def volume(
    entry: Answer,
    pools: Collection[str],
    types: Mapping[str, str],
    extra: Mapping[str, Any] | None = None,
) -> Consumer:
    """Return a volume.

    Args:
        entry: of `GET /volumes/detail`.
        pools: those that the graph knows; a volume that lies in no such pool holds nothing.
        types: ids of volume types by name; volumes name theirs by id only from Cinder 3.63 on.
        extra: what else to keep.
    """
    at = entry["os-vol-host-attr:host"]
    return Consumer(
        uuid=entry["id"],
        name=entry["name"] or "",
        type="volume",
        status=entry["status"],
        bootable=entry["bootable"] == "true",
        created_at=moment(entry["created_at"]),
        project_id=entry["os-vol-tenant-attr:tenant_id"],
        flavor_id=entry.get("volume_type_id") or types.get(entry["volume_type"]),
        attachments=tuple(
            Attachment(consumer_uuid=a["server_id"], attachment_id=a["attachment_id"])
            for a in entry["attachments"]
            if a["server_id"] is not None
        ),
        allocations={at: {"DISK_GB": entry["size"]}} if at in pools and entry["size"] else {},
        metadata=entry["metadata"],
        extra={
            "multiattach": entry["multiattach"],
            "snapshot_id": entry["snapshot_id"],
            "volume_type": entry["volume_type"],
            **_migration(entry.get("migration_status")),
            **(extra or {}),
        },
    )
