"""What a plan consists of. Action types and parameters are those that Watcher's users know."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from tachyon.graph.entities import Allocations, Resources
from tachyon.optimize.migration import Cost


class Movement(Struct, frozen=True, kw_only=True):
    """What a migration does in the graph.

    Attributes:
        source, destination: uuids of the hosts or pools.
        resources: what moves, by resource class.
        allocations: all that the consumer holds afterwards, by provider.
        cost: an estimate.
    """

    source: str
    destination: str
    resources: Resources
    allocations: Allocations
    cost: Cost = Cost()


class Action(Struct, frozen=True, kw_only=True):
    """One action of a plan.

    Attributes:
        action_type: a plug-in of the entry point group `tachyon.actions`.
        resource_id, resource_name: what it is done to; None and "" where there is nothing.
        input_parameters: as the schema of the type says.
        parents: uuids of the actions that must have ended first.
        movement: of an action that brings a consumer to another provider.
    """

    uuid: str
    action_type: str
    resource_id: str | None = None
    resource_name: str = ""
    input_parameters: dict[str, Any] = field(default_factory=dict)
    parents: list[str] = field(default_factory=list)
    movement: Movement | None = None


#: How the order was found: the net moves put in order; the same with detours through a third
#: host where moves waited for each other; or the moves exactly as the strategy recorded them.
Order = Literal["net", "detours", "recorded"]


class Plan(Struct, frozen=True, kw_only=True):
    """Actions as a directed acyclic graph, listed in one of the orders that it allows.

    Attributes:
        order: how the planner found that there is an order at all.
        seconds: of the longest way through the graph, by the estimates of its actions.
    """

    uuid: str
    actions: list[Action] = field(default_factory=list)
    order: Order = "net"
    seconds: float = 0.0

    @property
    def migrations(self) -> list[Action]:
        """The actions that move something, those whose destination Nova chooses among them."""
        return [a for a in self.actions if a.movement is not None or a.action_type == "migrate"]

    @property
    def cost(self) -> Cost:
        """The cost of the migrations whose destination the plan names, one after the other."""
        return sum((a.movement.cost for a in self.actions if a.movement), Cost())
