"""An independent look at a cluster: does every instance stand where it may stand?

Written from Placement's and Nova's rules, on plain dictionaries, one consumer at a time.
"""

from __future__ import annotations

from collections import defaultdict

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import ResourceProvider


def violations(content: ClusterFile) -> list[str]:
    cluster = content.cluster
    providers = {p.uuid: p for p in cluster.providers}
    return [
        *_capacity(content, providers),
        *_constraints(content, providers),
        *_groups(content, providers),
    ]


def root(uuid: str, providers: dict[str, ResourceProvider]) -> ResourceProvider:
    provider = providers[uuid]
    while provider.parent_uuid is not None and provider.type != "pool":
        provider = providers[provider.parent_uuid]
    return provider


def _capacity(content: ClusterFile, providers: dict[str, ResourceProvider]) -> list[str]:
    bad = []
    used: dict[tuple[str, str], int] = defaultdict(int)
    for consumer in content.cluster.consumers:
        for uuid, amounts in consumer.allocations.items():
            for name, amount in amounts.items():
                inventory = providers[uuid].inventories[name]
                if not inventory.min_unit <= amount <= inventory.max_unit:
                    bad.append(f"{consumer.name}: {amount} {name} is out of units")
                if amount % inventory.step_size:
                    bad.append(f"{consumer.name}: {amount} {name} is out of step")
                used[uuid, name] += amount
    for (uuid, name), amount in used.items():
        inventory = providers[uuid].inventories[name]
        capacity = (inventory.total - inventory.reserved) * inventory.allocation_ratio
        if amount > capacity:
            bad.append(f"{providers[uuid].name}: {amount} of {capacity} {name}")
    return bad


def _constraints(content: ClusterFile, providers: dict[str, ResourceProvider]) -> list[str]:
    bad = []
    flavors = {f.id: f for f in content.cluster.flavors}
    projects = {p.external_id for p in content.cluster.projects}
    for consumer in content.cluster.consumers:
        hosts = {root(uuid, providers).uuid for uuid in consumer.allocations}
        if len(hosts) != 1:
            bad.append(f"{consumer.name} stands on {len(hosts)} hosts")
            continue
        host = providers[hosts.pop()]
        if consumer.project_id not in projects:
            bad.append(f"{consumer.name} belongs to nobody")
        if consumer.pinned_az not in {None, host.availability_zone}:
            bad.append(f"{consumer.name} is outside {consumer.pinned_az}")
        assert consumer.flavor_id is not None
        for spec, value in flavors[consumer.flavor_id].extra_specs.items():
            kind, _, name = spec.partition(":")
            if kind == "trait" and (name in host.traits) != (value == "required"):
                bad.append(f"{consumer.name}: {name} is {value} on {host.name}")
            if kind == "resources":
                held = sum(a.get(name, 0) for a in consumer.allocations.values())
                if held != int(value):
                    bad.append(f"{consumer.name} holds {held} {name} of {value}")
    return bad


def _groups(content: ClusterFile, providers: dict[str, ResourceProvider]) -> list[str]:
    hosts: dict[str, list[str]] = defaultdict(list)
    for consumer in content.cluster.consumers:
        if consumer.server_group is not None:
            hosts[consumer.server_group].append(
                root(next(iter(consumer.allocations)), providers).uuid
            )
    bad = []
    for group in content.cluster.server_groups:
        members = hosts.pop(group.uuid)
        if group.policy == "affinity" and len(set(members)) > 1:
            bad.append(f"{group.name} is apart")
        if group.policy == "anti-affinity" and len(set(members)) < len(members):
            bad.append(f"{group.name} is together")
    return bad + [f"group {uuid} is unknown" for uuid in hosts]
