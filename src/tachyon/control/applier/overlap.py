"""Which plans would get in each other's way."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tachyon.control.objects import Action

#: Actions that change a host itself, and not what stands on it.
_OF_HOSTS = ("change_nova_service_state", "change_node_power_state")


class Touched(Struct, frozen=True):
    """What a plan's actions change, and which hosts they only use."""

    changed: frozenset[str]
    used: frozenset[str]

    def overlaps(self, other: Touched) -> set[str]:
        """Return what both plans change, or one changes and the other uses."""
        return set(
            (self.changed & other.changed)
            | (self.changed & other.used)
            | (self.used & other.changed)
        )


def touched(actions: Iterable[Action]) -> Touched:
    """Return what the actions of a plan touch: uuids, and names of hosts."""
    changed: set[str] = set()
    used: set[str] = set()
    for action in actions:
        given = action.input_parameters
        if given.get("resource_id"):
            changed.add(str(given["resource_id"]))
        if action.action_type in _OF_HOSTS and given.get("resource_name"):
            changed.add(str(given["resource_name"]))
        used |= {str(given[n]) for n in ("source_node", "destination_node") if given.get(n)}
    return Touched(frozenset(changed), frozenset(used))
