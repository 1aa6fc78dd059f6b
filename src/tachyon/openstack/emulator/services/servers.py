"""Nova's servers as its API shows them: one, and lists of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tachyon.openstack.emulator.services.paging import add_links, page_of
from tachyon.openstack.emulator.state.compute import Flavor, Server
from tachyon.openstack.emulator.times import micro, zulu
from tachyon.openstack.emulator.web import Call, Refused, flag

#: Key of a sort → what is compared, and whether it stays the same for a server.
_SORTS: dict[str, tuple[Callable[[Server], Any], bool]] = {
    "created_at": (lambda s: s.created, True),
    "uuid": (lambda s: s.uuid, True),
    "project_id": (lambda s: s.project_id, True),
    "updated_at": (lambda s: s.updated, False),
    "display_name": (lambda s: s.name, False),
    "host": (lambda s: s.host or "", False),
    "vm_state": (lambda s: s.vm_state, False),
}
_PROGRESS = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"}


def server_of(call: Call) -> Server:
    """Return the server that a path names, if the caller may see it; raises `Refused` (404)."""
    uuid = call.names["server"]
    server = call.cloud.compute.servers.get(uuid)
    if server is None or not (call.is_admin or server.project_id == call.project_id):
        raise Refused(404, f"Instance {uuid} could not be found.")
    return server


def links(call: Call, server: Server) -> list[dict[str, str]]:
    """Return the links of a server."""
    bookmark = call.base.removesuffix("/v2.1")
    return [
        {"href": f"{call.base}/v2.1/servers/{server.uuid}", "rel": "self"},
        {"href": f"{bookmark}/servers/{server.uuid}", "rel": "bookmark"},
    ]


def detail(call: Call, server: Server) -> dict[str, Any]:
    """Return a server with all its fields."""
    version = call.version
    body: dict[str, Any] = {
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": (server.zone or "") if server.host else "",
        "OS-EXT-STS:power_state": server.power_state,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-SRV-USG:launched_at": micro(server.launched),
        "OS-SRV-USG:terminated_at": micro(server.terminated),
        "accessIPv4": "",
        "accessIPv6": "",
        "addresses": {},
        "config_drive": "",
        "created": zulu(server.created),
        "flavor": _flavor(call, server.flavor),
        "hostId": server.host_id,
        "id": server.uuid,
        "image": _image(call, server),
        "key_name": None,
        "links": links(call, server),
        "metadata": server.metadata,
        "name": server.name,
        "os-extended-volumes:volumes_attached": [
            {"id": v.volume_id, "delete_on_termination": v.delete_on_termination}
            if version >= (2, 3)
            else {"id": v.volume_id}
            for v in server.volumes.values()
        ],
        "status": server.status,
        "tenant_id": server.project_id,
        "updated": zulu(server.updated),
        "user_id": server.user_id,
    }
    if body["status"] in _PROGRESS:
        body["progress"] = 0
    if server.fault is not None and body["status"] in {"ERROR", "DELETED"}:
        body["fault"] = server.fault
    if call.is_admin:
        body |= _for_administrators(call, server)
    if version >= (2, 9):
        body["locked"] = server.locked
    if version >= (2, 19):
        body["description"] = server.description
    if version >= (2, 26):
        body["tags"] = server.tags
    if version >= (2, 63):
        body["trusted_image_certificates"] = None
    if version >= (2, 73):
        body["locked_reason"] = server.locked_reason
    if version >= (2, 96):
        body["pinned_availability_zone"] = server.pinned_zone
    if version >= (2, 100):
        body["scheduler_hints"] = server.hints
    return body


def _for_administrators(call: Call, server: Server) -> dict[str, Any]:
    body: dict[str, Any] = {
        "OS-EXT-SRV-ATTR:host": server.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.node,
        "OS-EXT-SRV-ATTR:instance_name": server.instance_name,
    }
    if call.version >= (2, 3):
        body |= {
            "OS-EXT-SRV-ATTR:hostname": re.sub(r"[^a-z0-9.-]", "-", server.name.lower()),
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:launch_index": 0,
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/sda",
            "OS-EXT-SRV-ATTR:user_data": None,
        }
    if call.version >= (2, 16):
        host = call.cloud.compute.hosts.get(server.host or "")
        if host is None:
            status = ""
        elif not host.up:
            status = "DOWN"
        else:
            status = "MAINTENANCE" if host.disabled else "UP"
        body["host_status"] = status
    return body


def _image(call: Call, server: Server) -> Any:
    if server.image is None:
        return ""
    bookmark = call.base.removesuffix("/v2.1")
    image: dict[str, Any] = {
        "id": server.image,
        "links": [{"href": f"{bookmark}/images/{server.image}", "rel": "bookmark"}],
    }
    if call.version >= (2, 98):
        image["properties"] = {}
    return image


def _flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    if call.version < (2, 47):
        bookmark = call.base.removesuffix("/v2.1")
        return {
            "id": flavor.id,
            "links": [{"href": f"{bookmark}/flavors/{flavor.id}", "rel": "bookmark"}],
        }
    return {
        "disk": flavor.disk,
        "ephemeral": flavor.ephemeral,
        "extra_specs": flavor.extra_specs,
        "original_name": flavor.name,
        "ram": flavor.ram,
        "swap": flavor.swap,
        "vcpus": flavor.vcpus,
    }


def show(call: Call) -> Any:
    """GET /servers/{server}."""
    server = server_of(call)
    body = detail(call, server)
    if call.version >= (2, 71):
        body["server_groups"] = [server.group] if server.group is not None else []
    return {"server": body}


def index(call: Call) -> Any:
    """GET /servers."""
    page, marker = _page(call)
    found = [{"id": s.uuid, "links": links(call, s), "name": s.name} for s in page]
    return add_links(call, {"servers": found}, "servers_links", marker)


def index_detail(call: Call) -> Any:
    """GET /servers/detail."""
    page, marker = _page(call)
    return add_links(call, {"servers": [detail(call, s) for s in page]}, "servers_links", marker)


def _page(call: Call) -> tuple[Sequence[Server], str | None]:
    key = call.query.get("sort_key", "created_at")
    if key not in _SORTS:
        raise Refused(400, f"Invalid input for query parameters sort_key. Value: {key}.")
    value, steady = _SORTS[key]
    descending = call.query.get("sort_dir", "desc").startswith("desc")
    servers, rows = call.cloud.compute.ordered(key, descending, value, keep=steady)
    matching = _filters(call)
    if not matching:
        return page_of(call, servers, lambda s: s.uuid, row_of=rows.get)
    if (host := call.query.get("host")) is not None and call.is_admin:
        found = call.cloud.compute.hosts.get(host)
        servers = sorted(found.servers.values(), key=lambda s: rows[s.uuid]) if found else []
    if "changes-since" in call.query:
        servers = [*servers, *call.cloud.compute.deleted.values()]
    return page_of(call, [s for s in servers if all(f(s) for f in matching)], lambda s: s.uuid)


def _filters(call: Call) -> list[Callable[[Server], bool]]:
    query = call.query
    filters: list[Callable[[Server], bool]] = []
    if flag(query.get("all_tenants")) or ("all_tenants" in query and query["all_tenants"] == ""):
        call.needs_admin()
        project = query.get("project_id") or query.get("tenant_id")
    else:
        project = call.project_id
    if project is not None:
        filters.append(lambda s: s.project_id == project)
    if "changes-since" in query:
        try:
            since = datetime.fromisoformat(query["changes-since"])
        except ValueError:
            raise Refused(400, "Invalid input for query parameters changes-since.") from None
        filters.append(lambda s: s.updated.replace(microsecond=0) >= since)
    exact: dict[str, Callable[[Server], Any]] = {
        "status": lambda s: s.status,
        "vm_state": lambda s: s.vm_state,
        "host": lambda s: s.host,
        "node": lambda s: s.node,
        "uuid": lambda s: s.uuid,
        "flavor": lambda s: s.flavor.id,
        "task_state": lambda s: s.task_state,
    }
    for name, value in exact.items():
        if name in query:
            wanted = query[name].upper() if name == "status" else query[name]
            filters.append(lambda s, value=value, wanted=wanted: value(s) == wanted)  # type: ignore[misc]
    if "name" in query:
        try:
            pattern = re.compile(query["name"])
        except re.error:
            raise Refused(400, "Invalid input for query parameters name.") from None
        filters.append(lambda s: bool(pattern.search(s.name)))
    return filters


def volume_attachments(call: Call) -> Any:
    """GET /servers/{server}/os-volume_attachments."""
    server = server_of(call)
    found = []
    for attachment in server.volumes.values():
        body: dict[str, Any] = {
            "device": attachment.device,
            "serverId": server.uuid,
            "volumeId": attachment.volume_id,
        }
        if call.version >= (2, 70):
            body["tag"] = None
        if call.version >= (2, 79):
            body["delete_on_termination"] = attachment.delete_on_termination
        if call.version >= (2, 89):
            body |= {"attachment_id": attachment.id, "bdm_uuid": attachment.bdm_uuid}
        else:
            body["id"] = attachment.volume_id
        found.append(body)
    return {"volumeAttachments": found}
