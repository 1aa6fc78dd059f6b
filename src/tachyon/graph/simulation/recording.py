"""How each kind of delta changes a virtual state, with the checks it must pass first.

A delta is checked against the *effective* state, so a second move starts where the first ended.
Rules of inventories are Placement's: an amount is at least min_unit, at most max_unit, a multiple
of step_size, and fits into the capacity. States of hosts, zones, traits and groups are not
checked here: a what-if may ask for what the scheduler would refuse (see `destinations`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from tachyon.errors import (
    CapacityExceeded,
    InvalidInput,
    InventoryMissing,
    NotPlacedThere,
    TachyonError,
    UnitViolation,
)
from tachyon.graph.deltas import (
    PROVIDER_FIELDS,
    Allocate,
    Deallocate,
    Delta,
    Move,
    Resize,
    UpdateProvider,
)
from tachyon.graph.simulation.state import Effect, NewConsumer, VirtualState
from tachyon.graph.view.placement import Part, Parts, make_parts, merge_parts


def apply(state: VirtualState, delta: Delta) -> tuple[Effect, ...]:
    """Apply one delta; returns its effects, newest last, for `revert`.

    Raises:
        ProviderNotFound, ConsumerNotFound: a name in the delta is unknown.
        NotPlacedThere: the consumer holds nothing on the provider named.
        InventoryMissing, UnitViolation, CapacityExceeded: the target cannot take it; the error
            names provider, class, available and required. Not with `overcommit`, but that an
            allocation needs an inventory.
        InvalidInput: the delta says nothing, or cannot be understood in this state.
    """
    if type(delta) is Move:
        row = state.consumer_row(delta.consumer_uuid)
        return apply_move(state, delta, row, state.view.provider_row(delta.to_provider))
    if isinstance(delta, Allocate):
        return _allocate(state, delta)
    if isinstance(delta, Deallocate):
        return _deallocate(state, delta)
    if isinstance(delta, Resize):
        return _resize(state, delta)
    if isinstance(delta, UpdateProvider):
        return _update_provider(state, delta)
    raise InvalidInput(f"unknown delta {delta!r}")


def apply_move(state: VirtualState, delta: Move, row: int, target: int) -> tuple[Effect, ...]:
    """Apply a move whose consumer and target are known by their rows; see `apply`."""
    try:
        return _move(state, delta, row, target)
    except (CapacityExceeded, UnitViolation, InventoryMissing):
        if not delta.overcommit:
            raise
        return _force_move(state, delta)


def revert(state: VirtualState, effects: Sequence[Effect]) -> None:
    """Take back the effects of one delta."""
    for kind, row, before in reversed(effects):
        if kind == "place":
            state.restore_place(row, before)
        elif kind == "fields":
            state.restore_fields(row, before)
        elif kind == "new":
            state.drop_last_consumer()
        elif before is None:
            del state.flavors[row]
        else:
            state.flavors[row] = before


def _move(state: VirtualState, delta: Move, row: int, target: int) -> tuple[Effect, ...]:
    view = state.view
    home = state.simple_home(row)
    tree = view.tree
    if home >= 0 and tree.hosts[target] == target:
        if delta.from_provider is not None:
            named = view.provider_row(delta.from_provider)
            if named != home and home not in tree.subtree(named):
                raise _not_there(state, row, named)
            if named == target:
                raise _same_place(delta)
        if home == target:
            raise _same_place(delta)
        demand = view.consumers.demand[row].tolist()
        used = state.used_row(target)
        limits = view.limits(target)
        for column in view.resource_range:
            amount = demand[column]
            if not amount:
                continue
            has, capacity, min_unit, max_unit, step = limits[column]
            if (
                not has
                or used[column] + amount > capacity
                or amount < min_unit
                or amount > max_unit
                or amount % step
            ):
                if tree.has_children(target):
                    return _move_parts(state, row, delta, target)
                raise _problem(state, target, column, amount, used[column])
        if tree.types[target] == tree.types[home] or not tree.has_children(target):
            return (("place", row, state.move_simple(row, home, target, demand)),)
    return _move_parts(state, row, delta, target)


def _move_parts(state: VirtualState, row: int, delta: Move, target: int) -> tuple[Effect, ...]:
    parts = state.parts(row)
    if delta.from_provider is None:
        source = state.home(row)
        if source < 0:
            raise _not_there(state, row, None)
    else:
        source = state.view.provider_row(delta.from_provider)
    moved, staying = _split(state, parts, source)
    if not moved:
        raise _not_there(state, row, source)
    if source == target or all(at == target for at, _ in moved):
        raise _same_place(delta)
    settled = settle(state, moved, target, staying)
    return (("place", row, state.set_place(row, settled)),)


def _force_move(state: VirtualState, delta: Move) -> tuple[Effect, ...]:
    """Move without regard to room: each part to the first provider of its old one's type.

    Where the target's tree has none of that type, the part stands on the target itself.
    """
    view = state.view
    row = state.consumer_row(delta.consumer_uuid)
    target = view.provider_row(delta.to_provider)
    named = delta.from_provider
    source = state.home(row) if named is None else view.provider_row(named)
    moved, staying = _split(state, state.parts(row), source)
    types = view.tree.types
    settled: dict[int, dict[int, int]] = {at: dict(held) for at, held in staying}
    for at, held in moved:
        goal = next((r for r in view.tree.subtree(target) if types[r] == types[at]), target)
        mine = settled.setdefault(goal, {})
        for column, amount in held:
            mine[column] = mine.get(column, 0) + amount
    return (("place", row, state.set_place(row, make_parts(settled))),)


def _split(state: VirtualState, parts: Parts, source: int) -> tuple[Parts, Parts]:
    mine = set(state.view.tree.subtree(source))
    return (
        tuple(p for p in parts if p[0] in mine),
        tuple(p for p in parts if p[0] not in mine),
    )


def settle(state: VirtualState, moved: Parts, target: int, staying: Parts = ()) -> Parts:
    """Find providers in the tree below `target` for parts that leave where they are.

    What was held on one provider stays together on one. Parts are taken in the preorder of their
    old providers; each goes to the first provider (preorder) of its old provider's type that can
    take it, else to the first of any type. The parts' own old room counts as free. Returns all
    that the consumer holds then, `staying` included: unit rules judge the sum on a provider.
    """
    tree = state.view.tree
    rank = tree.preorder
    used: dict[int, list[int]] = {}

    def used_row(row: int) -> list[int]:
        found = used.get(row)
        if found is None:
            found = used[row] = state.used_row(row)
        return found

    for source, held in moved:
        for column, amount in held:
            used_row(source)[column] -= amount
    settled: dict[int, dict[int, int]] = {row: dict(held) for row, held in staying}
    for source, held in sorted(moved, key=lambda part: rank[part[0]]):
        wanted = tree.types[source]
        rows = tree.subtree(target)
        ordered = [r for r in rows if tree.types[r] == wanted]
        ordered += [r for r in rows if tree.types[r] != wanted]
        refusal: TachyonError | None = None
        for row in ordered:
            mine = settled.get(row, {})
            whole = tuple((c, a + mine.get(c, 0)) for c, a in held)
            before = [u - mine.get(c, 0) for c, u in enumerate(used_row(row))]
            found = check_part(state, (row, whole), before)
            if found is None:
                for column, amount in held:
                    used_row(row)[column] += amount
                    settled.setdefault(row, {})[column] = mine.get(column, 0) + amount
                break
            refusal = refusal or found
        else:
            assert refusal is not None
            raise refusal
    return make_parts(settled)


def check_part(state: VirtualState, part: Part, used: Sequence[int]) -> TachyonError | None:
    """Return why a provider whose usage is `used` cannot take a part, None when it can."""
    row, held = part
    limits = state.view.limits(row)
    for column, amount in held:
        has, capacity, min_unit, max_unit, step = limits[column]
        if (
            not has
            or used[column] + amount > capacity
            or amount < min_unit
            or amount > max_unit
            or amount % step
        ):
            return _problem(state, row, column, amount, used[column])
    return None


def _problem(state: VirtualState, row: int, column: int, amount: int, used: int) -> TachyonError:
    view = state.view
    uuid, name = view.providers.uuid[row], view.classes[column]
    has, capacity, min_unit, max_unit, step = view.limits(row)[column]
    if not has:
        return InventoryMissing(uuid, name)
    if amount < min_unit:
        return UnitViolation(uuid, name, amount, f"min_unit {min_unit}")
    if amount > max_unit:
        return UnitViolation(uuid, name, amount, f"max_unit {max_unit}")
    if amount % step:
        return UnitViolation(uuid, name, amount, f"step_size {step}")
    return CapacityExceeded(uuid, name, capacity - used, amount)


def _allocate(state: VirtualState, delta: Allocate) -> tuple[Effect, ...]:
    view = state.view
    target = view.provider_row(delta.to_provider)
    wanted = _columns(state, target, {c: a for c, a in delta.resources.items() if a})
    if not wanted:
        raise InvalidInput.at([("resources", "no amount of any resource class")])
    row = state.find_consumer(delta.consumer_uuid)
    parts = () if row is None else state.parts(row)
    mine = dict(next((held for at, held in parts if at == target), ()))
    whole = tuple(sorted((c, a + mine.get(c, 0)) for c, a in wanted.items()))
    used = [u - mine.get(c, 0) for c, u in enumerate(state.used_row(target))]
    problem = None if delta.overcommit else check_part(state, (target, whole), used)
    if problem is not None:
        raise problem
    effects: list[Effect] = []
    if row is None:
        row = state.add_consumer(_new_consumer(delta))
        effects.append(("new", row, None))
    added = merge_parts(parts, ((target, tuple(sorted(wanted.items()))),))
    effects.append(("place", row, state.set_place(row, added)))
    return tuple(effects)


def _new_consumer(delta: Allocate) -> NewConsumer:
    return NewConsumer(
        uuid=delta.consumer_uuid,
        name=_given(delta.name) or "",
        type=_given(delta.consumer_type) or "instance",
        project_id=_given(delta.project_id),
        flavor_id=_given(delta.flavor_id),
        server_group=_given(delta.server_group),
        pinned_az=_given(delta.pinned_az),
    )


def _given(value: str | UnsetType) -> str | None:
    return value if isinstance(value, str) else None


def _deallocate(state: VirtualState, delta: Deallocate) -> tuple[Effect, ...]:
    row = state.consumer_row(delta.consumer_uuid)
    parts = state.parts(row)
    if delta.from_provider is None:
        if not parts:
            raise _not_there(state, row, None)
        return (("place", row, state.set_place(row, ())),)
    source = state.view.provider_row(delta.from_provider)
    lost, staying = _split(state, parts, source)
    if not lost:
        raise _not_there(state, row, source)
    return (("place", row, state.set_place(row, staying)),)


def _resize(state: VirtualState, delta: Resize) -> tuple[Effect, ...]:
    row = state.consumer_row(delta.consumer_uuid)
    parts = state.parts(row)
    if not parts:
        raise _not_there(state, row, None)
    if not delta.resources and delta.flavor_id is UNSET:
        raise InvalidInput.at([("resources", "no resource class to resize")])
    now: dict[int, dict[int, int]] = {at: dict(held) for at, held in parts}
    changed: dict[int, dict[int, int]] = {}
    for name, amount in delta.resources.items():
        at = _where(state, delta, row, now, name)
        changed.setdefault(at, {})[_stocked_column(state, at, name)] = amount
    for at, amounts in changed.items():
        mine = now.get(at, {})
        used = [u - mine.get(c, 0) for c, u in enumerate(state.used_row(at))]
        wanted = tuple(sorted((c, a) for c, a in amounts.items() if a))
        problem = check_part(state, (at, wanted), used)
        if problem is not None:
            raise problem
        now[at] = {**mine, **amounts}
    effects: list[Effect] = [("place", row, state.set_place(row, make_parts(now)))]
    if isinstance(delta.flavor_id, str):
        effects.append(("flavor", row, state.flavors.get(row)))
        state.flavors[row] = delta.flavor_id
    return tuple(effects)


def _where(
    state: VirtualState, delta: Resize, row: int, now: dict[int, dict[int, int]], name: str
) -> int:
    """Return the provider row on which a class is resized."""
    view = state.view
    if delta.provider is not None:
        at = view.provider_row(delta.provider)
        if at not in now:
            raise _not_there(state, row, at)
        return at
    column = view.class_index.get(name, -1)
    holding = [at for at, held in now.items() if column in held]
    if len(holding) > 1:
        raise InvalidInput.at(
            [("provider", f"{name} is held on {len(holding)} providers; name the one to resize")]
        )
    return holding[0] if holding else state.home(row)


def _update_provider(state: VirtualState, delta: UpdateProvider) -> tuple[Effect, ...]:
    row = state.view.provider_row(delta.provider_uuid)
    fields = {
        name: value for name in PROVIDER_FIELDS if (value := getattr(delta, name)) is not UNSET
    }
    if not fields:
        raise InvalidInput.at([("", "no field of the provider to update")])
    return (("fields", row, state.set_fields(row, fields)),)


def _columns(state: VirtualState, target: int, resources: dict[str, int]) -> dict[int, int]:
    return {_stocked_column(state, target, name): amount for name, amount in resources.items()}


def _stocked_column(state: VirtualState, row: int, name: str) -> int:
    """Return the column of a class that a provider has an inventory of.

    Whether the view has a column for a class that no provider has (any more) differs between
    processes; this does not.
    """
    view = state.view
    column = view.class_index.get(name)
    if column is None or column >= view.resource_columns or not view.limits(row)[column][0]:
        raise InventoryMissing(view.providers.uuid[row], name)
    return column


def _not_there(state: VirtualState, row: int, named: int | None) -> NotPlacedThere:
    uuid = state.view.providers.uuid
    consumer = state.consumer_uuid(row)
    here = [uuid[at] for at, _ in state.parts(row)]
    place = "anything" if named is None else f"anything on resource provider {uuid[named]}"
    return NotPlacedThere(
        f"consumer {consumer} does not hold {place}; it is on {', '.join(here) or 'no provider'}",
        consumer=consumer,
        provider=None if named is None else uuid[named],
        placed_on=here,
    )


def _same_place(delta: Move) -> InvalidInput:
    return InvalidInput(
        f"consumer {delta.consumer_uuid} is on resource provider {delta.to_provider} already",
        consumer=delta.consumer_uuid,
        provider=delta.to_provider,
    )
