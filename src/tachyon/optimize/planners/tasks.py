"""A session's net effect and a strategy's proposals as tasks that still have to be scheduled.

Tasks stand in a feasible sequence; what a task needs stands before it. Services are disabled
before the first instance leaves their host, so that nothing new is scheduled there meanwhile, and
enabled before the first arrives; a node is powered on before that, and off after the last has
left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from tachyon.graph.simulation import Session
from tachyon.optimize.migration import MIGRATION_TYPE, Cost, migration_cost
from tachyon.optimize.planners.actions import Movement
from tachyon.optimize.planners.claims import Step
from tachyon.optimize.planners.effect import Effect
from tachyon.optimize.strategies.context import Proposal

#: Estimated seconds of an action that moves no memory: a call to an API and a look at the result.
CALL_SECONDS = 1.0


class Task(Struct, frozen=True, kw_only=True):
    """An action without its place in the plan.

    Attributes:
        needs: positions of the tasks that must have ended first.
        hosts: provider rows between which something is copied.
        seconds: an estimate.
    """

    action_type: str
    resource_id: str | None = None
    resource_name: str = ""
    input_parameters: dict[str, Any] = field(default_factory=dict)
    movement: Movement | None = None
    needs: set[int] = field(default_factory=set)
    hosts: tuple[int, ...] = ()
    seconds: float = CALL_SECONDS


def tasks_of(
    session: Session, effect: Effect, proposals: Iterable[Proposal], bandwidth_mbit: float
) -> list[Task]:
    """Return the tasks of a plan in a feasible sequence.

    A proposal to migrate what the session moves is no further task: it says how (`migration_type`).
    """
    proposals = list(proposals)
    moved = {session.state.consumer_uuid(step.row) for step in effect.steps}
    told = [p for p in proposals if p.action_type == "migrate" and p.resource_id in moved]
    types = {p.resource_id: str(p.input_parameters["migration_type"]) for p in told}
    builder = _Builder(session, effect, bandwidth_mbit, types)
    builder.build()
    for proposal in (p for p in proposals if p not in told):
        builder.add(
            Task(
                action_type=proposal.action_type,
                resource_id=proposal.resource_id,
                resource_name=str(proposal.input_parameters.get("resource_name") or ""),
                input_parameters=dict(proposal.input_parameters),
                seconds=float(proposal.input_parameters.get("duration") or CALL_SECONDS),
            )
        )
    return builder.tasks


class _Builder:
    def __init__(
        self,
        session: Session,
        effect: Effect,
        bandwidth_mbit: float,
        types: Mapping[str | None, str],
    ) -> None:
        self.session = session
        self.view = session.view
        self.effect = effect
        self.bandwidth = bandwidth_mbit
        #: Types of migrations that are not those that states suggest, by uuid.
        self.types = types
        self.tasks: list[Task] = []
        #: Task of each step that is built, and by host row of those that leave and arrive.
        self.at: list[int] = []
        self.left: dict[int, set[int]] = {}
        self.arrived: dict[int, set[int]] = {}
        self.enabled: dict[int, int] = {}
        self.disabled: dict[int, int] = {}
        self.switched_on: dict[int, int] = {}

    def add(self, task: Task) -> int:
        self.tasks.append(task)
        return len(self.tasks) - 1

    def build(self) -> None:
        session, steps = self.session, self.effect.steps
        status = {r: session.state.provider_field(r, "status") for r in self.effect.services}
        nodes = {row: self._host_of_node(row) for row in self.effect.powered}
        arrivals = {step.target: k for k, step in enumerate(steps) if step.source != step.target}
        for row, host in nodes.items():
            if self._power(row) == "on":
                self.switched_on[host] = self._switch(row, set())
        for k, step in enumerate(steps):
            source, target = step.source, step.target
            if status.get(source) == "disabled" and arrivals.get(source, -1) < k:
                status.pop(source)
                self._service(source)
            if status.get(target) == "enabled":
                status.pop(target)
                self._service(target)
            self._step(k, step)
        for row in status:
            self._service(row)
        for row, host in nodes.items():
            if self._power(row) == "off":
                needs = self.left.get(host, set()) | self.arrived.get(host, set())
                needs |= {self.disabled[host]} if host in self.disabled else set()
                self._switch(row, set(needs))

    def _power(self, row: int) -> str:
        """Return `on` or `off`, which Ironic calls `power on` and `power off`."""
        return str(self.session.state.provider_field(row, "power_state")).removeprefix("power ")

    def _host_of_node(self, row: int) -> int:
        """Return the row of the compute host that runs on a bare metal node, else its own."""
        host = self.view.provider_at(row).extra.get("compute_node_id")
        return self.view.providers.index.get(str(host), row)

    def _switch(self, row: int, needs: set[int]) -> int:
        record = self.view.provider_at(row)
        parameters = {
            "resource_id": record.uuid,
            "resource_name": record.name,
            "state": self._power(row),
        }
        return self.add(
            Task(
                action_type="change_node_power_state",
                resource_id=record.uuid,
                resource_name=record.name,
                input_parameters=parameters,
                needs=needs,
            )
        )

    def _service(self, row: int) -> None:
        record = self.view.provider_at(row)
        status = self.session.state.provider_field(row, "status")
        parameters = {
            "resource_id": record.uuid,
            "resource_name": record.name,
            "state": status,
        }
        reason = self.session.state.provider_field(row, "disabled_reason")
        if status == "disabled" and reason is not None:
            parameters["disabled_reason"] = reason
        needs = set(self.arrived.get(row, ())) if status == "disabled" else set()
        if row in self.switched_on:
            needs.add(self.switched_on[row])
        at = self.add(
            Task(
                action_type="change_nova_service_state",
                resource_id=record.uuid,
                resource_name=record.name,
                input_parameters=parameters,
                needs=needs,
            )
        )
        (self.enabled if status == "enabled" else self.disabled)[row] = at

    def _step(self, k: int, step: Step) -> None:
        needs = {self.at[w] for w in self.effect.waits[k]}
        for found in (
            self.disabled.get(step.source),
            self.enabled.get(step.target),
            self.switched_on.get(step.target),
        ):
            if found is not None:
                needs.add(found)
        at = self.add(self._resize(step, needs) if step.flavor else self._move(step, needs))
        self.at.append(at)
        if step.source != step.target:
            self.left.setdefault(step.source, set()).add(at)
            self.arrived.setdefault(step.target, set()).add(at)

    def _resize(self, step: Step, needs: set[int]) -> Task:
        uuid, name = self._named(step.row)
        return Task(
            action_type="resize",
            resource_id=uuid,
            resource_name=name,
            input_parameters={"resource_id": uuid, "flavor": step.flavor},
            needs=needs,
            hosts=(step.source,),
        )

    def _move(self, step: Step, needs: set[int]) -> Task:
        view = self.view
        uuid, name = self._named(step.row)
        here, there = view.provider_at(step.source), view.provider_at(step.target)
        resources: dict[str, int] = {}
        for _, held in step.leaves:
            for column, amount in held:
                resources[view.classes[column]] = resources.get(view.classes[column], 0) + amount
        volume = view.codes.type.value(int(view.consumers.type[step.row])) == "volume"
        parameters: dict[str, Any] = {
            "resource_id": uuid,
            "resource_name": name,
            "destination_node": there.name,
        }
        if volume:
            parameters["migration_type"] = kind = "migrate"
            copied = migration_cost(kind, resources.get("DISK_GB", 0) * 1024, self.bandwidth)
            cost = Cost(0, copied.seconds)
        else:
            state = view.codes.state.value(int(view.consumers.state[step.row])) or ""
            kind = self.types.get(uuid) or MIGRATION_TYPE[state]
            parameters |= {"migration_type": kind, "source_node": here.name}
            cost = migration_cost(kind, resources.get("MEMORY_MB", 0), self.bandwidth)
        return Task(
            action_type="volume_migrate" if volume else "migrate",
            resource_id=uuid,
            resource_name=name,
            input_parameters=parameters,
            movement=Movement(
                source=here.uuid,
                destination=there.uuid,
                resources=resources,
                allocations=view.named_parts(step.allocations),
                cost=cost,
            ),
            needs=needs,
            hosts=(step.source, step.target),
            seconds=CALL_SECONDS + cost.seconds,
        )

    def _named(self, row: int) -> tuple[str, str]:
        uuid = self.view.consumers.uuid[row]
        return uuid, self.view.consumers.name[row] or uuid
