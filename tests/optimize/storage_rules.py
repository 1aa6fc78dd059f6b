"""Cinder's rules for moving and retyping volumes, written from its scheduler's and API's own.

Shares no code with strategies or planners, like the checker that asks it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tachyon.graph.entities import Consumer, Flavor, ResourceProvider

#: What Cinder's API asks of a volume that is to be migrated, or retyped onto another pool.
STATUS = {"available", "in-use"}
SETTLED = {None, "none", "success", "error", "deleting"}
#: Nova swaps volumes of such instances only.
SWAPPING = {"active", "paused"}
BACKEND = "volume_backend_name"
DEFAULT = "__DEFAULT__"


class Pools:
    """The pools of a cluster while volumes move.

    Args:
        providers: by uuid.
        flavors: volume types, and flavors, which have no backend.
        held: GB that volumes hold on each pool.
    """

    def __init__(
        self,
        providers: Mapping[str, ResourceProvider],
        flavors: Iterable[Flavor],
        held: Mapping[str, int],
    ) -> None:
        self.providers = providers
        self.pools = [p for p in providers.values() if p.type == "pool"]
        #: By each name that a type goes by.
        self.types = {name: f for f in flavors for name in (f.id, f.name) if name}
        self.held: dict[str, int] = defaultdict(int, held)
        #: GB that the plan has brought to a pool, beyond what it has taken from there.
        self.brought: dict[str, int] = defaultdict(int)

    def type_of(self, volume: Consumer) -> str | None:
        """The name of a volume's type; None, or the default's, where nobody chose one."""
        named = volume.extra.get("volume_type")
        if named:
            return str(named)
        kind = self.types.get(volume.flavor_id or "")
        return volume.flavor_id if kind is None else kind.name or kind.id

    def host_of(self, pool: ResourceProvider) -> ResourceProvider | None:
        return self.providers.get(pool.parent_uuid or "")

    def backend_of(self, pool: ResourceProvider) -> str:
        host = self.host_of(pool)
        told = pool.extra.get(BACKEND) or (host.extra.get(BACKEND) if host else None)
        # host@backend#pool
        return str(told or pool.name.partition("@")[2].partition("#")[0])

    def offers(self, pool: ResourceProvider, kind: str | None) -> bool:
        """Whether the scheduler's filters let a volume of a type onto a pool."""
        host = self.host_of(pool)
        if kind in (None, DEFAULT) or (host and kind in host.extra.get("volume_types", ())):
            return True
        record = self.types.get(kind or "")
        asked = record.extra_specs.get(BACKEND) if record else None
        return asked is None or asked == self.backend_of(pool)

    def out_of_service(self, pool: ResourceProvider) -> bool:
        host = self.host_of(pool)
        return any(p.state != "up" or p.status != "enabled" for p in (pool, host) if p)

    def room(self, pool: ResourceProvider) -> float:
        """GB that can be provisioned yet: by the inventory, and by what is said to be free."""
        inventory = pool.inventories.get("DISK_GB")
        if inventory is None:
            return 0.0
        capacity = (inventory.total - inventory.reserved) * inventory.allocation_ratio
        found = capacity - self.held[pool.uuid]
        free = pool.extra.get("free_capacity_gb")
        if isinstance(free, int | float) and not isinstance(free, bool):
            # Thin pools are promised more than they have.
            thin = max(inventory.allocation_ratio, 1.0)
            found = min(found, free * thin - self.brought[pool.uuid])
        return found

    def arrive(self, size: int, target: str) -> None:
        """Note that a volume is copied to a pool."""
        self.held[target] += size
        self.brought[target] += size

    def leave(self, size: int, source: str) -> None:
        """Note that a volume is no longer on a pool."""
        self.held[source] -= size
        self.brought[source] -= size


def why_fixed(volume: Consumer, states: Mapping[str, str]) -> list[str]:
    """Why Cinder, or Nova for an attached one, refuses to move a volume.

    Args:
        volume: its record.
        states: of instances by uuid.
    """
    found = []
    if volume.status not in STATUS:
        found.append(f"volume {volume.uuid} is {volume.status}")
    if volume.extra.get("migration_status") not in SETTLED:
        found.append(f"volume {volume.uuid} is {volume.extra['migration_status']}")
    if volume.extra.get("snapshots"):
        found.append(f"volume {volume.uuid} has snapshots")
    for attachment in volume.attachments:
        state = states.get(attachment.consumer_uuid, "active")
        if state not in SWAPPING:
            found.append(f"volume {volume.uuid} is attached to one that is {state}")
    return found
