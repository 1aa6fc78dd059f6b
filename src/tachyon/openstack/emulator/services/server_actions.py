"""Nova's calls that do something to servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tachyon.openstack.emulator.operations import evacuation, live_migration, resize, server, volume
from tachyon.openstack.emulator.operations.task import Task
from tachyon.openstack.emulator.services import catalogue
from tachyon.openstack.emulator.services.requester import requester_of
from tachyon.openstack.emulator.services.servers import links, server_of, show
from tachyon.openstack.emulator.state.compute import Flavor, Host, Migration, Server
from tachyon.openstack.emulator.state.image import Image
from tachyon.openstack.emulator.state.storage import Volume
from tachyon.openstack.emulator.web import Answer, Call, Refused, Route

#: Action → states in which it is allowed (Nova's server concepts guide).
_ALLOWED = {
    "os-migrateLive": {"active", "paused"},
    "migrate": {"active", "stopped"},
    "resize": {"active", "stopped"},
    "confirmResize": {"resized"},
    "revertResize": {"resized"},
    "os-stop": {"active", "error", "paused", "rescued", "suspended"},
    "os-start": {"stopped"},
    "pause": {"active"},
    "unpause": {"paused"},
    "suspend": {"active"},
    "resume": {"suspended"},
    "shelve": {"active", "stopped", "paused", "suspended"},
    "unshelve": {"shelved", "shelved_offloaded"},
    "reboot": {"active", "stopped", "paused", "suspended", "error"},
    "evacuate": {"active", "stopped", "error"},
    "createImage": {"active", "stopped", "paused", "suspended"},
}


def _task(call: Call, found: Server) -> Task:
    return Task(call.cloud, requester_of(call), found)


def _check(found: Server, action: str) -> None:
    allowed = _ALLOWED.get(action)
    action = {"os-start": "start", "os-stop": "stop"}.get(action, action)
    if allowed is not None and found.vm_state not in allowed:
        raise Refused(
            409,
            f"Cannot '{action}' instance {found.uuid} while it is in vm_state {found.vm_state}",
        )
    if allowed is not None and found.task_state is not None:
        raise Refused(
            409,
            f"Cannot '{action}' instance {found.uuid} while it is in task_state {found.task_state}",
        )


def act(call: Call) -> Any:
    """POST /servers/{server}/action."""
    found = server_of(call)
    if not isinstance(call.body, dict) or len(call.body) != 1:
        raise Refused(400, "There is no such action.")
    action, arguments = next(iter(call.body.items()))
    handler = _ACTIONS.get(action)
    if handler is None:
        raise Refused(400, f"There is no such action: {action}")
    _check(found, action)
    return handler(call, found, arguments if isinstance(arguments, dict) else {})


def _wanted_host(call: Call, arguments: dict[str, Any]) -> Host | None:
    name = arguments.get("host")
    if name is None:
        return None
    host = call.cloud.compute.hosts.get(name)
    if host is None:
        raise Refused(400, f"Compute host {name} could not be found.")
    return host


def _live_migrate(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    call.needs_admin()
    force = arguments.get("force")
    if force is not None and not (2, 30) <= call.version < (2, 68):
        raise Refused(400, "Additional properties are not allowed ('force' was unexpected)")
    for name in ("host", "block_migration"):
        if name not in arguments:
            raise Refused(400, f"Invalid input: '{name}' is a required property")
    wanted = _wanted_host(call, arguments)
    task = _task(call, found)
    migration = task.migration("live-migration", wanted)
    # Before 2.30 a host that is named goes past the scheduler.
    forced = bool(force) or (wanted is not None and call.version < (2, 30))
    work = live_migration.live_migrate(task, migration, wanted, force=forced)
    migration.operation = call.cloud.begin(work)


def _cold_migrate(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    call.needs_admin()
    if "host" in arguments and call.version < (2, 56):
        raise Refused(400, "Additional properties are not allowed ('host' was unexpected)")
    wanted = _wanted_host(call, arguments)
    if wanted is not None and wanted.name == found.host:
        raise Refused(400, "The target host can't be the same one.")
    task = _task(call, found)
    migration = task.migration("migration", wanted)
    call.cloud.begin(resize.resize(task, migration, found.flavor, wanted))


def _resize(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    flavor = _flavor(call, arguments.get("flavorRef"))
    if flavor.id == found.flavor.id:
        raise Refused(400, "When resizing, instances must change flavor!")
    task = _task(call, found)
    migration = task.migration("resize", None, flavor)
    call.cloud.begin(resize.resize(task, migration, flavor, None))


def _flavor(call: Call, reference: Any) -> Flavor:
    flavor = call.cloud.compute.flavors.get(str(reference).rpartition("/")[2])
    if flavor is None:
        raise Refused(400, f"Flavor {reference} could not be found.")
    return flavor


def _finished(call: Call, found: Server) -> Migration:
    migrations = call.cloud.compute.migrations_of.get(found.uuid, [])
    for migration in reversed(migrations):
        if migration.status == "finished":
            return migration
    raise Refused(400, "Instance has not been resized.")


def _confirm(call: Call, found: Server, _arguments: dict[str, Any]) -> Any:
    call.cloud.begin(resize.confirm(_task(call, found), _finished(call, found)))
    return Answer(204)


def _revert(call: Call, found: Server, _arguments: dict[str, Any]) -> Any:
    call.cloud.begin(resize.revert(_task(call, found), _finished(call, found)))


def _simple(action: str) -> Callable[[Call, Server, dict[str, Any]], Any]:
    def handler(call: Call, found: Server, _arguments: dict[str, Any]) -> Any:
        call.cloud.begin(server.change(_task(call, found), action))

    return handler


def _lock(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    server.lock(_task(call, found), locked=True, reason=arguments.get("locked_reason"))


def _unlock(call: Call, found: Server, _arguments: dict[str, Any]) -> Any:
    server.lock(_task(call, found), locked=False, reason=None)


def _shelve(call: Call, found: Server, _arguments: dict[str, Any]) -> Any:
    call.cloud.begin(server.shelve(_task(call, found)))


def _unshelve(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    wanted = _wanted_host(call, arguments)
    call.cloud.begin(server.unshelve(_task(call, found), wanted))


def _reboot(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    call.cloud.begin(server.reboot(_task(call, found), hard=arguments.get("type") == "HARD"))


def _create_image(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    now, name = call.cloud.now(), str(arguments.get("name", ""))
    image = Image(call.cloud.new_id(), name, found.project_id, now, status="queued")
    call.cloud.images[image.id] = image
    call.cloud.begin(server.snapshot(_task(call, found), image))
    return Answer(202, {"image_id": image.id} if call.version >= (2, 45) else None)


def _evacuate(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    call.needs_admin()
    name = arguments.get("host")
    if name is not None and name not in call.cloud.compute.hosts:
        raise Refused(404, f"Compute host {name} not found.")
    host = call.cloud.compute.hosts.get(found.host or "")
    if host is not None and host.up:
        raise Refused(400, f"Compute service of {host.name} is still in use.")
    wanted = _wanted_host(call, arguments)
    task = _task(call, found)
    migration = task.migration("evacuation", wanted)
    stopped = call.version >= (2, 95)
    call.cloud.begin(evacuation.evacuate(task, migration, wanted, stopped=stopped))


def _reset_state(call: Call, found: Server, arguments: dict[str, Any]) -> Any:
    call.needs_admin()
    _task(call, found).set(task=None, state=str(arguments.get("state", "error")))


_ACTIONS: dict[str, Callable[[Call, Server, dict[str, Any]], Any]] = {
    "os-migrateLive": _live_migrate,
    "migrate": _cold_migrate,
    "resize": _resize,
    "confirmResize": _confirm,
    "revertResize": _revert,
    **{action: _simple(action) for action in server.SIMPLE},
    "lock": _lock,
    "unlock": _unlock,
    "shelve": _shelve,
    "unshelve": _unshelve,
    "reboot": _reboot,
    "evacuate": _evacuate,
    "createImage": _create_image,
    "os-resetState": _reset_state,
}


def create(call: Call) -> Any:
    """POST /servers: one server, without networks."""
    asked = call.member("server")
    hints = call.body.get("os:scheduler_hints") or call.body.get("OS-SCH-HNT:scheduler_hints") or {}
    compute, now = call.cloud.compute, call.cloud.now()
    flavor = _flavor(call, asked.get("flavorRef"))
    wanted = _wanted_host(call, asked)
    group = hints.get("group")
    if group is not None and group not in compute.groups:
        raise Refused(400, f"Instance group {group} could not be found.")
    number = next(compute.number)
    image = asked.get("imageRef") or None
    found = Server(
        uuid=call.cloud.new_id(),
        number=number,
        name=str(asked.get("name", "")),
        project_id=call.project_id,
        user_id=call.token.user.id if call.token is not None else "",
        flavor=flavor,
        created=now,
        updated=now,
        image=image,
        pinned_zone=asked.get("availability_zone"),
        vm_state="building",
        power_state=0,
        reservation_id=f"r-{number:08x}",
        metadata={str(k): str(v) for k, v in (asked.get("metadata") or {}).items()},
        hints=dict(hints),
        group=group,
        description=asked.get("description"),
    )
    compute.add_server(found)
    if group is not None:
        compute.groups[group].members.append(found.uuid)
    call.cloud.begin(server.boot(_task(call, found), wanted))
    body = {
        "OS-DCF:diskConfig": "MANUAL",
        "id": found.uuid,
        "links": links(call, found),
        "security_groups": [{"name": "default"}],
    }
    return {"server": body}


def delete(call: Call) -> Any:
    """DELETE /servers/{server}."""
    found = server_of(call)
    if found.task_state != "deleting":
        call.cloud.begin(server.delete(_task(call, found)))


def update(call: Call) -> Any:
    """PUT /servers/{server}: its name and description."""
    found = server_of(call)
    asked = call.member("server")
    old_name = found.name
    task = _task(call, found)
    found.name = str(asked.get("name", found.name))
    found.description = asked.get("description", found.description)
    found.updated = call.cloud.now()
    former = old_name if old_name != found.name else None
    task.tell.update(found, found.vm_state, found.task_state, old_name=former)
    return show(call)


def metadata(call: Call) -> Any:
    """GET /servers/{server}/metadata."""
    return {"metadata": server_of(call).metadata}


def change_metadata(call: Call) -> Any:
    """POST /servers/{server}/metadata: add to it."""
    found = server_of(call)
    given = {str(k): str(v) for k, v in call.member("metadata").items()}
    found.metadata = {**found.metadata, **given}
    _task(call, found).set()
    return {"metadata": found.metadata}


def replace_metadata(call: Call) -> Any:
    """PUT /servers/{server}/metadata: replace it."""
    server_of(call).metadata = {}
    return change_metadata(call)


def delete_metadata(call: Call) -> Any:
    """DELETE /servers/{server}/metadata/{key}."""
    found = server_of(call)
    if call.names["key"] not in found.metadata:
        raise Refused(404, "Metadata item was not found")
    found.metadata = {k: v for k, v in found.metadata.items() if k != call.names["key"]}
    _task(call, found).set()


def migrations(call: Call) -> Any:
    """GET /servers/{server}/migrations: live migrations in progress."""
    found = server_of(call)
    present = [
        catalogue.server_migration(call, m)
        for m in call.cloud.compute.migrations_of.get(found.uuid, ())
        if m.kind == "live-migration" and m.status in catalogue.IN_PROGRESS
    ]
    return {"migrations": present}


def _migration_of(call: Call) -> Migration:
    found = server_of(call)
    key = call.names["migration"]
    for migration in call.cloud.compute.migrations_of.get(found.uuid, ()):
        if str(migration.id) == key and migration.kind == "live-migration":
            return migration
    raise Refused(404, f"Migration {key} for server {found.uuid} could not be found.")


def one_migration(call: Call) -> Any:
    """GET /servers/{server}/migrations/{migration}."""
    migration = _migration_of(call)
    if migration.status not in catalogue.IN_PROGRESS:
        raise Refused(404, f"Live migration {migration.id} is not in progress.")
    return {"migration": catalogue.server_migration(call, migration)}


def abort(call: Call) -> Any:
    """DELETE /servers/{server}/migrations/{migration}."""
    _end_early(call, "abort live migration", "live_migration_abort", live_migration.ABORT)


def complete(call: Call) -> Any:
    """POST /servers/{server}/migrations/{migration}/action: force_complete."""
    if not isinstance(call.body, dict) or "force_complete" not in call.body:
        raise Refused(400, "There is no such action.")
    _end_early(call, "force_complete", "live_migration_force_complete", live_migration.COMPLETE)


def _end_early(call: Call, action: str, event: str, word: str) -> None:
    found = server_of(call)
    if found.task_state != "migrating":
        message = f"Instance {found.uuid} is in an invalid state for '{action}'"
        raise Refused(409, message)
    migration = _migration_of(call)
    if migration.status != "running":
        raise Refused(
            400,
            f"Migration {migration.id} state of instance {migration.server.uuid} is "
            f"{migration.status}. The migration state should be running.",
        )
    task = _task(call, migration.server)
    for phase in ("start", "end"):
        task.tell.instance(f"{event}.{phase}", migration.server, f"nova-compute:{migration.source}")
    call.cloud.clock.wake(migration.operation, word)


def _volume(call: Call, key: str) -> Volume:
    found = call.cloud.storage.volumes.get(key)
    if found is None:
        raise Refused(404, f"Volume {key} could not be found.")
    return found


def attach(call: Call) -> Any:
    """POST /servers/{server}/os-volume_attachments."""
    found = server_of(call)
    asked = call.member("volumeAttachment")
    wanted = _volume(call, str(asked.get("volumeId")))
    if wanted.status != "available" and not (wanted.multiattach and wanted.status == "in-use"):
        raise Refused(400, f"Invalid volume: Volume {wanted.id} status must be available.")
    task = volume.VolumeTask(call.cloud, requester_of(call), wanted)
    call.cloud.begin(volume.attach(task, found, asked.get("device")))
    attachment = found.volumes[wanted.id]
    body: dict[str, Any] = {
        "device": attachment.device,
        "id": wanted.id,
        "serverId": found.uuid,
        "volumeId": wanted.id,
    }
    if call.version >= (2, 70):
        body["tag"] = None
    if call.version >= (2, 79):
        body["delete_on_termination"] = False
    return {"volumeAttachment": body} if call.version < (2, 101) else Answer(202)


def detach(call: Call) -> Any:
    """DELETE /servers/{server}/os-volume_attachments/{volume}."""
    found = server_of(call)
    wanted = _volume(call, call.names["volume"])
    if wanted.id not in found.volumes:
        raise Refused(404, f"Instance {found.uuid} is not attached to volume {wanted.id}")
    task = volume.VolumeTask(call.cloud, requester_of(call), wanted)
    call.cloud.begin(volume.detach(task, found))


_S = "/v2.1/servers/{server}"

ROUTES = (
    Route("POST", "/v2.1/servers", create, status=202),
    Route("DELETE", _S, delete, status=204),
    Route("PUT", _S, update),
    Route("POST", f"{_S}/action", act, status=202),
    Route("GET", f"{_S}/metadata", metadata),
    Route("POST", f"{_S}/metadata", change_metadata),
    Route("PUT", f"{_S}/metadata", replace_metadata),
    Route("DELETE", f"{_S}/metadata/{{key}}", delete_metadata, status=204),
    Route("GET", f"{_S}/migrations", migrations, admin=True),
    Route("GET", f"{_S}/migrations/{{migration}}", one_migration, admin=True),
    Route("DELETE", f"{_S}/migrations/{{migration}}", abort, status=202, admin=True),
    Route("POST", f"{_S}/migrations/{{migration}}/action", complete, status=202, admin=True),
    Route("POST", f"{_S}/os-volume_attachments", attach),
    Route("DELETE", f"{_S}/os-volume_attachments/{{volume}}", detach, status=202),
)
