"""What a transaction does to the graph, worked out once for every store.

A store locks, hands a `Reader` over its locked state to `plan`, writes the changes that come
back, and commits. So the rules of the graph live here and nowhere else:

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

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import (
    ConsumerNotFound,
    GenerationConflict,
    InvalidInput,
    InventoryMissing,
    NotFound,
    ProviderInUse,
    ProviderNotFound,
)
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
from tachyon.graph.store.contract import Change

_STORE_SET = frozenset({"generation", "placed"})


class Reader(Protocol):
    """The locked state of a store, as `plan` asks for it."""

    def entities(self, kind: Kind, keys: Collection[str]) -> Mapping[str, Entity]:
        """Return those of the named entities that exist, by key."""

    def everything(self, kind: Kind) -> Mapping[str, Entity]:
        """Return all entities of a kind, by key, in order of insertion."""

    def children(self, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the uuids of the children of each provider (those without may be missing)."""

    def holders(self, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the uuids of the consumers that hold anything on each provider."""

    def removed_since(self, generation: int) -> Collection[tuple[Kind, str]]:
        """Return what was removed after a generation, as far as the log reaches back."""


class EntityChange(Struct, frozen=True):
    """One entity before and after a transaction; None where it does not exist."""

    kind: Kind
    key: str
    before: Entity | None
    after: Entity | None

    def logged(self, generation: int) -> Change:
        """Return the entry for the change log: the fields that differ, as plain JSON values."""
        before, after = self.before, self.after
        if before is None or after is None:
            return Change(
                generation=generation,
                kind=self.kind,
                key=self.key,
                before=None if before is None else _builtins(before),
                after=None if after is None else _builtins(after),
            )
        old: dict[str, Any] = {}
        new: dict[str, Any] = {}
        for name in before.__struct_fields__:
            was, now = getattr(before, name), getattr(after, name)
            if was != now:
                old[name] = _builtins(was)
                new[name] = _builtins(now)
        return Change(generation=generation, kind=self.kind, key=self.key, before=old, after=new)


def _builtins(value: Any) -> Any:
    return msgspec.to_builtins(value)


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
        InvalidInput: a reference in an entity cannot be satisfied; names the place.
        InventoryMissing: an allocation of a class that its provider has no inventory of.
        ProviderInUse: a provider, or an inventory of it, is removed while in use.
    """
    work = _Work(reader)
    work.prefetch(mutations, expected)
    if expected is not None:
        _check_expected(work, expected, generation)
    for position, mutation in enumerate(mutations):
        _apply(work, mutation, f"mutations[{position}]")
    _check(work)
    return _finish(work, generation + 1)


class _Work:
    """Before and after images of everything that a transaction looks at or touches."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.before: dict[Kind, dict[str, Entity | None]] = {kind: {} for kind in KINDS}
        self.after: dict[Kind, dict[str, Entity | None]] = {kind: {} for kind in KINDS}
        self.places: dict[tuple[Kind, str], str] = {}

    def prefetch(
        self, mutations: Sequence[m.AnyMutation], expected: m.Expected | None
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
            self.fetch(kind, keys)

    def fetch(self, kind: Kind, keys: Iterable[str]) -> None:
        before = self.before[kind]
        missing = {key for key in keys if key not in before}
        if not missing:
            return
        found = self.reader.entities(kind, missing)
        for key in missing:
            before[key] = found.get(key)

    def fetch_all(self, kind: Kind) -> None:
        before = self.before[kind]
        for key, entity in self.reader.everything(kind).items():
            before.setdefault(key, entity)

    def get(self, kind: Kind, key: str) -> Entity | None:
        after = self.after[kind]
        if key in after:
            return after[key]
        self.fetch(kind, (key,))
        return self.before[kind][key]

    def set(self, kind: Kind, key: str, entity: Entity | None, place: str) -> None:
        self.fetch(kind, (key,))
        self.after[kind][key] = entity
        self.places[kind, key] = place

    def provider(self, uuid: str) -> ResourceProvider:
        found = self.get("provider", uuid)
        if found is None:
            raise ProviderNotFound(uuid)
        return cast(ResourceProvider, found)

    def consumer(self, uuid: str) -> Consumer:
        found = self.get("consumer", uuid)
        if found is None:
            raise ConsumerNotFound(uuid)
        return cast(Consumer, found)

    def children(self, uuids: Collection[str]) -> set[str]:
        """Return the children of providers as they are after the mutations so far."""
        stored = self.reader.children(uuids)
        names = {child for some in stored.values() for child in some}
        names |= {key for key, entity in self.after["provider"].items() if entity is not None}
        self.fetch("provider", names)
        found = set()
        for name in names:
            child = self.get("provider", name)
            if child is not None and cast(ResourceProvider, child).parent_uuid in uuids:
                found.add(name)
        return found

    def holders(self, uuids: Collection[str]) -> list[Consumer]:
        """Return the consumers that hold anything on providers, after the mutations so far."""
        stored = self.reader.holders(uuids)
        names = {uuid for some in stored.values() for uuid in some}
        names |= {key for key, entity in self.after["consumer"].items() if entity is not None}
        self.fetch("consumer", names)
        return [
            consumer
            for name in sorted(names)
            if (consumer := cast("Consumer | None", self.get("consumer", name))) is not None
            and any(uuid in consumer.allocations for uuid in uuids)
        ]


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


def _check_expected(work: _Work, expected: m.Expected, generation: int) -> None:
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


def _apply(work: _Work, mutation: m.AnyMutation, place: str) -> None:
    if isinstance(mutation, m.PatchProvider):
        provider = replace(work.provider(mutation.uuid), **m.patch_fields(mutation))
        work.set("provider", mutation.uuid, provider, place)
    elif isinstance(mutation, m.PatchConsumer):
        consumer = replace(work.consumer(mutation.uuid), **m.patch_fields(mutation))
        work.set("consumer", mutation.uuid, _normal(consumer), place)
    elif isinstance(mutation, m.RemoveProvider):
        work.provider(mutation.uuid)
        _remove_provider(work, {mutation.uuid}, mutation.cascade, place)
    elif isinstance(mutation, m.RemoveConsumer):
        work.consumer(mutation.uuid)
        work.set("consumer", mutation.uuid, None, place)
    elif isinstance(mutation, m.RemoveRecord):
        if work.get(mutation.kind, mutation.key) is None:
            raise NotFound(f"{mutation.kind} {mutation.key} does not exist")
        work.set(mutation.kind, mutation.key, None, place)
    elif isinstance(mutation, m.Synchronise):
        _synchronise(work, mutation, place)
    else:
        entity = _normal(_entity_of(mutation))
        work.set(KIND_OF[type(entity)], key_of(entity), entity, place)


def _remove_provider(work: _Work, uuids: set[str], cascade: bool, place: str) -> None:
    doomed = set(uuids)
    if cascade:
        frontier = doomed
        while frontier := work.children(frontier) - doomed:
            doomed |= frontier
        for consumer in work.holders(doomed):
            left = {u: r for u, r in consumer.allocations.items() if u not in doomed}
            work.set("consumer", consumer.uuid, replace(consumer, allocations=left), place)
    for uuid in doomed:
        work.set("provider", uuid, None, place)


_LISTS: tuple[tuple[Kind, str], ...] = (
    ("availability_zone", "availability_zones"),
    ("host_aggregate", "host_aggregates"),
    ("project", "projects"),
    ("flavor", "flavors"),
    ("server_group", "server_groups"),
    ("provider", "providers"),
    ("consumer", "consumers"),
)


def _synchronise(work: _Work, mutation: m.Synchronise, place: str) -> None:
    since = mutation.since
    gone = set() if since is None else set(work.reader.removed_since(since))
    lost = {key for kind, key in gone if kind == "provider"}
    for kind, _ in _LISTS:
        work.fetch_all(kind)
    for kind, listed in _LISTS:
        seen: set[str] = set()
        for position, raw in enumerate(getattr(mutation.cluster, listed)):
            where = f"{place}.cluster.{listed}[{position}]"
            entity = _normal(raw)
            key = key_of(entity)
            if key in seen:
                raise InvalidInput.at([(where, f"{key} is listed twice")])
            seen.add(key)
            if (kind, key) in gone or _is_newer(work, kind, key, since):
                continue
            if lost and isinstance(entity, Consumer):
                left = {u: r for u, r in entity.allocations.items() if u not in lost}
                entity = replace(entity, allocations=left)
            work.set(kind, key, entity, where)
        absent = {
            key
            for key in work.before[kind]
            if key not in seen
            and (entity_now := work.get(kind, key)) is not None
            and _is_pruned(mutation, kind, entity_now)
            and not _is_newer(work, kind, key, since)
        }
        if kind == "provider":
            if absent:
                _remove_provider(work, absent, True, place)
        else:
            for key in absent:
                work.set(kind, key, None, place)


def _is_newer(work: _Work, kind: Kind, key: str, since: int | None) -> bool:
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
    if isinstance(entity, Consumer):
        return replace(
            entity, allocations=_held(entity.allocations), created_at=_utc(entity.created_at)
        )
    return entity


def _held(allocations: Allocations) -> Allocations:
    held = {
        uuid: {name: amount for name, amount in resources.items() if amount}
        for uuid, resources in allocations.items()
    }
    return {uuid: resources for uuid, resources in held.items() if resources}


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _check(work: _Work) -> None:
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
        for consumer in work.holders(removed | shrunk.keys()):
            for uuid, resources in consumer.allocations.items():
                if uuid in removed or shrunk.get(uuid, set()) & resources.keys():
                    raise ProviderInUse(
                        f"consumer {consumer.uuid} still holds {', '.join(sorted(resources))} "
                        f"on resource provider {uuid}",
                        provider=uuid,
                        consumer=consumer.uuid,
                    )


def _check_consumers(work: _Work) -> None:
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


def _check_parent(work: _Work, provider: ResourceProvider) -> None:
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


def _finish(work: _Work, generation: int) -> list[EntityChange]:
    """Set generations on what changed and return it, in an order in which it can be written."""
    touched = _finish_consumers(work, generation)
    work.fetch("provider", touched)
    changes: list[EntityChange] = []
    for kind in KINDS:
        after = work.after[kind]
        if kind == "provider":
            for uuid in touched:
                after.setdefault(uuid, work.before[kind][uuid])
        for key, entity in after.items():
            before = work.before[kind][key]
            if isinstance(entity, ResourceProvider):
                old = cast("ResourceProvider | None", before)
                if key not in touched and old is not None and _same(old, entity):
                    continue
                entity = replace(entity, generation=generation)  # noqa: PLW2901
            elif before == entity:
                continue
            changes.append(EntityChange(kind, key, before, entity))
    return _parents_first(changes)


def _finish_consumers(work: _Work, generation: int) -> set[str]:
    """Set generations on consumers; return the providers whose allocations changed."""
    touched: set[str] = set()
    after = work.after["consumer"]
    for uuid, entity in after.items():
        old = cast("Consumer | None", work.before["consumer"][uuid])
        consumer = cast("Consumer | None", entity)
        was = old.allocations if old is not None else {}
        now = consumer.allocations if consumer is not None else {}
        touched.update(p for p in was.keys() | now.keys() if was.get(p) != now.get(p))
        if consumer is None:
            continue
        if old is not None and _same(old, consumer):
            after[uuid] = old
        else:
            placed = generation if old is None or was != now else old.placed
            after[uuid] = replace(consumer, generation=generation, placed=placed)
    return touched


def _same(old: Any, new: Any) -> bool:
    kept = {name: getattr(old, name) for name in _STORE_SET if hasattr(old, name)}
    return bool(replace(new, **kept) == old)


def _parents_first(changes: list[EntityChange]) -> list[EntityChange]:
    """Order created providers so that a parent is written before its children."""
    created = {
        c.key: c for c in changes if c.kind == "provider" and c.before is None and c.after
    }
    if not any(cast(ResourceProvider, c.after).parent_uuid in created for c in created.values()):
        return changes
    ordered: dict[str, EntityChange] = {}
    for change in created.values():
        chain: list[EntityChange] = []
        above: EntityChange | None = change
        while above is not None and above.key not in ordered:
            chain.append(above)
            above = created.get(cast(ResourceProvider, above.after).parent_uuid or "")
        ordered.update((c.key, c) for c in reversed(chain))
    queue = iter(ordered.values())
    return [next(queue) if c.key in created and c.kind == "provider" else c for c in changes]
