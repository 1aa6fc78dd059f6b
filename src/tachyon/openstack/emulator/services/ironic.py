"""Ironic v1: nodes, their power and maintenance."""

from __future__ import annotations

import json
from typing import Any

from tachyon.openstack.emulator.notifications.ironic import INTERFACES, OWNER, Teller
from tachyon.openstack.emulator.operations.node import PROVISIONS, maintain, provision, switch
from tachyon.openstack.emulator.services.paging import page_of
from tachyon.openstack.emulator.services.requester import requester_of
from tachyon.openstack.emulator.state.baremetal import OFF, ON, REBOOT, Node
from tachyon.openstack.emulator.times import offset
from tachyon.openstack.emulator.web import Call, Refused, Route, ServiceType, flag

PREFIX = "/baremetal"
_LEGACY = "X-OpenStack-Ironic-API-Version"


def _root(call: Call) -> Any:
    version = {
        "id": "v1",
        "links": [{"href": f"{call.base}/v1/", "rel": "self"}],
        "min_version": "1.1",
        "status": "CURRENT",
        "version": "1.99",
    }
    return {
        "default_version": version,
        "description": "Ironic is an OpenStack project which enables the provision and management "
        "of baremetal machines.",
        "name": "OpenStack Ironic API",
        "versions": [version],
    }


#: What else the API has, of which nothing is emulated.
_COLLECTIONS = (
    "allocations",
    "chassis",
    "conductors",
    "deploy_templates",
    "drivers",
    "events",
    "heartbeat",
    "lookup",
    "nodes",
    "portgroups",
    "ports",
    "volume",
)


def _v1(call: Call) -> Any:
    base = f"{call.base}/v1"
    return {
        "id": "v1",
        "links": [
            {"href": f"{base}/", "rel": "self"},
            {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"},
        ],
        "media_types": {
            "base": "application/json",
            "type": "application/vnd.openstack.ironic.v1+json",
        },
        "version": _root(call)["default_version"],
        **{name: _links(call, f"{name}/") for name in _COLLECTIONS},
    }


#: Fields of a node that never have a value here, by the API version that brought them.
_EMPTY: dict[str, tuple[int, Any]] = {
    "chassis_uuid": (1, None),
    "console_enabled": (1, False),
    "driver_info": (1, {}),
    "instance_info": (1, {}),
    "instance_uuid": (1, None),
    "inspection_finished_at": (6, None),
    "inspection_started_at": (6, None),
    "reservation": (1, None),
    "driver_internal_info": (3, {}),
    "clean_step": (7, {}),
    "raid_config": (12, {}),
    "target_raid_config": (12, {}),
    "fault": (42, None),
    "deploy_step": (44, {}),
    "conductor_group": (46, ""),
    "automated_clean": (47, None),
    "protected": (48, False),
    "protected_reason": (48, None),
    "conductor": (49, "controller"),
    "owner": (50, OWNER),
    "description": (51, None),
    "allocation_uuid": (52, None),
    "retired": (61, False),
    "retired_reason": (61, None),
    "lessee": (65, None),
    "network_data": (66, {}),
    "boot_mode": (75, None),
    "secure_boot": (75, None),
}
#: The API versions that brought the interfaces of a node, those of most of them together.
_INTERFACES_SINCE = {"storage_interface": 33, "rescue_interface": 38, "bios_interface": 40}
_MOST_INTERFACES = 31
#: What lies below a node, by the API version that brought it.
_BELOW = {"ports": 1, "states": 14, "portgroups": 24, "volume": 32}


def _node(call: Call, node: Node) -> dict[str, Any]:
    minor = call.version[1]
    body: dict[str, Any] = {
        "created_at": offset(node.created),
        "driver": "fake-hardware",
        "extra": node.extra,
        "last_error": node.last_error,
        "links": _links(call, f"nodes/{node.uuid}"),
        "maintenance": node.maintenance,
        "maintenance_reason": node.maintenance_reason,
        "power_state": node.power_state,
        "properties": node.properties,
        "provision_state": node.provision_state,
        "provision_updated_at": offset(node.created),
        "target_power_state": node.target_power_state,
        "target_provision_state": node.target_provision_state,
        "updated_at": offset(node.updated),
        "uuid": node.uuid,
    }
    if minor >= 5:
        body["name"] = node.name
    if minor >= 21:
        body["resource_class"] = node.resource_class
    if minor >= 37:
        body["traits"] = node.traits
    for name, kind in INTERFACES.items():
        if minor >= _INTERFACES_SINCE.get(name, _MOST_INTERFACES):
            body[name] = kind
    for name, since in _BELOW.items():
        if minor >= since:
            body[name] = _links(call, f"nodes/{node.uuid}/{name}")
    return body | {name: value for name, (since, value) in _EMPTY.items() if minor >= since}


def _links(call: Call, path: str) -> list[dict[str, str]]:
    return [
        {"href": f"{call.base}/v1/{path}", "rel": "self"},
        {"href": f"{call.base}/{path}", "rel": "bookmark"},
    ]


_BRIEF = (
    "instance_uuid",
    "links",
    "maintenance",
    "name",
    "power_state",
    "provision_state",
    "uuid",
)


def _nodes(call: Call) -> Any:
    query = call.query
    found = list(call.cloud.baremetal.nodes.values())
    if "maintenance" in query:
        found = [n for n in found if n.maintenance == flag(query["maintenance"])]
    if "resource_class" in query:
        found = [n for n in found if n.resource_class == query["resource_class"]]
    page, marker = page_of(call, found, lambda n: n.uuid)
    bodies = [_node(call, node) for node in page]
    fields = query.get("fields")
    if not (call.path.endswith("/detail") or flag(query.get("detail"))):
        wanted = fields.split(",") if fields else _BRIEF
        bodies = [{k: body[k] for k in wanted if k in body} for body in bodies]
    answer: dict[str, Any] = {"nodes": bodies}
    if marker is not None:
        kept = "&".join(f"{k}={v}" for k, v in call.pairs if k != "marker")
        answer["next"] = f"{call.base}{call.path}?{kept}&marker={marker}"
    return answer


def node_of(call: Call) -> Node:
    """Return the node that a path names; raises `Refused` (404)."""
    node = call.cloud.baremetal.find(call.names["node"])
    if node is None:
        raise Refused(404, f"Node {call.names['node']} could not be found.")
    return node


def _states(call: Call) -> Any:
    body = _node(call, node_of(call))
    kept = ("console_enabled", "last_error", "power_state", "provision_state")
    more = ("provision_updated_at", "target_power_state", "target_provision_state", "raid_config")
    newer = ("boot_mode", "secure_boot") if call.version >= (1, 75) else ()
    return {key: body.get(key) for key in (*kept, *more, "target_raid_config", *newer)}


def _set_power(call: Call) -> Any:
    node = node_of(call)
    wanted = call.member("target")
    if wanted not in (ON, OFF, REBOOT):
        raise Refused(400, f"Invalid target power state: {wanted}")
    if node.target_power_state is not None:
        raise Refused(409, f"Node {node.uuid} is locked by host controller.")
    call.cloud.begin(switch(call.cloud, requester_of(call), node, wanted))


def _set_maintenance(call: Call) -> Any:
    reason = call.body.get("reason") if isinstance(call.body, dict) else None
    maintain(call.cloud, requester_of(call), node_of(call), reason, on=True)


def _unset_maintenance(call: Call) -> Any:
    maintain(call.cloud, requester_of(call), node_of(call), None, on=False)


def _set_provision(call: Call) -> Any:
    node = node_of(call)
    wanted = call.member("target")
    begins, steps = PROVISIONS.get(wanted, ((), []))
    if node.provision_state not in begins:
        raise Refused(
            400,
            f'The requested action "{wanted}" can not be performed on node "{node.uuid}" while it '
            f'is in state "{node.provision_state}".',
        )
    call.cloud.begin(provision(call.cloud, requester_of(call), node, steps))


def _create(call: Call) -> Any:
    baremetal, now = call.cloud.baremetal, call.cloud.now()
    if call.member("driver") != "fake-hardware":
        raise Refused(400, f"No valid host was found. Reason: no driver {call.body['driver']}.")
    name = call.body.get("name")
    if name is not None and baremetal.find(name) is not None:
        raise Refused(409, f"A node with name {name} already exists.")
    node = Node(
        call.body.get("uuid") or call.cloud.new_id(),
        name,
        now,
        now,
        power_state=None,
        provision_state="enroll",
        resource_class=call.body.get("resource_class"),
        properties=call.body.get("properties") or {},
        extra=call.body.get("extra") or {},
    )
    teller = Teller(call.cloud, requester_of(call))
    teller.changed("create", "start", node)
    baremetal.add(node)
    teller.changed("create", "end", node)
    return _node(call, node)


def _delete(call: Call) -> Any:
    node = node_of(call)
    if node.provision_state not in {"enroll", "available", "manageable"}:
        raise Refused(
            409, f"Node {node.uuid} can not be deleted while it is in state {node.provision_state}."
        )
    teller = Teller(call.cloud, requester_of(call))
    teller.changed("delete", "start", node)
    call.cloud.baremetal.remove(node)
    teller.changed("delete", "end", node)


def _patch(call: Call) -> Any:
    """Change the name, or `extra` or `properties` by a JSON patch of whole members."""
    node = node_of(call)
    teller = Teller(call.cloud, requester_of(call))
    teller.changed("update", "start", node)
    for change in call.body or []:
        _change(call, node, change)
    node.updated = call.cloud.now()
    teller.changed("update", "end", node)
    return _node(call, node)


def _change(call: Call, node: Node, change: dict[str, Any]) -> None:
    member, _, key = str(change.get("path", "")).strip("/").partition("/")
    value = change.get("value")
    if member == "name" and isinstance(value, str) and not key:
        if call.cloud.baremetal.find(value) not in (None, node):
            raise Refused(409, f"A node with name {value} already exists.")
        call.cloud.baremetal.rename(node, value)
        return
    if member not in {"extra", "properties"} or not key:
        raise Refused(400, f"'/{member}' is an internal attribute and can not be updated")
    found = node.extra if member == "extra" else node.properties
    if change.get("op") == "remove":
        found.pop(key, None)
    else:
        found[key] = value


def _error(status: int, message: str, _code: str) -> Any:
    """Return an error as Ironic writes it: a document in a string."""
    fault = "Client" if status < 500 else "Server"
    told = {"faultcode": fault, "faultstring": message, "debuginfo": None}
    return {"error_message": json.dumps(told)}


ROUTES = (
    Route("GET", "/", _root, public=True),
    Route("GET", "/v1", _v1, public=True),
    Route("GET", "/v1/nodes", _nodes, admin=True),
    Route("POST", "/v1/nodes", _create, status=201, admin=True),
    Route("GET", "/v1/nodes/detail", _nodes, admin=True),
    Route("GET", "/v1/nodes/{node}", lambda call: _node(call, node_of(call)), admin=True),
    Route("GET", "/v1/nodes/{node}/states", _states, admin=True),
    Route("PUT", "/v1/nodes/{node}/states/power", _set_power, status=202, admin=True),
    Route("PUT", "/v1/nodes/{node}/states/provision", _set_provision, status=202, admin=True),
    Route("PUT", "/v1/nodes/{node}/maintenance", _set_maintenance, status=202, admin=True),
    Route("DELETE", "/v1/nodes/{node}/maintenance", _unset_maintenance, status=202, admin=True),
    Route("PATCH", "/v1/nodes/{node}", _patch, admin=True),
    Route("DELETE", "/v1/nodes/{node}", _delete, status=204, admin=True),
)

IRONIC = ServiceType(
    name="ironic",
    prefix=PREFIX,
    error=_error,
    header="baremetal",
    legacy=_LEGACY,
    oldest=(1, 1),
    newest=(1, 99),
    default=(1, 1),
    routes=ROUTES,
)
