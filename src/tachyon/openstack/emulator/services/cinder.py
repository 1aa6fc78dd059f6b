"""Cinder v3: services, pools, volume types, volumes, attachments."""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import Any

from tachyon.openstack.emulator.services.paging import add_links, page_of
from tachyon.openstack.emulator.state.storage import Attachment, Pool, Volume, VolumeType
from tachyon.openstack.emulator.times import exact, micro
from tachyon.openstack.emulator.web import (
    Answer,
    Call,
    Refused,
    Route,
    flag,
)

PREFIX = "/volume"


def _versions(call: Call) -> Any:
    return Answer(300, {"versions": [_version(call)]})


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "links": [
            {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"},
            {"href": f"{call.base}/v3/", "rel": "self"},
        ],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.volume+json;version=3",
            }
        ],
        "min_version": "3.0",
        "status": "CURRENT",
        "updated": "2023-08-31T00:00:00Z",
        "version": "3.71",
    }


def _services(call: Call) -> Any:
    now = micro(call.cloud.now())
    storage = call.cloud.storage
    found: list[dict[str, Any]] = []
    for backend in storage.backends.values():
        state = "up" if backend.alive else "down"
        body: dict[str, Any] = {
            "active_backend_id": None,
            "binary": "cinder-volume",
            "cluster": None,
            "disabled_reason": backend.disabled_reason,
            "frozen": False,
            "host": backend.name,
            "replication_status": "disabled",
            "state": state,
            "status": "disabled" if backend.disabled else "enabled",
            "updated_at": now,
            "zone": backend.zone,
        }
        if call.version >= (3, 49):
            body["backend_state"] = state
        found.append(body)
    hosts = dict.fromkeys(name.partition("@")[0] for name in storage.backends)
    found += [
        {
            "binary": "cinder-scheduler",
            "cluster": None,
            "disabled_reason": None,
            "host": host,
            "state": "up",
            "status": "enabled",
            "updated_at": now,
            "zone": "nova",
        }
        for host in list(hosts)[:1]
    ]
    if call.version < (3, 7):
        for service in found:
            del service["cluster"]
    for key in ("binary", "host"):
        if key in call.query:
            found = [service for service in found if service[key] == call.query[key]]
    return {"services": found}


def _capabilities(call: Call, pool: Pool) -> dict[str, Any]:
    backend = pool.backend.partition("@")[2]
    return {
        "QoS_support": False,
        "allocated_capacity_gb": pool.allocated,
        "driver_version": "1.0",
        "filter_function": None,
        "free_capacity_gb": pool.free,
        "goodness_function": None,
        "max_over_subscription_ratio": pool.ratio if pool.ratio != 1.0 else 20.0,
        "multiattach": True,
        "pool_name": pool.name.partition("#")[2],
        "provisioned_capacity_gb": pool.allocated,
        "reserved_percentage": pool.reserved_percentage,
        "storage_protocol": "emulated",
        "thick_provisioning_support": pool.ratio == 1.0,
        "thin_provisioning_support": pool.ratio != 1.0,
        "timestamp": exact(call.cloud.now()),
        "total_capacity_gb": pool.total,
        "vendor_name": "emulated",
        "volume_backend_name": backend,
    }


def _pools(call: Call) -> Any:
    detail = flag(call.query.get("detail"))
    return {
        "pools": [
            {"capabilities": _capabilities(call, pool), "name": pool.name}
            if detail
            else {"name": pool.name}
            for pool in call.cloud.storage.pools.values()
        ]
    }


def _type(kind: VolumeType) -> dict[str, Any]:
    return {
        "description": kind.description,
        "extra_specs": kind.extra_specs,
        "id": kind.id,
        "is_public": True,
        "name": kind.name,
        "os-volume-type-access:is_public": True,
        "qos_specs_id": None,
    }


def _types(call: Call) -> Any:
    found = list(call.cloud.storage.types.values())
    page, marker = page_of(call, found, lambda kind: kind.id)
    body = {"volume_types": [_type(kind) for kind in page]}
    return add_links(call, body, "volume_type_links", marker)


def _one_type(call: Call) -> Any:
    kind = call.cloud.storage.type_named(call.names["type"])
    if kind is None:
        raise Refused(404, f"Volume type {call.names['type']} could not be found.")
    return {"volume_type": _type(kind)}


def _links(call: Call, volume: Volume) -> list[dict[str, str]]:
    path = f"{call.names['project']}/volumes/{volume.id}"
    return [
        {"href": f"{call.base}/v3/{path}", "rel": "self"},
        {"href": f"{call.base}/{path}", "rel": "bookmark"},
    ]


def volume_body(call: Call, volume: Volume) -> dict[str, Any]:
    """Return a volume with all its fields."""
    storage = call.cloud.storage
    kind = storage.types.get(volume.type_id or "")
    backend = storage.backends.get((volume.pool or "").partition("#")[0])
    body: dict[str, Any] = {
        "attachments": [
            {
                "attached_at": micro(a.created),
                "attachment_id": a.id,
                "device": a.device,
                "host_name": a.host,
                "id": volume.id,
                "server_id": a.server_id,
                "volume_id": volume.id,
            }
            for a in volume.attachments.values()
        ],
        "availability_zone": volume.zone,
        "bootable": "true" if volume.bootable else "false",
        "consistencygroup_id": None,
        "created_at": micro(volume.created),
        "description": volume.description,
        "encrypted": False,
        "id": volume.id,
        "links": _links(call, volume),
        "metadata": volume.metadata,
        "multiattach": volume.multiattach,
        "name": volume.name,
        "os-vol-tenant-attr:tenant_id": volume.project_id,
        "replication_status": None,
        "size": volume.size,
        "snapshot_id": volume.snapshot_id,
        "source_volid": None,
        "status": volume.status,
        "updated_at": micro(volume.updated),
        "user_id": volume.user_id,
        "volume_type": None if kind is None else kind.name,
    }
    if call.is_admin:
        body |= {
            "migration_status": volume.migration_status,
            "os-vol-host-attr:host": volume.pool,
            "os-vol-mig-status-attr:migstat": volume.migration_status,
            "os-vol-mig-status-attr:name_id": None,
        }
    newer: list[tuple[tuple[int, int], str, Any]] = [
        ((3, 13), "group_id", None),
        ((3, 21), "provider_id", None),
        ((3, 48), "service_uuid", None if backend is None else backend.uuid),
        ((3, 48), "shared_targets", False),
        ((3, 61), "cluster_name", None),
        ((3, 63), "volume_type_id", volume.type_id),
        ((3, 65), "consumes_quota", True),
    ]
    return body | {name: value for version, name, value in newer if call.version >= version}


def volume_of(call: Call) -> Volume:
    """Return the volume that a path names; raises `Refused` (404)."""
    volume = call.cloud.storage.volumes.get(call.names["volume"])
    if volume is None or not (call.is_admin or volume.project_id == call.project_id):
        raise Refused(404, f"Volume {call.names['volume']} could not be found.")
    return volume


def _one_volume(call: Call) -> Any:
    return {"volume": volume_body(call, volume_of(call))}


_COMPARISONS = {
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
}


def _changed(volumes: list[Volume], text: str) -> list[Volume]:
    """Return the volumes whose last change compares as `text` says: `gte:2026-01-01T00:00:00,…`.

    The database keeps whole seconds.
    """
    for condition in text.split(","):
        name, _, value = condition.partition(":")
        if name not in _COMPARISONS:
            raise Refused(400, f"Invalid {name} operator")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Refused(400, f"Invalid {value} value") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        compare = _COMPARISONS[name]
        volumes = [v for v in volumes if compare(v.updated.replace(microsecond=0), moment)]
    return volumes


def _volumes(call: Call) -> Any:
    volumes, rows = call.cloud.storage.ordered()
    if not (call.is_admin and flag(call.query.get("all_tenants"))):
        volumes = [v for v in volumes if v.project_id == call.project_id]
        rows = {volume.id: row for row, volume in enumerate(volumes)}
    status, host, name = (call.query.get(key) for key in ("status", "host", "name"))
    if status is not None or host is not None or name is not None:
        volumes = [
            v
            for v in volumes
            if status in (None, v.status) and host in (None, v.pool) and name in (None, v.name)
        ]
        rows = {volume.id: row for row, volume in enumerate(volumes)}
    if "updated_at" in call.query and call.version >= (3, 60):
        volumes = _changed(volumes, call.query["updated_at"])
        rows = {volume.id: row for row, volume in enumerate(volumes)}
    page, marker = page_of(call, volumes, lambda v: v.id, row_of=rows.get, absent=404)
    if call.path.endswith("/detail"):
        found = [volume_body(call, v) for v in page]
    else:
        found = [{"id": v.id, "links": _links(call, v), "name": v.name} for v in page]
    return add_links(call, {"volumes": found}, "volumes_links", marker)


def _attachment(volume: Volume, attachment: Attachment) -> dict[str, Any]:
    return {
        "attach_mode": "rw",
        "attached_at": micro(attachment.created),
        "connection_info": {
            "access_mode": "rw",
            "attachment_id": attachment.id,
            "cacheable": False,
            "driver_volume_type": "emulated",
            "encrypted": False,
            "enforce_multipath": False,
            "qos_specs": None,
            "volume_id": volume.id,
        },
        "detached_at": "",
        "id": attachment.id,
        "instance": attachment.server_id,
        "status": "attached",
        "volume_id": volume.id,
    }


def _attachments(call: Call) -> Any:
    wanted = call.query.get("volume_id")
    chosen = [
        v
        for v in call.cloud.storage.volumes.values()
        if wanted in (None, v.id) and (call.is_admin or v.project_id == call.project_id)
    ]
    found = [_attachment(v, a) for v in chosen for a in v.attachments.values()]
    page, marker = page_of(call, found, lambda a: str(a["id"]))
    if not call.path.endswith("/detail"):
        page = [{k: a[k] for k in ("id", "instance", "status", "volume_id")} for a in page]
    return add_links(call, {"attachments": list(page)}, "attachments_links", marker)


_P = "/v3/{project}"

READS = (
    Route("GET", "/", _versions, public=True),
    Route("GET", "/v3", lambda call: Answer(200, {"versions": [_version(call)]}), public=True),
    Route("GET", f"{_P}/os-services", _services, admin=True),
    Route("GET", f"{_P}/scheduler-stats/get_pools", _pools, admin=True),
    Route("GET", f"{_P}/types", _types),
    Route("GET", f"{_P}/types/{{type}}", _one_type),
    Route("GET", f"{_P}/volumes", _volumes),
    Route("GET", f"{_P}/volumes/detail", _volumes),
    Route("GET", f"{_P}/volumes/{{volume}}", _one_volume),
    Route("GET", f"{_P}/attachments", _attachments),
    Route("GET", f"{_P}/attachments/detail", _attachments),
)
