"""MAAS 2.0: machines and their power. Machines are Ironic's nodes; their keys are OAuth 1.0."""

from __future__ import annotations

import re
from typing import Any

from tachyon.openstack.emulator.operations.node import switch
from tachyon.openstack.emulator.services.requester import requester_of
from tachyon.openstack.emulator.state.baremetal import OFF, ON, Node
from tachyon.openstack.emulator.web import Call, Refused, Route, ServiceType

PREFIX = "/MAAS"
#: The only user's key: consumer, token, secret.
API_KEY = "emulated-consumer:emulated-token:emulated-secret"


def _authorise(call: Call) -> None:
    consumer, token, secret = API_KEY.split(":")
    given = dict(re.findall(r'(oauth_\w+)="([^"]*)"', call.headers.get("AUTHORIZATION", "")))
    wanted = {
        "oauth_consumer_key": consumer,
        "oauth_token": token,
        "oauth_signature_method": "PLAINTEXT",
        "oauth_signature": f"%26{secret}",
    }
    if any(given.get(key) != value for key, value in wanted.items()):
        raise Refused(401, "Authorization Error: Invalid API key.")


def _machine(node: Node) -> dict[str, Any]:
    name = node.hostname or node.name or node.uuid
    return {
        "architecture": "amd64/generic",
        "fqdn": f"{name}.maas",
        "hostname": name,
        "power_state": "on" if node.power_state == ON else "off",
        "resource_uri": f"/MAAS/api/2.0/machines/{node.uuid}/",
        "status": 6,
        "status_name": "Deployed",
        "system_id": node.uuid,
    }


def _machines(call: Call) -> Any:
    _authorise(call)
    return [_machine(node) for node in call.cloud.baremetal.nodes.values()]


def _node(call: Call) -> Node:
    _authorise(call)
    node = call.cloud.baremetal.find(call.names["machine"])
    if node is None:
        raise Refused(404, "No Machine matches the given query.")
    return node


def _show(call: Call) -> Any:
    node = _node(call)
    if call.query.get("op") == "query_power_state":
        return {"state": _machine(node)["power_state"]}
    return _machine(node)


def _act(call: Call) -> Any:
    node = _node(call)
    wanted = {"power_on": ON, "power_off": OFF}.get(call.query.get("op", ""))
    if wanted is None:
        raise Refused(400, f"Unrecognised signature: method=POST op={call.query.get('op')}")
    call.cloud.begin(switch(call.cloud, requester_of(call), node, wanted))
    return _machine(node)


MAAS = ServiceType(
    name="maas",
    prefix=PREFIX,
    error=lambda _status, message, _code: message,
    routes=(
        Route("GET", "/api/2.0/machines", _machines, public=True),
        Route("GET", "/api/2.0/machines/{machine}", _show, public=True),
        Route("POST", "/api/2.0/machines/{machine}", _act, public=True),
    ),
)
