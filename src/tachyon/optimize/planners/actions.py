"""What a plan consists of. Types of actions are those that Watcher's users know."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from tachyon.graph.entities import Allocations, Resources
from tachyon.optimize.migration import Cost


class Migrate(Struct, frozen=True, kw_only=True, tag_field="type", tag="migrate"):
    """Migrate an instance from host to host.

    Attributes:
        resource_id, resource_name: of the instance.
        migration_type: live, or cold for an instance that does not run.
        source, destination: uuids of the hosts; `source_node`, `destination_node` their names.
        resources: what moves, by resource class.
        allocations: all that the instance holds afterwards, by provider.
        cost: an estimate.
    """

    resource_id: str
    resource_name: str
    migration_type: str
    source: str
    destination: str
    source_node: str
    destination_node: str
    resources: Resources
    allocations: Allocations
    cost: Cost


class ChangeServiceState(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="change_nova_service_state"
):
    """Enable or disable the compute service of a host."""

    resource_id: str
    resource_name: str
    state: Literal["enabled", "disabled"]
    disabled_reason: str | None = None


Action = Migrate | ChangeServiceState

#: How the order was found: the net moves put in order; the same with detours through a third
#: host where moves waited for each other; or the moves exactly as the strategy recorded them.
Order = Literal["net", "detours", "recorded"]


class Plan(Struct, frozen=True, kw_only=True):
    """Actions in an order in which they can be executed one after the other."""

    actions: list[Action] = field(default_factory=list)
    order: Order = "net"

    @property
    def migrations(self) -> list[Migrate]:
        """The migrations among the actions."""
        return [a for a in self.actions if isinstance(a, Migrate)]

    @property
    def cost(self) -> Cost:
        """The cost of all migrations."""
        return sum((m.cost for m in self.migrations), Cost())
