"""The planner: a session's net effect as a plan.

What counts is where consumers and hosts end, not how the strategy got there: an instance that a
strategy moved twice is migrated once. On which part of its host (NUMA node) an instance stands is
the host's own choice, and no action changes it. Services are disabled before the first instance
leaves their host, so that nothing new is scheduled there meanwhile, and enabled before the first
arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.errors import InvalidInput
from tachyon.graph.deltas import PROVIDER_FIELDS, Move, UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.optimize.migration import BANDWIDTH_MBIT, MIGRATION_TYPE, migration_cost
from tachyon.optimize.planners.actions import Action, ChangeServiceState, Migrate, Order, Plan
from tachyon.optimize.planners.ordering import Step, order_moves

_SERVICE_FIELDS = ("status", "disabled_reason")


def make_plan(
    session: Session,
    limits: Mapping[str, float] | None = None,
    bandwidth_mbit: float = BANDWIDTH_MBIT,
) -> Plan:
    """Return the plan that leads from a session's base to its state.

    Every prefix of it keeps all capacities (with an instance on both hosts while it migrates),
    server groups and limits, provided that the session's own order does.

    Args:
        session: moves of instances, and changes of compute services.
        limits: by class or metric, the share of a destination's capacity that may be used after
            a migration.
        bandwidth_mbit: of one migration, for the estimate of its time.

    Raises:
        InvalidInput: the session holds what no action can bring about; names each case.
    """
    _check(session)
    services = _services(session)
    moves = _net_moves(session)
    order: Order = "net"
    steps = order_moves(session.base(), moves, limits or {}, set(services))
    if steps is None:
        order, steps = "recorded", _recorded_moves(session)
    elif len(steps) > len(moves):
        order = "detours"
    return Plan(actions=_actions(session, steps, services, bandwidth_mbit), order=order)


def _check(session: Session) -> None:
    problems = []
    for position, delta in enumerate(session.deltas):
        if not isinstance(delta, Move | UpdateProvider):
            kind = type(delta).__struct_config__.tag
            problems.append((f"deltas.{position}", f"no action brings about a {kind}"))
    for row, fields in session.state.fields.items():
        record = session.view.provider_at(row)
        for name in PROVIDER_FIELDS:
            changed = name in fields and fields[name] != getattr(record, name)
            if changed and name not in _SERVICE_FIELDS:
                problems.append((record.uuid, f"no action changes {name}"))
    for row in session.state.placed_rows():
        if session.state.is_new(row):
            continue  # its ALLOCATE was named above
        c, codes = session.view.consumers, session.view.codes
        state, kind = codes.state.value(int(c.state[row])), codes.type.value(int(c.type[row]))
        if session.state.home(row) == c.home[row]:
            continue
        if kind != "instance":
            problems.append((c.uuid[row], f"no action migrates a {kind}"))
        elif state not in MIGRATION_TYPE:
            problems.append((c.uuid[row], f"an instance that is {state} cannot be migrated"))
    if problems:
        raise InvalidInput.at(problems)


def _net_moves(session: Session) -> list[Step]:
    """Return who ends on another host, in the order of each one's last move."""
    state, before = session.state, session.view.consumers.home
    last: dict[int, None] = {}
    for row, _ in _recorded_moves(session):
        last.pop(row, None)
        last[row] = None
    return [(row, state.home(row)) for row in last if state.home(row) != before[row]]


def _recorded_moves(session: Session) -> list[Step]:
    view = session.view
    hosts = view.tree.hosts
    return [
        (session.state.consumer_row(d.consumer_uuid), hosts[view.provider_row(d.to_provider)])
        for d in session.deltas
        if isinstance(d, Move)
    ]


def _services(session: Session) -> dict[int, ChangeServiceState]:
    """Return the change of each host's service that differs from the base."""
    found: dict[int, ChangeServiceState] = {}
    for row in sorted(session.state.fields):
        record = session.view.provider_at(row)
        status, reason = (session.state.provider_field(row, name) for name in _SERVICE_FIELDS)
        if (status, reason) != (record.status, record.disabled_reason):
            found[row] = ChangeServiceState(
                resource_id=record.uuid,
                resource_name=record.name,
                state=status,
                disabled_reason=reason if status == "disabled" else None,
            )
    return found


def _actions(
    session: Session,
    steps: list[Step],
    services: Mapping[int, ChangeServiceState],
    bandwidth_mbit: float,
) -> list[Action]:
    """Describe the steps, with the changes of services where they belong."""
    replay = session.base()
    arrivals = {target: k for k, (_, target) in enumerate(steps)}
    pending = dict(services)
    actions: list[Action] = []

    def change(row: int, state: str) -> None:
        service = pending.get(row)
        if service is not None and service.state == state:
            actions.append(pending.pop(row))

    for k, (row, target) in enumerate(steps):
        source = replay.state.home(row)
        if arrivals.get(source, -1) < k:
            change(source, "disabled")
        change(target, "enabled")
        actions.append(_migrate(replay, row, source, target, bandwidth_mbit))
        if arrivals[target] == k:
            change(target, "disabled")
    return actions + list(pending.values())


def _migrate(replay: Session, row: int, source: int, target: int, bandwidth_mbit: float) -> Migrate:
    view, state = replay.view, replay.state
    mine = set(view.tree.subtree(source))
    resources: dict[str, int] = {}
    for at, held in state.parts(row):
        if at in mine:
            for column, amount in held:
                name = view.classes[column]
                resources[name] = resources.get(name, 0) + amount
    c = view.consumers
    uuid = c.uuid[row]
    here, there = view.provider_at(source), view.provider_at(target)
    replay.record(Move(consumer_uuid=uuid, to_provider=there.uuid))
    kind = MIGRATION_TYPE[view.codes.state.value(int(c.state[row])) or ""]
    return Migrate(
        resource_id=uuid,
        resource_name=c.name[row] or uuid,
        migration_type=kind,
        source=here.uuid,
        destination=there.uuid,
        source_node=here.name,
        destination_node=there.name,
        resources=resources,
        allocations=view.named_parts(state.parts(row)),
        cost=migration_cost(kind, resources.get("MEMORY_MB", 0), bandwidth_mbit),
    )
