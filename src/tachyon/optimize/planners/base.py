"""The contract of planners: plug-ins of the entry point group `tachyon.planners`."""

from __future__ import annotations

import uuid as uuids
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping
from typing import ClassVar

from msgspec import Struct, field
from msgspec.structs import replace

from tachyon.errors import InvalidInput
from tachyon.graph.simulation import Session
from tachyon.optimize.migration import BANDWIDTH_MBIT
from tachyon.optimize.planners.actions import Action, Plan
from tachyon.optimize.planners.effect import net_effect
from tachyon.optimize.planners.scheduling import Placed, Slot, schedule
from tachyon.optimize.planners.tasks import Task, tasks_of
from tachyon.optimize.strategies.context import Proposal


class PlannerOptions(Struct, frozen=True, kw_only=True):
    """What an operator may set; what is not named keeps the planner's own value.

    Attributes:
        weights: by action type; higher ones come first.
        parallelization: by action type, how many actions may run at a time (0: any number).
        per_host: how many actions that copy something may run at a time from or to one host
            (0: any number).
    """

    weights: dict[str, int] = field(default_factory=dict)
    parallelization: dict[str, int] = field(default_factory=dict)
    per_host: int | None = None


class Planner(ABC):
    """Base of all planners.

    What a plan must keep is the same for all of them: in every order that its graph allows, and
    with everything running at the same time that it allows, capacities, server groups and the
    strategy's limits hold. Planners differ in what comes first and in how much runs at a time.
    """

    name: ClassVar[str]
    #: Weight and number at a time of action types that are not named.
    default_weight: ClassVar[int] = 0
    default_parallelization: ClassVar[int] = 1
    weights: ClassVar[Mapping[str, int]] = {}
    parallelization: ClassVar[Mapping[str, int]] = {}
    per_host: ClassVar[int] = 2

    def __init__(self, options: PlannerOptions | None = None) -> None:
        given = options or PlannerOptions()
        self.weight = {**self.weights, **given.weights}
        self.parallel = {**self.parallelization, **given.parallelization}
        self.hosts_at_a_time = self.per_host if given.per_host is None else given.per_host

    def plan(
        self,
        session: Session,
        proposals: Iterable[Proposal] = (),
        limits: Mapping[str, float] | None = None,
        bandwidth_mbit: float = BANDWIDTH_MBIT,
        in_flight: Mapping[str, int] | None = None,
        plan_uuid: str | None = None,
    ) -> Plan:
        """Return the plan that leads from a session's base to its state, with what was proposed.

        Every set of its actions that is closed under `parents` keeps all capacities (with a
        consumer on both hosts while it migrates), server groups and limits, provided that the
        session's own order does.

        Args:
            session: moves and resizes, and changes of services and power states.
            proposals: further actions; ordered by their type and by the resource they name.
            limits: by class or metric, the share of a destination's capacity that may be used
                after a migration.
            bandwidth_mbit: of one migration, for the estimate of its time.
            in_flight: how many migrations the strategy wants at a time, beside the planner's own
                limits: `total`, `per_host`, `per_pool` (0: any number).
            plan_uuid: of the plan; uuids of its actions follow from it.

        Raises:
            InvalidInput: the session holds what no action can bring about, or the planner does
                not know a type of action; names each case.
        """
        effect = net_effect(session, limits or {})
        tasks = tasks_of(session, effect, proposals, bandwidth_mbit)
        self.check(tasks)
        wanted = in_flight or {}
        placed = schedule(tasks, lambda task: _narrowed(self.slot(task), task, wanted))
        name = uuids.UUID(plan_uuid) if plan_uuid else uuids.uuid4()
        return Plan(
            uuid=str(name),
            actions=_actions(name, placed),
            order=effect.order,
            seconds=max((p.end for p in placed), default=0.0),
        )

    def check(self, tasks: list[Task]) -> None:  # noqa: B027 - most planners take every type
        """Refuse tasks that the planner cannot order; raises `InvalidInput`."""

    @abstractmethod
    def slot(self, task: Task) -> Slot:
        """Say what comes first, and what is limited."""

    def lanes(self, task: Task) -> tuple[tuple[Hashable, int], ...]:
        """Return the limits by type and by host as lanes."""
        found: list[tuple[Hashable, int]] = []
        at_a_time = self.parallel.get(task.action_type, self.default_parallelization)
        if at_a_time:
            found.append((task.action_type, at_a_time))
        if self.hosts_at_a_time:
            found += [(host, self.hosts_at_a_time) for host in task.hosts]
        return tuple(found)


def _narrowed(slot: Slot, task: Task, in_flight: Mapping[str, int]) -> Slot:
    """Add the strategy's own limits to a slot."""
    kind = {"migrate": "per_host", "volume_migrate": "per_pool"}.get(task.action_type)
    if kind is None or not in_flight:
        return slot
    lanes: list[tuple[Hashable, int]] = [("in flight", in_flight.get("total", 0))]
    lanes += [((kind, host), in_flight.get(kind, 0)) for host in task.hosts]
    return replace(slot, lanes=(*slot.lanes, *(lane for lane in lanes if lane[1])))


def _actions(name: uuids.UUID, placed: list[Placed]) -> list[Action]:
    names = [str(uuids.uuid5(name, str(position))) for position in range(len(placed))]
    return [
        Action(
            uuid=names[position],
            action_type=one.task.action_type,
            resource_id=one.task.resource_id,
            resource_name=one.task.resource_name,
            input_parameters=one.task.input_parameters,
            parents=[names[parent] for parent in one.parents],
            movement=one.task.movement,
        )
        for position, one in enumerate(placed)
    ]


def refuse_types(planner: str, tasks: Iterable[Task], known: Iterable[str]) -> None:
    """Raise `InvalidInput` naming all types of actions that a planner does not know."""
    unknown = sorted({t.action_type for t in tasks} - set(known))
    if unknown:
        raise InvalidInput(f"planner {planner} does not plan {', '.join(unknown)}")
