"""How an instance can be migrated, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

#: States of instances (Nova's vm_state) that can be migrated, and how.
MIGRATION_TYPE: Mapping[str, str] = {"active": "live", "paused": "live", "stopped": "cold"}


def states(*, cold: bool) -> tuple[str, ...]:
    """Return the states of instances that can be migrated live, or live and cold."""
    return tuple(s for s, kind in MIGRATION_TYPE.items() if cold or kind == "live")


#: Bandwidth that one migration gets, in Mbit/s, where nobody says otherwise.
BANDWIDTH_MBIT = 1000.0


class Cost(Struct, frozen=True):
    """What one or many migrations cost: memory to copy in MB (2**20 bytes), and its time in s.

    The time is that of one migration after the other, at a given bandwidth, each page copied
    once. Disks are not counted: whether they are shared is not known.
    """

    memory_mb: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.memory_mb + other.memory_mb, self.seconds + other.seconds)


def migration_cost(migration_type: str, memory_mb: int, bandwidth_mbit: float) -> Cost:
    """Return the cost of a migration; a cold one copies no memory."""
    if migration_type == "cold":
        return Cost()
    return Cost(memory_mb, memory_mb * 2**20 * 8 / (bandwidth_mbit * 1e6))
