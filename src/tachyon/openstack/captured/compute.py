"""Nova's and Placement's answers as hosts and instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tachyon.graph.entities import (
    Allocations,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    ResourceProvider,
    Resources,
    ServerGroup,
)
from tachyon.graph.mutations import Cluster
from tachyon.openstack.captured.answers import Answer, Capture, moment

_COMPUTE = "nova-compute"
#: What a compute host has of each class, in the fields of a hypervisor before Nova API 2.88.
_HYPERVISOR_TOTALS = {"VCPU": "vcpus", "MEMORY_MB": "memory_mb", "DISK_GB": "local_gb"}


def flavor(flavor: Answer) -> Flavor:
    """Return a flavor of Nova."""
    return Flavor(
        id=flavor["id"],
        name=flavor["name"],
        vcpus=flavor["vcpus"],
        memory_mb=flavor["ram"],
        disk_gb=flavor["disk"],
        ephemeral_gb=flavor["OS-FLV-EXT-DATA:ephemeral"],
        swap_mb=int(flavor["swap"] or 0),
        extra_specs=flavor.get("extra_specs", {}),
    )


def aggregate(aggregate: Answer) -> HostAggregate:
    """Return a host aggregate."""
    return HostAggregate(
        name=aggregate["name"],
        uuid=aggregate.get("uuid"),
        id=aggregate.get("id"),
        availability_zone=aggregate["availability_zone"],
        metadata=aggregate["metadata"],
    )


def server_group(group: Answer) -> ServerGroup:
    """Return a server group, of an API version that names one policy or several."""
    policy = group["policy"] if "policy" in group else group["policies"][0]
    return ServerGroup(
        uuid=group["id"], name=group["name"], policy=policy, rules=group.get("rules") or {}
    )


def hosts(capture: Capture) -> list[ResourceProvider]:
    """Return the compute hosts."""
    services = {s["host"]: s for s in capture.all("nova", _COMPUTE)}
    aggregates: dict[str, list[str]] = {}
    for aggregate in capture.all("nova", "aggregates"):
        for member in aggregate["hosts"]:
            aggregates.setdefault(member, []).append(aggregate["name"])
    inventories = capture.about("inventories")
    traits = capture.about("traits")
    hypervisors = capture.all("nova", "hypervisors")
    # What a virt driver can do is the same on every host of its kind and version.
    like: dict[Any, str] = {_kind(h): h["id"] for h in hypervisors if h["id"] in traits}
    model: Answer = next((inventories[h["id"]] for h in hypervisors if h["id"] in inventories), {})

    def host(hypervisor: Answer) -> ResourceProvider:
        # The host is that of the nova-compute service; a hypervisor may call itself otherwise.
        name = hypervisor["service"]["host"]
        service = {**hypervisor, **services.get(name, {})}
        uuid: str = hypervisor["id"]
        similar = like.get(_kind(hypervisor), uuid)
        return ResourceProvider(
            uuid=uuid,
            name=name,
            type="baremetal" if hypervisor["hypervisor_type"] == "ironic" else "compute",
            status=service["status"],
            state=service["state"],
            disabled_reason=hypervisor["service"]["disabled_reason"],
            availability_zone=service.get("zone"),
            aggregates=tuple(aggregates.get(name, ())),
            traits=tuple(sorted(traits.get(uuid) or traits.get(similar) or ())),
            inventories=_inventories(inventories.get(uuid) or _derived(hypervisor, model)),
            extra={
                name: hypervisor[name]
                for name in ("hypervisor_hostname", "hypervisor_type", "hypervisor_version")
            },
        )

    return capture.build("nova", "hypervisors", host)


def _kind(hypervisor: Answer) -> tuple[Any, Any]:
    return hypervisor.get("hypervisor_type"), hypervisor.get("hypervisor_version")


def _inventories(captured: Mapping[str, Answer]) -> dict[str, Inventory]:
    return {name: msgspec.convert(values, Inventory) for name, values in captured.items()}


def _derived(hypervisor: Answer, model: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the inventories of a host for which none were captured.

    The totals are the hypervisor's own if an old enough API version was captured; all else
    (reserved amounts, ratios, units) is configured alike in a cloud, so it is that of a host whose
    inventories are known.
    """
    derived = {name: dict(values) for name, values in model.items()}
    for name, member in _HYPERVISOR_TOTALS.items():
        total = hypervisor.get(member)
        if total:
            units = {"total": total, "max_unit": total}
            derived[name] = {**derived.get(name, {}), **units}
    return derived


def children(capture: Capture) -> list[ResourceProvider]:
    """Return the providers that only Placement knows: parts of hosts, and sharing providers."""
    hosts = {h["id"] for h in capture.all("nova", "hypervisors")}

    def child(provider: Answer) -> ResourceProvider:
        uuid = provider["uuid"]
        return ResourceProvider(
            uuid=uuid,
            name=provider["name"],
            type="nested" if provider["parent_provider_uuid"] else "sharing",
            parent_uuid=provider["parent_provider_uuid"],
            traits=tuple(sorted(capture.about("traits").get(uuid, ()))),
            inventories=_inventories(capture.about("inventories").get(uuid, {})),
        )

    found = capture.build("placement", "resource_providers", child)
    return [provider for provider in found if provider.uuid not in hosts]


def instances(capture: Capture, cluster: Cluster) -> list[Consumer]:
    """Return the instances that are not deleted."""
    flavors = {f.name: f for f in cluster.flavors}
    hosts = {p.name: p.uuid for p in cluster.providers if p.type in {"compute", "baremetal"}}
    held = _allocations(capture)
    groups = {
        member: group["id"]
        for group in capture.all("nova", "server_groups")
        for member in group["members"]
    }

    def instance(server: Answer) -> Consumer | None:
        if server["OS-EXT-STS:vm_state"] == "deleted":
            return None
        uuid = server["id"]
        name = server["flavor"].get("original_name")
        host = hosts.get(server["OS-EXT-SRV-ATTR:host"])
        allocations = held.get(uuid)
        if allocations is None:
            allocations = {host: _resources(server)} if host is not None else {}
        return Consumer(
            uuid=uuid,
            name=server["name"],
            state=server["OS-EXT-STS:vm_state"],
            status=server["status"],
            locked=server.get("locked", False),
            created_at=moment(server["created"]),
            project_id=server["tenant_id"],
            flavor_id=flavors[name].id if name in flavors else name,
            server_group=groups.get(uuid, next(iter(server.get("server_groups", ())), None)),
            pinned_az=server.get("pinned_availability_zone"),
            allocations=allocations,
            metadata=server["metadata"],
            scheduler_hints=server.get("scheduler_hints", {}),
        )

    return [c for c in capture.build("nova", "servers", instance) if c is not None]


def _allocations(capture: Capture) -> dict[str, Allocations]:
    """Return what Placement says that consumers hold, as far as it was captured."""
    held: dict[str, Allocations] = {}
    for consumer, allocations in capture.about("allocations").items():
        held[consumer] = {uuid: a["resources"] for uuid, a in allocations.items()}
    whole = frozenset(held)
    for provider, allocations in capture.about("provider_allocations").items():
        for consumer, allocation in allocations.items():
            if consumer not in whole:
                held.setdefault(consumer, {})[provider] = allocation["resources"]
    return held


def _resources(server: Answer) -> Resources:
    """Return what Nova claims for a server, from the flavor that the answer embeds (2.47)."""
    flavor = server["flavor"]
    # An instance without an image was booted from a volume: its root disk is elsewhere.
    root = flavor["disk"] if server.get("image") else 0
    asked: Resources = {
        "VCPU": flavor["vcpus"],
        "MEMORY_MB": flavor["ram"],
        "DISK_GB": root + flavor["ephemeral"] + -(-int(flavor["swap"] or 0) // 1024),
    }
    for name, value in flavor.get("extra_specs", {}).items():
        if found := re.fullmatch(r"resources\d*:(\w+)", name):
            asked[found[1]] = int(value)
    return {name: amount for name, amount in asked.items() if amount}
