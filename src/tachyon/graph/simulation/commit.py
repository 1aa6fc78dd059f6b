"""What a session would change in the graph, and whether the graph still allows it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from tachyon.graph.deltas import Delta, UpdateProvider
from tachyon.graph.entities import Allocations, Consumer
from tachyon.graph.mutations import AnyMutation, Expected, PatchConsumer, PatchProvider, PutConsumer
from tachyon.graph.simulation.session import Session
from tachyon.graph.view.view import View


class PlacementChange(Struct, frozen=True, kw_only=True):
    """The net effect of a session on one consumer; hosts are uuids, None for nowhere."""

    consumer_uuid: str
    from_host: str | None
    to_host: str | None
    before: Allocations
    after: Allocations
    new: bool = False


class NetEffect(Struct, frozen=True):
    """What a session's deltas amount to: moves there and back again leave nothing."""

    placements: list[PlacementChange]
    providers: dict[str, dict[str, Any]]
    flavors: dict[str, str]

    @property
    def migrations(self) -> list[PlacementChange]:
        """Those placements that lead from one host to another."""
        return [
            p for p in self.placements if p.from_host and p.to_host and p.from_host != p.to_host
        ]


class Validation(Struct, frozen=True, kw_only=True):
    """Whether a session can be committed now.

    `stale` says that the graph has moved on since the base; that alone is no conflict. A conflict
    is `{"kind", "key", "expected", "found"}` of a consumer or provider that a delta touches.
    """

    valid: bool
    stale: bool
    base_generation: int
    generation: int
    conflicts: list[dict[str, Any]] = field(default_factory=list)


def net_effect(session: Session) -> NetEffect:
    """Return what a session changes, in the order in which consumers were first touched."""
    view, state = session.view, session.state
    uuid = view.providers.uuid
    placements: list[PlacementChange] = []
    for row in state.placed_rows():
        new = state.is_new(row)
        before = () if new else view.parts(row)
        after = state.parts(row)
        if before == after:
            continue
        was = -1 if new else int(view.consumers.home[row])
        now = state.home(row)
        placements.append(
            PlacementChange(
                consumer_uuid=state.consumer_uuid(row),
                from_host=None if was < 0 else uuid[was],
                to_host=None if now < 0 else uuid[now],
                before=view.named_parts(before),
                after=view.named_parts(after),
                new=new,
            )
        )
    providers: dict[str, dict[str, Any]] = {}
    for at, fields in state.fields.items():
        record = view.provider_at(at)
        differing = {k: v for k, v in fields.items() if getattr(record, k) != v}
        if differing:
            providers[uuid[at]] = differing
    # A new consumer that holds nothing in the end never comes into the graph.
    flavors = {
        state.consumer_uuid(row): flavor
        for row, flavor in state.flavors.items()
        if (
            state.parts(row)
            if state.is_new(row)
            else view.codes.flavor.value(view.consumers.flavor.item(row)) != flavor
        )
    }
    return NetEffect(placements, providers, flavors)


def mutations(session: Session) -> list[AnyMutation]:
    """Return the mutations that bring the net effect of a session about."""
    effect = net_effect(session)
    found: list[AnyMutation] = [
        PatchProvider(uuid=uuid, **fields) for uuid, fields in effect.providers.items()
    ]
    flavors = dict(effect.flavors)
    for change in effect.placements:
        flavor = flavors.pop(change.consumer_uuid, None)
        if change.new:
            found.append(PutConsumer(consumer=_new_consumer(session, change, flavor)))
            continue
        given = {} if flavor is None else {"flavor_id": flavor}
        found.append(
            PatchConsumer(uuid=change.consumer_uuid, allocations=change.after, **given)  # type: ignore[arg-type]
        )
    found.extend(PatchConsumer(uuid=uuid, flavor_id=f) for uuid, f in flavors.items())
    return found


def _new_consumer(session: Session, change: PlacementChange, flavor: str | None) -> Consumer:
    state = session.state
    new = state.new[state.new_at[change.consumer_uuid] - session.view.consumer_rows]
    return Consumer(
        uuid=new.uuid,
        name=new.name,
        type=new.type,
        project_id=new.project_id,
        flavor_id=flavor or new.flavor_id,
        server_group=new.server_group,
        pinned_az=new.pinned_az,
        allocations=change.after,
    )


def expected(session: Session) -> Expected:
    """Return the generations, as of the base, of all that the deltas touch.

    That is every consumer and provider named in a delta, and every provider on which a touched
    consumer holds or held something. What the session created is expected not to exist.
    """
    view, state = session.view, session.state
    providers: set[int] = set(state.fields)
    consumers: dict[str, int] = {}
    for delta in session.deltas:
        providers.update(_named_providers(view, delta))
        if isinstance(delta, UpdateProvider):
            continue
        row = state.consumer_row(delta.consumer_uuid)
        if state.is_new(row):
            consumers[delta.consumer_uuid] = 0
        else:
            consumers[delta.consumer_uuid] = int(view.consumers.generation[row])
            providers.update(at for at, _ in view.parts(row))
        providers.update(at for at, _ in state.parts(row))
    return Expected(
        providers={
            view.providers.uuid[at]: view.provider_at(at).generation for at in sorted(providers)
        },
        consumers=consumers,
    )


def _named_providers(view: View, delta: Delta) -> set[int]:
    names = (
        getattr(delta, name, None)
        for name in ("from_provider", "to_provider", "provider", "provider_uuid")
    )
    return {view.provider_row(name) for name in names if name is not None}


def validate(session: Session, current: View) -> Validation:
    """Compare what a session touches with the graph as it is now."""
    guard = expected(session)
    conflicts: list[dict[str, Any]] = []
    for uuid, generation in guard.providers.items():
        row = current.providers.index.get(uuid, -1)
        record = current.providers.record[row] if 0 <= row < current.provider_rows else None
        found = 0 if record is None else record.generation
        if found != generation:
            conflicts.append(_conflict("provider", uuid, generation, found))
    for uuid, generation in guard.consumers.items():
        row = current.consumers.index.get(uuid, -1)
        alive = 0 <= row < current.consumer_rows and bool(current.consumers.alive[row])
        found = int(current.consumers.generation[row]) if alive else 0
        if found != generation:
            conflicts.append(_conflict("consumer", uuid, generation, found))
    return Validation(
        valid=not conflicts,
        stale=current.generation != session.base_generation,
        base_generation=session.base_generation,
        generation=current.generation,
        conflicts=conflicts,
    )


def _conflict(kind: str, key: str, wanted: int, found: int) -> dict[str, Any]:
    return {"kind": kind, "key": key, "expected": wanted, "found": found or None}
