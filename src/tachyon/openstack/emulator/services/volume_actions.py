"""Cinder's calls that do something to volumes and backends, and all its routes."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.operations import volume
from tachyon.openstack.emulator.services import snapshots
from tachyon.openstack.emulator.services.cinder import PREFIX, READS, volume_body, volume_of
from tachyon.openstack.emulator.services.requester import requester_of
from tachyon.openstack.emulator.state.storage import Volume
from tachyon.openstack.emulator.web import Call, Refused, Route, ServiceType, wrapped_error


def _task(call: Call, found: Volume) -> volume.VolumeTask:
    return volume.VolumeTask(call.cloud, requester_of(call), found)


def create(call: Call) -> Any:
    """POST /volumes."""
    asked = call.member("volume")
    storage, now = call.cloud.storage, call.cloud.now()
    name = asked.get("volume_type")
    kind = storage.type_named(name) if name else next(iter(storage.types.values()), None)
    if name and kind is None:
        raise Refused(404, f"Volume type {name} could not be found.")
    made = Volume(
        id=call.cloud.new_id(),
        name=str(asked.get("name") or ""),
        size=int(asked.get("size") or 1),
        project_id=call.project_id,
        user_id=call.token.user.id if call.token is not None else "",
        created=now,
        updated=now,
        pool=None,
        type_id=kind.id if kind is not None else None,
        status="creating",
        multiattach=bool(asked.get("multiattach")),
        description=asked.get("description"),
        metadata=dict(asked.get("metadata") or {}),
    )
    storage.add(made)
    call.cloud.begin(volume.create(_task(call, made)))
    return {"volume": volume_body(call, made)}


def delete(call: Call) -> Any:
    """DELETE /volumes/{volume}."""
    found = volume_of(call)
    if found.attachments or found.snapshots or found.status not in {"available", "error"}:
        raise Refused(400, f"Invalid volume: Volume {found.id} status must be available or error.")
    call.cloud.begin(volume.delete(_task(call, found)))


def update(call: Call) -> Any:
    """PUT /volumes/{volume}: name, description, metadata."""
    found = volume_of(call)
    asked = call.member("volume")
    task = _task(call, found)
    task.tell.volume("update.start", found)
    found.name = str(asked.get("name", found.name))
    found.description = asked.get("description", found.description)
    found.metadata = dict(asked.get("metadata", found.metadata))
    task.set()
    task.tell.volume("update.end", found)
    return {"volume": volume_body(call, found)}


def act(call: Call) -> Any:
    """POST /volumes/{volume}/action."""
    found = volume_of(call)
    if not isinstance(call.body, dict) or len(call.body) != 1:
        raise Refused(400, "There is no such action.")
    action, arguments = next(iter(call.body.items()))
    handler = _ACTIONS.get(action)
    if handler is None:
        raise Refused(400, f"There is no such action: {action}")
    return handler(call, found, arguments or {})


def _idle(found: Volume) -> None:
    if found.status not in {"available", "in-use"}:
        raise Refused(400, f"Invalid volume: Volume {found.id} status must be available or in-use.")
    if found.migration_status not in {None, "success", "error", "none"}:
        raise Refused(400, f"Invalid volume: Volume {found.id} is already being migrated.")


def _whole(found: Volume) -> None:
    """Refuse to take a volume from its pool that has snapshots there."""
    if found.snapshots:
        raise Refused(400, f"Invalid volume: Volume {found.id} must not have snapshots.")


def _migrate(call: Call, found: Volume, arguments: dict[str, Any]) -> Any:
    call.needs_admin()
    _idle(found)
    _whole(found)
    pool = arguments.get("host")
    if pool not in call.cloud.storage.pools:
        raise Refused(400, f"No available service named '{pool}'.")
    if pool == found.pool:
        raise Refused(400, "Invalid input received: Destination host must be different than the "
                      "current host.")  # fmt: skip
    call.cloud.begin(volume.migrate(_task(call, found), str(pool)))


def _retype(call: Call, found: Volume, arguments: dict[str, Any]) -> Any:
    _idle(found)
    name = arguments.get("new_type")
    kind = call.cloud.storage.type_named(name)
    if kind is None:
        raise Refused(404, f"Volume type {name} could not be found.")
    if kind.id == found.type_id:
        raise Refused(400, f"Invalid input received: New volume_type same as original: {name}.")
    policy = arguments.get("migration_policy", "never")
    backend = kind.extra_specs.get("volume_backend_name")
    pool = call.cloud.storage.pools.get(found.pool or "")
    fits = pool is not None and backend in (None, pool.backend.partition("@")[2])
    if policy == "never" and not fits:
        raise Refused(400, "Retype requires migration but is not allowed.")
    if not fits:
        _whole(found)
    call.cloud.begin(volume.retype(_task(call, found), kind))


def _reset(call: Call, found: Volume, arguments: dict[str, Any]) -> Any:
    call.needs_admin()
    migration = arguments.get("migration_status", "")
    _task(call, found).set(arguments.get("status"), None if migration == "none" else migration)


def _extend(call: Call, found: Volume, arguments: dict[str, Any]) -> Any:
    size = int(arguments.get("new_size", 0))
    if size <= found.size:
        raise Refused(400, "Invalid input received: New size for extend must be greater.")
    task = _task(call, found)
    task.tell.volume("resize.start", found)
    found.size = size
    task.set()
    task.tell.volume("resize.end", found)
    task.report(found.pool)


_ACTIONS = {
    "os-migrate_volume": _migrate,
    "os-retype": _retype,
    "os-reset_status": _reset,
    "os-extend": _extend,
}


def change_service(call: Call) -> Any:
    """PUT /os-services/{action}: enable, disable, disable-log-reason."""
    asked = call.body if isinstance(call.body, dict) else {}
    backend = call.cloud.storage.backends.get(str(asked.get("host")))
    if backend is None:
        raise Refused(404, f"Service {asked.get('host')} could not be found.")
    action = call.names["action"]
    if action not in {"enable", "disable", "disable-log-reason"}:
        raise Refused(404, f"Unknown action: {action}")
    backend.disabled = action != "enable"
    backend.disabled_reason = asked.get("disabled_reason") if backend.disabled else None
    status = "disabled" if backend.disabled else "enabled"
    body = {"binary": "cinder-volume", "host": backend.name, "service": "cinder-volume"}
    return {**body, "status": status, "disabled": backend.disabled}


_P = "/v3/{project}"

ROUTES = (
    Route("POST", f"{_P}/volumes", create, status=202),
    Route("DELETE", f"{_P}/volumes/{{volume}}", delete, status=202),
    Route("PUT", f"{_P}/volumes/{{volume}}", update),
    Route("POST", f"{_P}/volumes/{{volume}}/action", act, status=202),
    Route("PUT", f"{_P}/os-services/{{action}}", change_service, admin=True),
)

CINDER = ServiceType(
    name="cinder",
    prefix=PREFIX,
    error=wrapped_error,
    header="volume",
    oldest=(3, 0),
    newest=(3, 71),
    default=(3, 0),
    routes=(*READS, *ROUTES, *snapshots.ROUTES),
)
