"""Where a server may go: a small Nova scheduler.

A host qualifies when its service is up and enabled, it is in the zone that the server is pinned to,
has the traits that the flavor requires, breaks no policy of the server's group and has room in
Placement. Of those that do, the one with the most free memory is chosen.
"""

from __future__ import annotations

import re

from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.operations.task import Task, WorkFailed
from tachyon.openstack.emulator.state.compute import Flavor, Host, Server
from tachyon.openstack.emulator.state.placement import Held, Provider, check_amount, free
from tachyon.openstack.emulator.state.placement import Refused as PlacementRefused

NO_HOST = "No valid host was found. There are not enough hosts available."


def resources(flavor: Flavor, *, local_root: bool) -> dict[str, int]:
    """Return what Nova claims for a flavor; the root disk counts where it is the host's."""
    root = flavor.disk if local_root else 0
    asked = {
        "VCPU": flavor.vcpus,
        "MEMORY_MB": flavor.ram,
        "DISK_GB": root + flavor.ephemeral + -(-flavor.swap // 1024),
    }
    for name, value in flavor.extra_specs.items():
        if found := re.fullmatch(r"resources\d*:(\w+)", name):
            asked[found[1]] = int(value)
    return {name: amount for name, amount in asked.items() if amount}


def select(
    task: Task, flavor: Flavor, *, wanted: Host | None = None, leaving: Host | None = None
) -> tuple[Host, Held]:
    """Return the host for a server, and what it will hold there.

    Args:
        task: of the server.
        flavor: that it will have.
        wanted: the host that was asked for.
        leaving: the host that it must not stay on.

    Raises:
        WorkFailed: no host qualifies.
    """
    cloud, server = task.cloud, task.server
    task.tell.scheduler("start", server, flavor, wanted)
    hosts = [wanted] if wanted is not None else list(cloud.compute.hosts.values())
    best: tuple[float, Host, Held] | None = None
    for host in hosts:
        if host is leaving or not qualifies(cloud, server, flavor, host):
            continue
        room = free(cloud.placement.providers[host.uuid], "MEMORY_MB")
        if best is not None and room <= best[0]:
            continue
        held = held_on(cloud, server, flavor, host)
        if held is not None:
            best = room, host, held
    if best is None:
        raise WorkFailed(NO_HOST)
    task.tell.scheduler("end", server, flavor, wanted)
    return best[1], best[2]


def qualifies(cloud: Cloud, server: Server, flavor: Flavor, host: Host) -> bool:
    """Tell whether a host may take a server, room aside."""
    if host.disabled or not host.up:
        return False
    if server.pinned_zone is not None and host.zone != server.pinned_zone:
        return False
    required = {
        name.partition(":")[2]
        for name, value in flavor.extra_specs.items()
        if name.startswith("trait:") and value == "required"
    }
    tree = _tree(cloud, host)
    if not required <= {trait for provider in tree for trait in provider.traits}:
        return False
    group = cloud.compute.groups.get(server.group or "")
    if group is None:
        return True
    others = [uuid for uuid in group.members if uuid != server.uuid]
    here = [uuid for uuid in others if uuid in host.servers]
    if group.policy == "anti-affinity":
        return len(here) < group.rules.get("max_server_per_host", 1)
    if group.policy == "affinity":
        placed = [u for u in others if u in cloud.compute.servers and cloud.compute.servers[u].host]
        return len(here) == len(placed)
    return True


def _tree(cloud: Cloud, host: Host) -> list[Provider]:
    """Return the provider of a host and those below it."""
    own = cloud.placement.providers[host.uuid]
    return [own, *cloud.placement.below(own.uuid)]


def held_on(cloud: Cloud, server: Server, flavor: Flavor, host: Host) -> Held | None:
    """Return what a server would hold on a host, or None where there is no room.

    What it holds together on one provider of its present host stays together; what it holds
    elsewhere (a sharing provider) stays there.
    """
    asked = resources(flavor, local_root=server.image is not None)
    groups, kept = _groups(cloud, server, asked)
    tree = _tree(cloud, host)
    held: Held = kept
    for group in groups:
        place = next((p for p in tree if _fits(cloud, server, p, group)), None)
        if place is None:
            return None
        target = held.setdefault(place.uuid, {})
        for name, amount in group.items():
            target[name] = target.get(name, 0) + amount
    return held


def _groups(
    cloud: Cloud, server: Server, asked: dict[str, int]
) -> tuple[list[dict[str, int]], Held]:
    """Return the amounts that go to one provider each, and what stays where it is."""
    present = cloud.placement.held_by(server.uuid)
    if not present or server.host is None:
        return [asked], {}
    source = {p.uuid for p in _tree(cloud, cloud.compute.hosts[server.host])}
    kept = {uuid: r for uuid, r in present.items() if uuid not in source}
    left = dict(asked)
    for amounts in kept.values():
        for name in amounts:
            left.pop(name, None)
    groups = []
    for uuid, amounts in present.items():
        if uuid in source:
            # The flavor says how much; what it does not name (a device) stays as it is.
            group = {
                n: left.pop(n, amount if n not in asked else 0) for n, amount in amounts.items()
            }
            groups.append({name: amount for name, amount in group.items() if amount})
    if left:
        groups.append(left)
    return [group for group in groups if group], kept


def _fits(cloud: Cloud, server: Server, provider: Provider, wanted: dict[str, int]) -> bool:
    held = cloud.placement.holders.get(server.uuid)
    own = held.held.get(provider.uuid, {}) if held is not None else {}
    for name, amount in wanted.items():
        if name not in provider.inventories:
            return False
        try:
            check_amount(provider, name, amount)
        except PlacementRefused:
            return False
        if free(provider, name) + own.get(name, 0) < amount:
            return False
    return True
