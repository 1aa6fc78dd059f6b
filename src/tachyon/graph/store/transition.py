"""What a transaction does to the graph, worked out once for every store.

A store locks, hands a `Reader` over its locked state to `plan`, writes the changes that come
back, and commits. So the rules of the graph live here, in `checks` and in `outcome`, and
nowhere else:

* checks are made on the state after the whole transaction, so the order of mutations in it does
  not matter for references;
* an allocation needs its provider (`InvalidInput`) and an inventory of its class there
  (`InventoryMissing`); capacity is not checked: the graph records what the cloud did;
* a parent must exist and be no descendant; a removed provider has no children and no
  allocations left (`ProviderInUse`), nor has a removed inventory;
* references to zones, aggregates, projects, flavors and server groups are names and need no
  record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from msgspec.structs import replace

from tachyon.errors import InvalidInput, NotFound
from tachyon.graph import mutations as m
from tachyon.graph.entities import (
    KIND_OF,
    KINDS,
    Allocations,
    Consumer,
    Entity,
    Kind,
    ResourceProvider,
    key_of,
)
from tachyon.graph.store.checks import check_expected, check_graph
from tachyon.graph.store.outcome import finish
from tachyon.graph.store.working_set import EntityChange, Reader, WorkingSet

__all__ = ["EntityChange", "Reader", "plan"]


def plan(
    mutations: Sequence[m.AnyMutation],
    expected: m.Expected | None,
    reader: Reader,
    generation: int,
) -> list[EntityChange]:
    """Work out what `mutations` change when applied as generation `generation + 1`.

    `generation` is the one in force. Returns nothing when everything is so already. Changes come
    in an order in which they can be written: records, providers (parents first), consumers.

    Raises:
        GenerationConflict: an expectation does not hold.
        ProviderNotFound, ConsumerNotFound, NotFound: a patch or removal names what is not there.
        InvalidInput: a reference in an entity cannot be satisfied, or a field holds what is not
            valid there; names the place.
        InventoryMissing: an allocation of a class that its provider has no inventory of.
        ProviderInUse: a provider, or an inventory of it, is removed while in use.
    """
    work = WorkingSet(reader)
    _prefetch(work, mutations, expected)
    if expected is not None:
        check_expected(work, expected, generation)
    for position, mutation in enumerate(mutations):
        _apply(work, mutation, f"mutations[{position}]")
    check_graph(work)
    return finish(work, generation + 1)


def _prefetch(
    work: WorkingSet, mutations: Sequence[m.AnyMutation], expected: m.Expected | None
) -> None:
    """Read in one go what single mutations name."""
    wanted: dict[Kind, set[str]] = {kind: set() for kind in KINDS}
    for mutation in mutations:
        for kind, key in _named(mutation):
            wanted[kind].add(key)
    if expected is not None:
        wanted["provider"].update(expected.providers)
        wanted["consumer"].update(expected.consumers)
    for kind, keys in wanted.items():
        work.fetch(kind, keys)


def _named(mutation: m.AnyMutation) -> list[tuple[Kind, str]]:
    if isinstance(mutation, m.PatchProvider | m.RemoveProvider):
        return [("provider", mutation.uuid)]
    if isinstance(mutation, m.PatchConsumer):
        held = mutation.allocations or {}
        return [("consumer", mutation.uuid), *(("provider", uuid) for uuid in held)]
    if isinstance(mutation, m.RemoveConsumer):
        return [("consumer", mutation.uuid)]
    if isinstance(mutation, m.RemoveRecord):
        return [(mutation.kind, mutation.key)]
    if isinstance(mutation, m.Synchronise):
        return []
    entity = _entity_of(mutation)
    named: list[tuple[Kind, str]] = [(KIND_OF[type(entity)], key_of(entity))]
    if isinstance(entity, Consumer):
        named.extend(("provider", uuid) for uuid in entity.allocations)
    return named


def _entity_of(mutation: Any) -> Entity:
    (name,) = mutation.__struct_fields__
    return cast(Entity, getattr(mutation, name))


def _apply(work: WorkingSet, mutation: m.AnyMutation, place: str) -> None:
    if isinstance(mutation, m.PatchProvider):
        provider = replace(work.provider(mutation.uuid), **m.patch_fields(mutation))
        work.assign("provider", mutation.uuid, provider, place)
    elif isinstance(mutation, m.PatchConsumer):
        consumer = replace(work.consumer(mutation.uuid), **m.patch_fields(mutation))
        work.assign("consumer", mutation.uuid, _normal(consumer), place)
    elif isinstance(mutation, m.RemoveProvider):
        work.provider(mutation.uuid)
        _remove_providers(work, {mutation.uuid}, mutation.cascade, place)
    elif isinstance(mutation, m.RemoveConsumer):
        work.consumer(mutation.uuid)
        work.assign("consumer", mutation.uuid, None, place)
    elif isinstance(mutation, m.RemoveRecord):
        if work.get(mutation.kind, mutation.key) is None:
            raise NotFound(f"{mutation.kind} {mutation.key} does not exist")
        work.assign(mutation.kind, mutation.key, None, place)
    elif isinstance(mutation, m.Synchronise):
        _synchronise(work, mutation, place)
    else:
        entity = _normal(_entity_of(mutation))
        work.assign(KIND_OF[type(entity)], key_of(entity), entity, place)


def _remove_providers(
    work: WorkingSet,
    uuids: set[str],
    cascade: bool,
    place: str,
    keep: Collection[str] = (),
) -> None:
    doomed = set(uuids)
    if cascade:
        frontier = doomed
        while frontier := work.children(frontier) - doomed - set(keep):
            doomed |= frontier
        for consumer in work.holders(doomed):
            work.assign("consumer", consumer.uuid, _without(consumer, doomed), place)
    for uuid in sorted(doomed):
        work.assign("provider", uuid, None, place)


#: The lists of a `Cluster`, in the order in which references are satisfied.
_LISTS: tuple[tuple[Kind, str], ...] = tuple(
    (kind, "availability_zones" if kind == "availability_zone" else f"{kind}s") for kind in KINDS
)


def _synchronise(work: WorkingSet, mutation: m.Synchronise, place: str) -> None:
    since = mutation.since
    for kind, _ in _LISTS:
        work.fetch_all(kind)
    gone = set() if since is None else set(work.reader.removed_since(since))
    lost = _lost(work, mutation.cluster, {key for kind, key in gone if kind == "provider"})
    for kind, listed in _LISTS:
        seen: set[str] = set()
        written: set[str] = set()
        for position, raw in enumerate(getattr(mutation.cluster, listed)):
            where = f"{place}.cluster.{listed}[{position}]"
            entity = _normal(raw)
            key = key_of(entity)
            if key in seen:
                raise InvalidInput.at([(where, f"{key} is listed twice")])
            seen.add(key)
            if (kind, key) in gone or _is_newer(work, kind, key, since):
                continue
            if lost and isinstance(entity, ResourceProvider) and entity.parent_uuid in lost:
                continue
            if lost and isinstance(entity, Consumer):
                entity = _without(entity, lost)
            work.assign(kind, key, entity, where)
            written.add(key)
        absent = {
            key
            for key in work.before[kind]
            if key not in seen
            and (entity_now := work.get(kind, key)) is not None
            and _is_pruned(mutation, kind, entity_now)
            and not _is_newer(work, kind, key, since)
        }
        if kind != "provider":
            for key in sorted(absent):
                work.assign(kind, key, None, place)
        elif absent:
            # A child that is listed while its parent is not: left for the checks to refuse.
            _remove_providers(work, absent, True, place, keep=written)


def _lost(work: WorkingSet, cluster: m.Cluster, removed: set[str]) -> set[str]:
    """Return the providers that the reading still saw and that are gone by now.

    These are the ones removed and not created again, and what the reading saw below them for
    the first time.
    """
    lost = {uuid for uuid in removed if work.get("provider", uuid) is None}
    below: dict[str | None, list[str]] = {}
    for provider in cluster.providers if lost else ():
        below.setdefault(provider.parent_uuid, []).append(provider.uuid)
    frontier = list(lost)
    while frontier:
        for child in below.get(frontier.pop(), ()):
            if child not in lost and work.get("provider", child) is None:
                lost.add(child)
                frontier.append(child)
    return lost


def _is_newer(work: WorkingSet, kind: Kind, key: str, since: int | None) -> bool:
    if since is None:
        return False
    entity = work.before[kind].get(key)
    return isinstance(entity, ResourceProvider | Consumer) and entity.generation > since


def _is_pruned(mutation: m.Synchronise, kind: Kind, entity: Entity) -> bool:
    if isinstance(entity, ResourceProvider):
        return mutation.provider_types is None or entity.type in mutation.provider_types
    if isinstance(entity, Consumer):
        return mutation.consumer_types is None or entity.type in mutation.consumer_types
    return mutation.records is None or kind in mutation.records


def _normal(entity: Entity) -> Entity:
    """Return the entity in the one form in which equal things compare equal."""
    if not isinstance(entity, Consumer):
        return entity
    held = entity.allocations
    if not all(resources and all(resources.values()) for resources in held.values()):
        entity = replace(entity, allocations=_held(held))
    if entity.created_at is not None:
        entity = replace(entity, created_at=_utc(entity.created_at))
    return entity


def _held(allocations: Allocations) -> Allocations:
    held = {
        uuid: {name: amount for name, amount in resources.items() if amount}
        for uuid, resources in allocations.items()
    }
    return {uuid: resources for uuid, resources in held.items() if resources}


def _without(consumer: Consumer, providers: Collection[str]) -> Consumer:
    """Return the consumer without what it holds on some providers."""
    if consumer.allocations.keys().isdisjoint(providers):
        return consumer
    left = {u: r for u, r in consumer.allocations.items() if u not in providers}
    return replace(consumer, allocations=left)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
