"""Nova's flavors, host aggregates, server groups and migrations as its API shows them."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.services.paging import add_links, limit_of, page_of
from tachyon.openstack.emulator.state.compute import Aggregate, Flavor, Group, Migration
from tachyon.openstack.emulator.times import micro
from tachyon.openstack.emulator.web import Call, Refused, flag

#: Statuses in which a live migration is listed with its server.
IN_PROGRESS = {"accepted", "queued", "preparing", "running", "post-migrating"}


def _flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    bookmark = call.base.removesuffix("/v2.1")
    body: dict[str, Any] = {
        "OS-FLV-DISABLED:disabled": False,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
        "disk": flavor.disk,
        "id": flavor.id,
        "links": [
            {"href": f"{call.base}/v2.1/flavors/{flavor.id}", "rel": "self"},
            {"href": f"{bookmark}/flavors/{flavor.id}", "rel": "bookmark"},
        ],
        "name": flavor.name,
        "os-flavor-access:is_public": True,
        "ram": flavor.ram,
        "rxtx_factor": 1.0,
        # Before 2.75 no swap was an empty string.
        "swap": flavor.swap or (0 if call.version >= (2, 75) else ""),
        "vcpus": flavor.vcpus,
    }
    if call.version >= (2, 102):
        del body["OS-FLV-DISABLED:disabled"], body["rxtx_factor"]
    if call.version >= (2, 55):
        body["description"] = None
    if call.version >= (2, 61):
        body["extra_specs"] = flavor.extra_specs
    return body


def flavors_detail(call: Call) -> Any:
    """GET /flavors/detail."""
    found = sorted(call.cloud.compute.flavors.values(), key=lambda f: f.id)
    page, marker = page_of(call, found, lambda f: f.id)
    body = {"flavors": [_flavor(call, f) for f in page]}
    return add_links(call, body, "flavors_links", marker)


def flavors(call: Call) -> Any:
    """GET /flavors."""
    found = sorted(call.cloud.compute.flavors.values(), key=lambda f: f.id)
    page, marker = page_of(call, found, lambda f: f.id)
    brief = [{key: value for key, value in _flavor(call, f).items() if key in _BRIEF} for f in page]
    return add_links(call, {"flavors": brief}, "flavors_links", marker)


_BRIEF = {"id", "name", "links", "description"}


def flavor_of(call: Call, key: str) -> Flavor:
    """Return a flavor; raises `Refused` (404)."""
    flavor = call.cloud.compute.flavors.get(key)
    if flavor is None:
        raise Refused(404, f"Flavor {key} could not be found.")
    return flavor


def one_flavor(call: Call) -> Any:
    """GET /flavors/{flavor}."""
    return {"flavor": _flavor(call, flavor_of(call, call.names["flavor"]))}


def extra_specs(call: Call) -> Any:
    """GET /flavors/{flavor}/os-extra_specs."""
    return {"extra_specs": flavor_of(call, call.names["flavor"]).extra_specs}


def aggregate(call: Call, found: Aggregate) -> dict[str, Any]:
    """Return a host aggregate."""
    body = {
        "availability_zone": found.zone,
        "created_at": micro(found.created),
        "deleted": False,
        "deleted_at": None,
        "hosts": found.hosts,
        "id": found.id,
        "metadata": found.metadata,
        "name": found.name,
        "updated_at": micro(found.updated),
    }
    if call.version >= (2, 41):
        body["uuid"] = found.uuid
    return body


def aggregates(call: Call) -> Any:
    """GET /os-aggregates."""
    found = call.cloud.compute.aggregates.values()
    return {"aggregates": [aggregate(call, a) for a in found]}


def aggregate_of(call: Call) -> Aggregate:
    """Return the aggregate that a path names; raises `Refused` (404)."""
    key = call.names["aggregate"]
    found = call.cloud.compute.aggregates.get(int(key) if key.isdigit() else -1)
    if found is None:
        raise Refused(404, f"Aggregate {key} could not be found.")
    return found


def one_aggregate(call: Call) -> Any:
    """GET /os-aggregates/{aggregate}."""
    return {"aggregate": aggregate(call, aggregate_of(call))}


def _group(call: Call, group: Group) -> dict[str, Any]:
    body: dict[str, Any] = {"id": group.uuid, "members": group.members, "name": group.name}
    if call.version >= (2, 13):
        body |= {"project_id": group.project_id, "user_id": group.user_id}
    if call.version >= (2, 64):
        body |= {"policy": group.policy, "rules": group.rules}
    else:
        body |= {"policies": [group.policy], "metadata": {}}
    return body


def groups(call: Call) -> Any:
    """GET /os-server-groups: no links; by limit and offset."""
    found = list(call.cloud.compute.groups.values())
    if flag(call.query.get("all_projects")):
        call.needs_admin()
    else:
        found = [g for g in found if g.project_id == call.project_id]
    offset = call.query.get("offset", "0")
    start = int(offset) if offset.isdigit() else 0
    page = found[start : start + limit_of(call.query)]
    return {"server_groups": [_group(call, g) for g in page]}


def one_group(call: Call) -> Any:
    """GET /os-server-groups/{group}."""
    group = call.cloud.compute.groups.get(call.names["group"])
    if group is None:
        raise Refused(404, f"Instance group {call.names['group']} could not be found.")
    return {"server_group": _group(call, group)}


def _migration(call: Call, migration: Migration) -> dict[str, Any]:
    compute = call.cloud.compute
    server = migration.server
    source = compute.hosts.get(migration.source)
    destination = compute.hosts.get(migration.destination or "")
    body: dict[str, Any] = {
        "created_at": micro(migration.created),
        "dest_compute": migration.destination,
        "dest_host": None if destination is None else "127.0.0.1",
        "dest_node": None if destination is None else destination.hypervisor_hostname,
        "id": migration.id,
        "instance_uuid": server.uuid,
        "new_instance_type_id": migration.new_flavor_id,
        "old_instance_type_id": migration.old_flavor_id,
        "source_compute": migration.source,
        "source_node": None if source is None else source.hypervisor_hostname,
        "status": migration.status,
        "updated_at": micro(migration.updated),
    }
    if call.version >= (2, 23):
        body["migration_type"] = migration.kind
        if migration.kind == "live-migration" and migration.status in IN_PROGRESS:
            body["links"] = _migration_links(call, migration)
    if call.version >= (2, 59):
        body["uuid"] = migration.uuid
    if call.version >= (2, 80):
        body |= {"project_id": server.project_id, "user_id": server.user_id}
    return body


def _migration_links(call: Call, migration: Migration) -> list[dict[str, str]]:
    path = f"/servers/{migration.server.uuid}/migrations/{migration.id}"
    bookmark = call.base.removesuffix("/v2.1")
    return [
        {"href": f"{call.base}/v2.1{path}", "rel": "self"},
        {"href": f"{bookmark}{path}", "rel": "bookmark"},
    ]


def migrations(call: Call) -> Any:
    """GET /os-migrations, the newest first."""
    compute, query = call.cloud.compute, call.query
    if "instance_uuid" in query:
        found = list(compute.migrations_of.get(query["instance_uuid"], ()))
    else:
        found = list(compute.migrations.values())
    wanted = {
        "migration_type": lambda m: m.kind,
        "status": lambda m: m.status,
        "source_compute": lambda m: m.source,
        "host": None,
    }
    for name, value in wanted.items():
        if name in query and value is not None:
            found = [m for m in found if value(m) == query[name]]
    if "host" in query:
        found = [m for m in found if query["host"] in (m.source, m.destination)]
    found.sort(key=lambda m: m.id, reverse=True)
    if call.version < (2, 59):
        return {"migrations": [_migration(call, m) for m in found]}
    page, marker = page_of(call, found, lambda m: m.uuid)
    body = {"migrations": [_migration(call, m) for m in page]}
    return add_links(call, body, "migrations_links", marker)


def server_migration(call: Call, migration: Migration) -> dict[str, Any]:
    """Return a live migration in progress with what its hypervisor says of it."""
    body = _migration(call, migration)
    kept = ("created_at", "dest_compute", "dest_host", "dest_node", "id", "source_compute")
    shown = {key: body[key] for key in (*kept, "source_node", "status", "updated_at")}
    shown["server_uuid"] = migration.server.uuid
    for what in ("memory", "disk"):
        shown |= {f"{what}_{part}_bytes": 0 for part in ("total", "processed", "remaining")}
    for key in ("uuid", "project_id", "user_id"):
        if key in body:
            shown[key] = body[key]
    return shown
