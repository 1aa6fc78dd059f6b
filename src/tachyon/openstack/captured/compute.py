"""Captured answers of Nova and Placement as hosts and instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tachyon.graph.entities import Allocations, Consumer, ResourceProvider
from tachyon.graph.mutations import Cluster
from tachyon.openstack.captured.answers import Capture
from tachyon.openstack.mapping import compute as mapping
from tachyon.openstack.mapping.answers import Answer

#: What a compute host has of each class, in the fields of a hypervisor before Nova API 2.88.
_HYPERVISOR_TOTALS = {"VCPU": "vcpus", "MEMORY_MB": "memory_mb", "DISK_GB": "local_gb"}


def hosts(capture: Capture) -> list[ResourceProvider]:
    """Return the compute hosts."""
    services = {s["host"]: s for s in capture.all("nova", mapping.COMPUTE_BINARY)}
    aggregates = mapping.aggregates_of_hosts(capture.all("nova", "aggregates"))
    inventories = capture.about("inventories")
    traits = capture.about("traits")
    hypervisors = capture.all("nova", "hypervisors")
    # What a virt driver can do is the same on every host of its kind and version.
    like: dict[Any, str] = {_kind(h): h["id"] for h in hypervisors if h["id"] in traits}
    model: Answer = next((inventories[h["id"]] for h in hypervisors if h["id"] in inventories), {})

    def host(hypervisor: Answer) -> ResourceProvider:
        name = mapping.host_name(hypervisor)
        uuid: str = hypervisor["id"]
        similar = like.get(_kind(hypervisor), uuid)
        return mapping.compute_host(
            hypervisor,
            mapping.service(services[name]) if name in services else None,
            aggregates=aggregates.get(name, ()),
            inventories=inventories.get(uuid) or _derived(hypervisor, model),
            traits=traits.get(uuid) or traits.get(similar) or (),
            type="compute" if mapping.is_compute_host(hypervisor) else "baremetal",
        )

    return capture.build("nova", "hypervisors", host)


def _kind(hypervisor: Answer) -> tuple[Any, Any]:
    return hypervisor.get("hypervisor_type"), hypervisor.get("hypervisor_version")


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
    inventories, traits = capture.about("inventories"), capture.about("traits")

    def child(provider: Answer) -> ResourceProvider:
        uuid = provider["uuid"]
        return mapping.other_provider(
            provider, inventories=inventories.get(uuid, {}), traits=traits.get(uuid, ())
        )

    found = capture.build("placement", "resource_providers", child)
    return [provider for provider in found if provider.uuid not in hosts]


def instances(capture: Capture, cluster: Cluster) -> list[Consumer]:
    """Return the instances that are not deleted."""
    flavors = {f.name: f.id for f in cluster.flavors}
    hosts = {p.name: p.uuid for p in cluster.providers if p.type in {"compute", "baremetal"}}
    held = _allocations(capture)
    groups = mapping.group_of_members(capture.all("nova", "server_groups"))

    def instance(server: Answer) -> Consumer | None:
        if server["OS-EXT-STS:vm_state"] in mapping.GONE_STATES:
            return None
        uuid = server["id"]
        host = hosts.get(server["OS-EXT-SRV-ATTR:host"])
        allocations = held.get(uuid)
        if allocations is None:
            allocations = {host: mapping.claimed(server)} if host is not None else {}
        return mapping.instance(
            server,
            flavor_ids=flavors,
            allocations=allocations,
            server_group=groups.get(uuid),
        )

    return [c for c in capture.build("nova", "servers", instance) if c is not None]


def _allocations(capture: Capture) -> dict[str, Allocations]:
    """Return what Placement says that consumers hold, as far as it was captured."""
    whole: dict[str, Allocations] = {
        consumer: {uuid: a["resources"] for uuid, a in allocations.items()}
        for consumer, allocations in capture.about("allocations").items()
    }
    by_provider = {
        provider: {consumer: a["resources"] for consumer, a in allocations.items()}
        for provider, allocations in capture.about("provider_allocations").items()
    }
    return {**mapping.held_by_consumers(by_provider), **whole}
