"""Nova's and Placement's answers as compute hosts, instances and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from tachyon.graph.entities import (
    Allocations,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
    Resources,
    ServerGroup,
    State,
    Status,
)
from tachyon.openstack.mapping.answers import Answer, moment

#: The binary whose services are compute hosts; those of all others are none of the graph's.
COMPUTE_BINARY = "nova-compute"
#: Hypervisors of this type are Ironic's nodes, which the baremetal model holds.
IRONIC = "ironic"
#: States of an instance that Nova's own lists leave out.
GONE_STATES = frozenset({"deleted", "soft-delete"})

_KEPT_OF_HYPERVISOR = ("hypervisor_hostname", "hypervisor_type", "hypervisor_version")


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


def project(project: Answer) -> Project:
    """Return a project of Keystone."""
    return Project(external_id=project["id"], name=project["name"])


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


def group_of_members(groups: Iterable[Answer]) -> dict[str, str]:
    """Return the server group of each server that is in one."""
    return {member: group["id"] for group in groups for member in group["members"]}


def aggregates_of_hosts(aggregates: Iterable[Answer]) -> dict[str, list[str]]:
    """Return the names of each host's aggregates."""
    names: dict[str, list[str]] = {}
    for aggregate in aggregates:
        for host in aggregate["hosts"]:
            names.setdefault(host, []).append(aggregate["name"])
    return names


def host_name(hypervisor: Answer) -> str:
    """Return a hypervisor's host as its nova-compute service names it."""
    name: str = hypervisor["service"]["host"]
    return name


def is_compute_host(hypervisor: Answer) -> bool:
    """Tell whether a hypervisor is a compute host; Ironic's nodes are not."""
    return bool(hypervisor.get("hypervisor_type") != IRONIC)


#: Trait that Nova gives the provider of a host whose service is disabled.
DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"


class Service(msgspec.Struct, frozen=True):
    """What a nova-compute service says of its host."""

    status: Status
    state: State
    disabled_reason: str | None
    zone: str | None


def service(answer: Answer) -> Service:
    """Return what a nova-compute service says of its host."""
    return Service(
        status=answer["status"],
        state=answer["state"],
        disabled_reason=answer["disabled_reason"],
        zone=answer.get("zone"),
    )


def contradicts_traits(host: ResourceProvider) -> bool:
    """Tell whether Nova has a host disabled and Placement enabled, or the other way round."""
    return bool(host.traits) and (host.status == "disabled") != (DISABLED_TRAIT in host.traits)


def compute_host(
    hypervisor: Answer,
    service: Service | None,
    *,
    aggregates: Sequence[str],
    inventories: Mapping[str, Answer],
    traits: Iterable[str],
    extra: Mapping[str, Any] | None = None,
    type: Literal["compute", "baremetal"] = "compute",
) -> ResourceProvider:
    """Return a hypervisor as a compute host.

    Args:
        hypervisor: of `GET /os-hypervisors/detail` (2.53 or later, where its id is the uuid of
            its provider in Placement).
        service: of its nova-compute; None: what the hypervisor itself says of it.
        aggregates: names of its aggregates.
        inventories: of its provider, by class.
        traits: of its provider.
        extra: what else to keep.
        type: of the provider.
    """
    reason = hypervisor["service"]["disabled_reason"]
    own = service or Service(
        status=hypervisor["status"], state=hypervisor["state"], disabled_reason=reason, zone=None
    )
    return ResourceProvider(
        uuid=hypervisor["id"],
        name=host_name(hypervisor),
        type=type,
        status=own.status,
        state=own.state,
        disabled_reason=own.disabled_reason or (reason if own.status == "disabled" else None),
        availability_zone=own.zone,
        aggregates=tuple(aggregates),
        traits=tuple(sorted(traits)),
        inventories=inventories_of(inventories),
        extra={**{name: hypervisor[name] for name in _KEPT_OF_HYPERVISOR}, **(extra or {})},
    )


def inventories_of(answer: Mapping[str, Answer]) -> dict[str, Inventory]:
    """Return the inventories of a provider, by class."""
    return {name: msgspec.convert(values, Inventory) for name, values in answer.items()}


def other_provider(
    provider: Answer,
    *,
    inventories: Mapping[str, Answer],
    traits: Iterable[str],
    extra: Mapping[str, Any] | None = None,
) -> ResourceProvider:
    """Return a provider that only Placement knows: part of a host, or a sharing provider."""
    return ResourceProvider(
        uuid=provider["uuid"],
        name=provider["name"],
        type="nested" if provider["parent_provider_uuid"] else "sharing",
        parent_uuid=provider["parent_provider_uuid"],
        traits=tuple(sorted(traits)),
        inventories=inventories_of(inventories),
        extra=dict(extra or {}),
    )


def instance(
    server: Answer,
    *,
    flavor_ids: Mapping[str, str],
    allocations: Allocations,
    server_group: str | None,
    extra: Mapping[str, Any] | None = None,
) -> Consumer:
    """Return a server.

    Args:
        server: of `GET /servers/detail` (2.47 or later, which embeds the flavor).
        flavor_ids: ids of flavors by their name, as the embedded flavor has but a name.
        allocations: what it holds.
        server_group: the group it is in, when the answer does not say (before 2.71).
        extra: what else to keep.
    """
    name = server["flavor"].get("original_name")
    return Consumer(
        uuid=server["id"],
        name=server["name"],
        state=server["OS-EXT-STS:vm_state"],
        status=server["status"],
        locked=server.get("locked", False),
        created_at=moment(server["created"]),
        project_id=server["tenant_id"],
        flavor_id=flavor_ids.get(name, name),
        server_group=server_group or next(iter(server.get("server_groups") or ()), None),
        pinned_az=server.get("pinned_availability_zone"),
        allocations=allocations,
        metadata=server["metadata"],
        scheduler_hints=server.get("scheduler_hints") or {},
        extra=dict(extra or {}),
    )


def held_by_consumers(
    by_provider: Mapping[str, Mapping[str, Resources]],
) -> dict[str, Allocations]:
    """Return what each consumer holds from what is held on each provider."""
    held: dict[str, Allocations] = {}
    for provider, consumers in by_provider.items():
        for consumer, resources in consumers.items():
            held.setdefault(consumer, {})[provider] = resources
    return held


def claimed(server: Answer) -> Resources:
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
