"""The rules of the graph, checked on the state after the whole transaction.

Beside them stand the rules that need no other entity: what a field may hold (`valid`), and
which generations a caller expects (`check_expected`).
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

from tachyon.errors import GenerationConflict, InvalidInput, InventoryMissing, ProviderInUse
from tachyon.graph.entities import KIND_OF, Consumer, Entity, Kind, ResourceProvider
from tachyon.graph.mutations import Expected
from tachyon.graph.store.working_set import WorkingSet

AnyEntity = TypeVar("AnyEntity", bound=Entity)

_encode = msgspec.json.Encoder().encode
_decoders = {cls: msgspec.json.Decoder(cls) for cls in KIND_OF}


def check_expected(work: WorkingSet, expected: Expected, generation: int) -> None:
    """Raise `GenerationConflict` with every expectation that does not hold."""
    conflicts: list[dict[str, Any]] = []
    if expected.graph is not None and expected.graph != generation:
        conflicts.append(
            {"kind": "graph", "key": "global", "expected": expected.graph, "found": generation}
        )
    groups: tuple[tuple[Kind, dict[str, int]], ...] = (
        ("provider", expected.providers),
        ("consumer", expected.consumers),
    )
    for kind, wanted in groups:
        for key, value in wanted.items():
            entity = cast("ResourceProvider | Consumer | None", work.get(kind, key))
            found = 0 if entity is None else entity.generation
            if found != value:
                conflicts.append(
                    {"kind": kind, "key": key, "expected": value, "found": found or None}
                )
    if conflicts:
        raise GenerationConflict(conflicts)


def valid(entity: AnyEntity, place: str) -> AnyEntity:
    """Return the entity as every store can hold it; raises `InvalidInput`.

    Entities that came through a decoder are valid already; those that were built in Python may
    be anything. The way through JSON checks each field and turns free values (metadata, extra)
    into what they will be when they are read back: tuples become lists, NaN becomes null.
    """
    try:
        return cast(AnyEntity, _decoders[type(entity)].decode(_encode(entity)))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        problem = (f"{place}: {path.rstrip('`')}" if path else place, reason)
    except (ValueError, TypeError, RecursionError) as error:
        problem = (place, str(error))
    raise InvalidInput.at([problem])


def check_graph(work: WorkingSet) -> None:
    """Check every rule of the graph that the touched entities could break."""
    _check_consumers(work)
    removed: set[str] = set()
    shrunk: dict[str, set[str]] = {}
    for uuid, entity in work.after["provider"].items():
        old = cast("ResourceProvider | None", work.before["provider"][uuid])
        if entity is None:
            if old is not None:
                removed.add(uuid)
            continue
        provider = cast(ResourceProvider, entity)
        _check_parent(work, provider)
        if old is not None and (lost := old.inventories.keys() - provider.inventories.keys()):
            shrunk[uuid] = set(lost)
    if removed and (children := work.children(removed)):
        raise ProviderInUse(
            f"resource provider has children: {', '.join(sorted(children)[:10])}",
            children=sorted(children),
        )
    if removed or shrunk:
        _check_holders(work, removed, shrunk)


def _check_holders(work: WorkingSet, removed: set[str], shrunk: dict[str, set[str]]) -> None:
    for consumer in work.holders(removed | shrunk.keys()):
        for uuid, resources in consumer.allocations.items():
            if uuid in removed or shrunk.get(uuid, set()) & resources.keys():
                raise ProviderInUse(
                    f"consumer {consumer.uuid} still holds {', '.join(sorted(resources))} "
                    f"on resource provider {uuid}",
                    provider=uuid,
                    consumer=consumer.uuid,
                )


def _check_consumers(work: WorkingSet) -> None:
    changed = []
    for uuid, entity in work.after["consumer"].items():
        old = cast("Consumer | None", work.before["consumer"][uuid])
        if entity is not None:
            consumer = cast(Consumer, entity)
            if old is None or old.allocations != consumer.allocations:
                changed.append(consumer)
    work.fetch("provider", {uuid for c in changed for uuid in c.allocations})
    for consumer in changed:
        for uuid, resources in consumer.allocations.items():
            provider = cast("ResourceProvider | None", work.get("provider", uuid))
            if provider is None:
                place = work.places["consumer", consumer.uuid]
                raise InvalidInput.at(
                    [(f"{place}: allocations.{uuid}", "no resource provider of that uuid")]
                )
            if missing := resources.keys() - provider.inventories.keys():
                raise InventoryMissing(uuid, min(missing))


def _check_parent(work: WorkingSet, provider: ResourceProvider) -> None:
    seen = {provider.uuid}
    parent = provider.parent_uuid
    while parent is not None:
        place = f"{work.places['provider', provider.uuid]}: parent_uuid"
        if parent in seen:
            raise InvalidInput.at([(place, f"{parent} is a descendant of {provider.uuid}")])
        seen.add(parent)
        above = cast("ResourceProvider | None", work.get("provider", parent))
        if above is None:
            raise InvalidInput.at([(place, f"no resource provider {parent}")])
        parent = above.parent_uuid
