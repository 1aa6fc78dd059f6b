"""Nova's calls that change services, host aggregates and server groups."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.notifications.nova import Teller
from tachyon.openstack.emulator.services import catalogue
from tachyon.openstack.emulator.services.hypervisors import service
from tachyon.openstack.emulator.services.requester import requester_of
from tachyon.openstack.emulator.state.compute import Aggregate, Group, Host
from tachyon.openstack.emulator.web import Call, Refused, Route
from tachyon.openstack.mapping.compute import DISABLED_TRAIT


def _teller(call: Call) -> Teller:
    return Teller(call.cloud, requester_of(call))


def change_service(call: Call) -> Any:
    """PUT /os-services/{service}: enable, disable, force down (from 2.53 on)."""
    key = call.names["service"]
    host = next((h for h in call.cloud.compute.hosts.values() if h.service_id == key), None)
    if host is None:
        raise Refused(404, f"Service {key} could not be found.")
    asked = call.body if isinstance(call.body, dict) else {}
    status = asked.get("status")
    if status not in (None, "enabled", "disabled") or not asked:
        raise Refused(400, "Invalid input for field/attribute status.")
    if "disabled_reason" in asked and status != "disabled":
        raise Refused(400, "Specifying disabled_reason requires that status is disabled.")
    if status is not None:
        host.disabled = status == "disabled"
        host.disabled_reason = asked.get("disabled_reason") if host.disabled else None
        _mark_in_placement(call, host)
    if "forced_down" in asked:
        host.forced_down = bool(asked["forced_down"])
    host.report_count += 1
    if host.alive:
        host.last_seen = call.cloud.now()
    _teller(call).service(host)
    return {"service": service(call, host)}


def _mark_in_placement(call: Call, host: Host) -> None:
    """Let Placement leave out a host whose service is disabled, as nova-compute does."""
    provider = call.cloud.placement.providers[host.uuid]
    traits = [t for t in provider.traits if t != DISABLED_TRAIT]
    if host.disabled:
        traits.append(DISABLED_TRAIT)
    if traits != provider.traits:
        provider.traits = traits
        provider.generation += 1


def create_aggregate(call: Call) -> Any:
    """POST /os-aggregates."""
    asked = call.member("aggregate")
    found = call.cloud.compute.aggregates
    if any(a.name == asked.get("name") for a in found.values()):
        raise Refused(409, f"Aggregate {asked['name']} already exists.")
    zone = asked.get("availability_zone")
    made = Aggregate(
        id=max(found, default=0) + 1,
        uuid=call.cloud.new_id(),
        name=str(asked["name"]),
        created=call.cloud.now(),
        zone=zone,
        metadata={"availability_zone": zone} if zone else {},
    )
    teller = _teller(call)
    teller.aggregate("create.start", made)
    found[made.id] = made
    teller.aggregate("create.end", made)
    return {"aggregate": catalogue.aggregate(call, made)}


def delete_aggregate(call: Call) -> Any:
    """DELETE /os-aggregates/{aggregate}."""
    found = catalogue.aggregate_of(call)
    if found.hosts:
        raise Refused(400, f"Cannot remove aggregate {found.id}: it is not empty.")
    teller = _teller(call)
    teller.aggregate("delete.start", found)
    del call.cloud.compute.aggregates[found.id]
    teller.aggregate("delete.end", found)


def update_aggregate(call: Call) -> Any:
    """PUT /os-aggregates/{aggregate}: its name and zone."""
    found = catalogue.aggregate_of(call)
    asked = call.member("aggregate")
    teller = _teller(call)
    teller.aggregate("update_prop.start", found)
    found.name = str(asked.get("name", found.name))
    if "availability_zone" in asked:
        _set_metadata(call, found, {"availability_zone": asked["availability_zone"]})
    found.updated = call.cloud.now()
    teller.aggregate("update_prop.end", found)
    return {"aggregate": catalogue.aggregate(call, found)}


def _set_metadata(call: Call, found: Aggregate, given: dict[str, Any]) -> None:
    merged = {**found.metadata, **given}
    found.metadata = {key: str(value) for key, value in merged.items() if value is not None}
    if "availability_zone" in given:
        found.zone = found.metadata.get("availability_zone")
        for name in found.hosts:
            call.cloud.compute.hosts[name].zone = found.zone or "nova"


def act_on_aggregate(call: Call) -> Any:
    """POST /os-aggregates/{aggregate}/action: add_host, remove_host, set_metadata."""
    found = catalogue.aggregate_of(call)
    if not isinstance(call.body, dict) or len(call.body) != 1:
        raise Refused(400, "There is no such action.")
    action, arguments = next(iter(call.body.items()))
    event = {"set_metadata": "update_metadata"}.get(action, action)
    teller = _teller(call)
    if action == "set_metadata":
        teller.aggregate(f"{event}.start", found)
        _set_metadata(call, found, dict(arguments["metadata"]))
    elif action in {"add_host", "remove_host"}:
        host = call.cloud.compute.hosts.get(str(arguments.get("host")))
        if host is None:
            raise Refused(404, f"Compute host {arguments.get('host')} could not be found.")
        if (host.name in found.hosts) == (action == "add_host"):
            code, word = (409, "already") if action == "add_host" else (404, "not")
            raise Refused(code, f"Host {host.name} is {word} in aggregate {found.id}.")
        teller.aggregate(f"{event}.start", found)
        _change_membership(call, found, host, member=action == "add_host")
    else:
        raise Refused(400, f"There is no such action: {action}")
    found.updated = call.cloud.now()
    teller.aggregate(f"{event}.end", found)
    return {"aggregate": catalogue.aggregate(call, found)}


def _change_membership(call: Call, found: Aggregate, host: Host, *, member: bool) -> None:
    provider = call.cloud.placement.providers[host.uuid]
    if member:
        found.hosts.append(host.name)
        provider.aggregates = [*provider.aggregates, found.uuid]
        if found.zone is not None:
            host.zone = found.zone
    else:
        found.hosts.remove(host.name)
        provider.aggregates = [uuid for uuid in provider.aggregates if uuid != found.uuid]
        if found.zone is not None:
            host.zone = "nova"
    provider.generation += 1


def create_group(call: Call) -> Any:
    """POST /os-server-groups."""
    asked = call.member("server_group")
    policy = asked.get("policy") or next(iter(asked.get("policies") or [None]))
    if policy is None:
        raise Refused(400, "Invalid input: 'policy' is a required property")
    made = Group(
        uuid=call.cloud.new_id(),
        name=str(asked.get("name", "")),
        policy=policy,
        project_id=call.project_id,
        user_id=call.token.user.id if call.token is not None else "",
        rules=dict(asked.get("rules") or {}),
    )
    call.cloud.compute.groups[made.uuid] = made
    _teller(call).group("create", made)
    call.names["group"] = made.uuid
    return catalogue.one_group(call)


def delete_group(call: Call) -> Any:
    """DELETE /os-server-groups/{group}."""
    catalogue.one_group(call)
    found = call.cloud.compute.groups.pop(call.names["group"])
    for uuid in found.members:
        if (server := call.cloud.compute.servers.get(uuid)) is not None:
            server.group = None
    _teller(call).group("delete", found)


_V = "/v2.1"

ROUTES = (
    Route("PUT", f"{_V}/os-services/{{service}}", change_service, admin=True),
    Route("POST", f"{_V}/os-aggregates", create_aggregate, admin=True),
    Route("PUT", f"{_V}/os-aggregates/{{aggregate}}", update_aggregate, admin=True),
    Route("DELETE", f"{_V}/os-aggregates/{{aggregate}}", delete_aggregate, admin=True),
    Route("POST", f"{_V}/os-aggregates/{{aggregate}}/action", act_on_aggregate, admin=True),
    Route("POST", f"{_V}/os-server-groups", create_group),
    Route("DELETE", f"{_V}/os-server-groups/{{group}}", delete_group, status=204),
)
