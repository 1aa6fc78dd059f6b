"""Servers with what Placement says they hold: instances, and what is held on other hosts for them.

Nova says where a server is, Placement what is held where. While a server is on its way the two
differ: during a live migration the server is on its source but holds the destination, and the
migration (a consumer of its own) holds the source; until a resize is confirmed it is the other way
round. In the graph an instance always stands on the host that Nova names; what is held elsewhere
is a consumer of type "migration". So the sum on every provider is Placement's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from tachyon.graph.entities import Allocations, Consumer
from tachyon.openstack.collectors.hosts import Hosts
from tachyon.openstack.mapping import compute as mapping
from tachyon.openstack.mapping.answers import Answer

#: Consumers that are the compute model's.
CONSUMER_TYPES = ("instance", "migration", "unknown")
#: Member of the `extra` of an instance of which Placement holds nothing, though Nova has a host.
CLAIMED = "claimed"
#: Ends the uuid of what is held for a server elsewhere without a migration to hold it.
ASIDE = ":aside"
#: In these states Nova may name a host while nothing is held there (yet).
_UNPLACED_STATES = frozenset({"building", "error", "shelved_offloaded"})


class Migration(Struct, frozen=True):
    """A migration that may hold something: its consumer in Placement, and whose it is."""

    uuid: str
    server: str
    held: Allocations


class Placed(Struct):
    """A server as consumers of the graph, and in what Nova and Placement disagree about it."""

    instance: Consumer
    migrations: list[Consumer]
    disagreements: Counter[str] = field(default_factory=Counter)


class Lookups(Struct, frozen=True):
    """What servers refer to: hosts, flavors by name, groups by server."""

    hosts: Hosts
    flavor_ids: Mapping[str, str]
    groups: Mapping[str, str]


def place(
    server: Answer,
    held: Allocations,
    migrations: Sequence[Migration],
    lookups: Lookups,
    extra: Mapping[str, Any] | None = None,
) -> Placed:
    """Return a server as consumers.

    Args:
        server: as Nova shows it.
        held: what Placement says it holds.
        migrations: its own that hold something.
        lookups: what it refers to.
        extra: what else to keep of it.
    """
    hosts = lookups.hosts
    counted: Counter[str] = Counter()
    host = hosts.uuid_of.get(server["OS-EXT-SRV-ATTR:host"] or "")
    moving = {m.uuid: m.held for m in migrations}
    own = held
    aside: Allocations = {}
    marks = dict(extra or {})
    if host is not None:
        own, aside = hosts.split(held, host)
        if not hosts.on_host(own, host):
            own = {**own, **_taken(moving, hosts, host)}
        if not hosts.on_host(own, host) and server["OS-EXT-STS:vm_state"] not in _UNPLACED_STATES:
            counted["server_elsewhere" if aside else "server_without_allocations"] += 1
            own = {**own, host: mapping.claimed(server)}
            marks[CLAIMED] = True
    if aside:
        # On behalf of the migration, or left behind by an evacuation that has none any more.
        name = next(iter(moving), server["id"] + ASIDE)
        moving[name] = {**moving.get(name, {}), **aside}
    kept = hosts.storable(own)
    if host is not None and kept != own:
        counted["inventory_missing"] += 1
    if task := server.get("OS-EXT-STS:task_state"):
        marks["task_state"] = task
    instance = mapping.instance(
        server,
        flavor_ids=lookups.flavor_ids,
        allocations=kept,
        server_group=lookups.groups.get(server["id"]),
        extra=marks,
    )
    others = [
        migration_of(instance, uuid, storable)
        for uuid, amounts in sorted(moving.items())
        if (storable := hosts.storable(amounts))
    ]
    return Placed(instance=instance, migrations=others, disagreements=counted)


def _taken(moving: dict[str, Allocations], hosts: Hosts, host: str) -> Allocations:
    """Take what migrations hold on the server's host, for there the server still is."""
    taken: Allocations = {}
    for uuid, amounts in moving.items():
        here = {p: r for p, r in amounts.items() if hosts.root.get(p) == host}
        taken |= here
        moving[uuid] = {p: r for p, r in amounts.items() if p not in here}
    return taken


def migration_of(instance: Consumer, uuid: str, held: Allocations) -> Consumer:
    """Return what is held for an instance's migration; nobody may move it."""
    return Consumer(
        uuid=uuid,
        name=f"migration of {instance.name}",
        type="migration",
        state="active",
        locked=True,
        watcher_exclude=True,
        project_id=instance.project_id,
        allocations=held,
        extra={"instance": instance.uuid},
    )


def unknown_consumer(uuid: str, held: Allocations) -> Consumer:
    """Return a consumer that Placement knows and Nova does not; nobody may move it."""
    return Consumer(
        uuid=uuid,
        type="unknown",
        state="active",
        locked=True,
        watcher_exclude=True,
        allocations=held,
    )
