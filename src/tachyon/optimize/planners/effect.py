"""What a session amounts to: who moves where, what is resized, which services and nodes change.

What counts is where consumers and providers end, not how the strategy got there: an instance that
a strategy moved twice is migrated once. On which part of its host (NUMA node) an instance stands
is the host's own choice, and no action changes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from tachyon.errors import Conflict, InvalidInput
from tachyon.graph.deltas import PROVIDER_FIELDS, Move, Resize, UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view.placement import Parts
from tachyon.optimize.migration import MIGRATION_TYPE
from tachyon.optimize.planners.actions import Order
from tachyon.optimize.planners.claims import Step, dependencies
from tachyon.optimize.planners.ordering import order_moves

_SERVICE_FIELDS = ("status", "disabled_reason")
_CHANGED_BY_ACTIONS = (*_SERVICE_FIELDS, "power_state")


class Effect(Struct, frozen=True, kw_only=True):
    """The net effect of a session in a feasible sequence.

    Attributes:
        steps: moves and resizes; `waits`: for each one the earlier steps it waits for.
        services: rows of the providers whose compute service changes; `powered`: whose power does.
    """

    steps: list[Step] = field(default_factory=list)
    waits: list[set[int]] = field(default_factory=list)
    order: Order = "net"
    services: list[int] = field(default_factory=list)
    powered: list[int] = field(default_factory=list)


def net_effect(session: Session, limits: Mapping[str, float]) -> Effect:
    """Return the net effect of a session, in an order in which each step finds room.

    Raises:
        InvalidInput: the session holds what no action can bring about; names each case.
    """
    _check(session)
    services = [r for r in sorted(session.state.fields) if _changed(session, r, _SERVICE_FIELDS)]
    powered = [r for r in sorted(session.state.fields) if _changed(session, r, ("power_state",))]
    steps, order = _sequence(session, limits, set(services))
    waits = dependencies(session.base(), steps, limits) if order != "recorded" else None
    if waits is None:
        # Only the one sequence is known to be feasible: one after the other.
        waits = [{number - 1} if number else set() for number in range(len(steps))]
    return Effect(steps=steps, waits=waits, order=order, services=services, powered=powered)


def _changed(session: Session, row: int, names: tuple[str, ...]) -> bool:
    record = session.view.provider_at(row)
    return any(session.state.provider_field(row, n) != getattr(record, n) for n in names)


def _check(session: Session) -> None:
    problems = []
    for position, delta in enumerate(session.deltas):
        if not isinstance(delta, Move | Resize | UpdateProvider):
            kind = type(delta).__struct_config__.tag
            problems.append((f"deltas.{position}", f"no action brings about a {kind}"))
    for row, fields in session.state.fields.items():
        record = session.view.provider_at(row)
        for name in PROVIDER_FIELDS:
            changed = name in fields and fields[name] != getattr(record, name)
            if changed and name not in _CHANGED_BY_ACTIONS:
                problems.append((record.uuid, f"no action changes {name}"))
    for row in session.state.placed_rows():
        if not session.state.is_new(row):  # its ALLOCATE was named above
            problems += _check_consumer(session, row)
    if problems:
        raise InvalidInput.at(problems)


def _check_consumer(session: Session, row: int) -> list[tuple[str, str]]:
    c, codes = session.view.consumers, session.view.codes
    state, kind = codes.state.value(int(c.state[row])), codes.type.value(int(c.type[row]))
    uuid = c.uuid[row]
    if session.state.home(row) != c.home[row]:
        if kind not in ("instance", "volume"):
            return [(uuid, f"no action migrates a {kind}")]
        if kind == "instance" and state not in MIGRATION_TYPE:
            return [(uuid, f"an instance that is {state} cannot be migrated")]
    if _amounts(session, row) != _amounts(session.base(), row):
        if kind != "instance":
            return [(uuid, f"no action resizes a {kind}")]
        if session.state.flavors.get(row) is None:
            return [(uuid, "a resize needs the id of a flavor")]
    return []


def _amounts(session: Session, row: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for _, held in session.state.parts(row):
        for column, amount in held:
            found[column] = found.get(column, 0) + amount
    return found


def _sequence(
    session: Session, limits: Mapping[str, float], closed: set[int]
) -> tuple[list[Step], Order]:
    """Return steps from the base to the session's state: moves first, then resizes."""
    moves = _net_moves(session)
    found = order_moves(session.base(), moves, limits, closed)
    if found is not None:
        replay = _Replay(session)
        try:
            for row, target in found:
                replay.move(row, target)
            for row in _resized(session):
                replay.resize(row)
        except Conflict:
            pass  # a move has room only after a resize: as the strategy did it
        else:
            return replay.steps, "detours" if len(found) > len(moves) else "net"
    replay = _Replay(session)
    for delta in session.deltas:
        replay.repeat(delta)
    return replay.steps, "recorded"


class _Replay:
    """A session that starts at the base; each step is noted with what it changed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.base = session.base()
        self.steps: list[Step] = []

    def move(self, row: int, target: int) -> None:
        state, view = self.base.state, self.base.view
        delta = Move(
            consumer_uuid=state.consumer_uuid(row), to_provider=view.providers.uuid[target]
        )
        self._note(row, delta)

    def resize(self, row: int) -> None:
        state = self.base.state
        classes = self.base.view.classes
        resources = {classes[c]: 0 for c in _amounts(self.base, row)}
        resources |= {classes[c]: amount for c, amount in _amounts(self.session, row).items()}
        delta = Resize(
            consumer_uuid=state.consumer_uuid(row),
            resources=resources,
            flavor_id=self.session.state.flavors[row],
        )
        self._note(row, delta)

    def repeat(self, delta: object) -> None:
        if isinstance(delta, Move | Resize):
            self._note(self.base.state.consumer_row(delta.consumer_uuid), delta)

    def _note(self, row: int, delta: Move | Resize) -> None:
        state = self.base.state
        source, before = state.home(row), state.parts(row)
        self.base.record(delta)
        target, after = state.home(row), state.parts(row)
        if isinstance(delta, Resize):
            # Until a resize is confirmed, Placement counts both sizes.
            mine = set(self.base.view.tree.subtree(target))
            arrives = tuple(part for part in after if part[0] in mine)
            leaves = tuple(part for part in before if part[0] in mine)
        else:
            arrives, leaves = _more(after, before), _more(before, after)
        self.steps.append(
            Step(
                row=row,
                source=source,
                target=target,
                arrives=arrives,
                leaves=leaves,
                allocations=after,
                flavor=state.flavors.get(row) if isinstance(delta, Resize) else None,
            )
        )


def _more(these: Parts, those: Parts) -> Parts:
    """Return by how much some parts exceed others."""
    other = {(at, column): amount for at, held in those for column, amount in held}
    found = []
    for at, held in these:
        rest = tuple((c, a - other.get((at, c), 0)) for c, a in held if a > other.get((at, c), 0))
        if rest:
            found.append((at, rest))
    return tuple(found)


def _net_moves(session: Session) -> list[tuple[int, int]]:
    """Return who ends on another host, in the order of each one's last move."""
    state, before = session.state, session.view.consumers.home
    last: dict[int, None] = {}
    for delta in session.deltas:
        if isinstance(delta, Move):
            row = state.consumer_row(delta.consumer_uuid)
            last.pop(row, None)
            last[row] = None
    return [(row, state.home(row)) for row in last if state.home(row) != before[row]]


def _resized(session: Session) -> list[int]:
    """Return whose flavor differs at the end, in the order of the first resize."""
    state, base = session.state, session.base().state
    rows = dict.fromkeys(
        state.consumer_row(d.consumer_uuid) for d in session.deltas if isinstance(d, Resize)
    )
    return [row for row in rows if state.flavor(row) != base.flavor(row)]
