"""What a transaction has read and what it leaves behind: the state that `transition` works on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import ConsumerNotFound, ProviderNotFound
from tachyon.graph.entities import KINDS, Consumer, Entity, Kind, ResourceProvider
from tachyon.graph.store.contract import Change


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

    @property
    def comes_or_goes(self) -> bool:
        """Whether a provider or consumer is created or removed: the log tells its position."""
        ordered = self.kind in ("provider", "consumer")
        return ordered and (self.before is None or self.after is None)

    def logged(self, generation: int, position: int | None = None) -> Change:
        """Return the entry for the change log: the fields that differ, as plain JSON values.

        `position` is that of an entity that comes or goes.
        """
        before, after = self.before, self.after
        if before is None or after is None:
            return Change(
                generation=generation,
                kind=self.kind,
                key=self.key,
                before=None if before is None else msgspec.to_builtins(before),
                after=None if after is None else msgspec.to_builtins(after),
                position=position,
            )
        names = differing(before, after)
        return Change(
            generation=generation,
            kind=self.kind,
            key=self.key,
            before={name: msgspec.to_builtins(getattr(before, name)) for name in names},
            after={name: msgspec.to_builtins(getattr(after, name)) for name in names},
        )


#: Fields of plain JSON values, in which True, 1 and 1.0 are three values that compare equal.
_FREE = {
    ResourceProvider: ("extra",),
    Consumer: ("metadata", "scheduler_hints", "extra"),
}
_exact = msgspec.json.Encoder(order="deterministic").encode


def differing(before: Entity, after: Entity, fields: Collection[str] | None = None) -> list[str]:
    """Return the names of the fields (of all, or of some) in which two images differ."""
    free = _FREE.get(type(after), ())
    names = []
    for name in after.__struct_fields__ if fields is None else fields:
        was, now = getattr(before, name), getattr(after, name)
        if was is now:
            continue
        if was != now or (name in free and now and _exact(was) != _exact(now)):
            names.append(name)
    return names


def same(before: Entity, after: Entity) -> bool:
    """Tell whether two images of an entity are equal, apart from what the store itself sets."""
    if isinstance(after, ResourceProvider):
        after = replace(after, generation=cast(ResourceProvider, before).generation)
    elif isinstance(after, Consumer):
        old = cast(Consumer, before)
        after = replace(after, generation=old.generation, placed=old.placed)
    # The comparison of whole structs is the fast way to most answers.
    return before == after and not differing(before, after, _FREE.get(type(after), ()))


class WorkingSet:
    """Before and after images of everything that a transaction looks at or touches.

    `before` holds what was read (None: is not there), `after` what mutations have set so far
    (None: removed), `places` the mutation that did it, for error messages.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.before: dict[Kind, dict[str, Entity | None]] = {kind: {} for kind in KINDS}
        self.after: dict[Kind, dict[str, Entity | None]] = {kind: {} for kind in KINDS}
        self.places: dict[tuple[Kind, str], str] = {}
        self._complete: set[Kind] = set()

    def fetch(self, kind: Kind, keys: Iterable[str]) -> None:
        """Read in one go those of the named entities that have not been read yet."""
        before = self.before[kind]
        missing = {key for key in keys if key not in before}
        if not missing:
            return
        found = {} if kind in self._complete else self.reader.entities(kind, missing)
        for key in missing:
            before[key] = found.get(key)

    def fetch_all(self, kind: Kind) -> None:
        """Read all entities of a kind, so that nothing of it need be asked for later."""
        if kind in self._complete:
            return
        before = self.before[kind]
        for key, entity in self.reader.everything(kind).items():
            before.setdefault(key, entity)
        self._complete.add(kind)

    def get(self, kind: Kind, key: str) -> Entity | None:
        """Return an entity as it is after the mutations so far."""
        after = self.after[kind]
        if key in after:
            return after[key]
        self.fetch(kind, (key,))
        return self.before[kind][key]

    def assign(self, kind: Kind, key: str, entity: Entity | None, place: str) -> None:
        """Let an entity be so from now on; `place` names the mutation that says so."""
        self.fetch(kind, (key,))
        self.after[kind][key] = entity
        self.places[kind, key] = place

    def provider(self, uuid: str) -> ResourceProvider:
        """Return a provider; raises `ProviderNotFound`."""
        found = self.get("provider", uuid)
        if found is None:
            raise ProviderNotFound(uuid)
        return cast(ResourceProvider, found)

    def consumer(self, uuid: str) -> Consumer:
        """Return a consumer; raises `ConsumerNotFound`."""
        found = self.get("consumer", uuid)
        if found is None:
            raise ConsumerNotFound(uuid)
        return cast(Consumer, found)

    def children(self, uuids: Collection[str]) -> set[str]:
        """Return the children of providers as they are after the mutations so far."""
        stored = self.reader.children(uuids)
        names = {child for some in stored.values() for child in some}
        names.update(self._assigned("provider"))
        self.fetch("provider", names)
        found = set()
        for name in names:
            child: Any = self.get("provider", name)
            if child is not None and child.parent_uuid in uuids:
                found.add(name)
        return found

    def holders(self, uuids: Collection[str]) -> list[Consumer]:
        """Return the consumers that hold anything on providers, after the mutations so far."""
        stored = self.reader.holders(uuids)
        names = {uuid for some in stored.values() for uuid in some}
        names.update(self._assigned("consumer"))
        self.fetch("consumer", names)
        found = []
        for name in sorted(names):
            consumer = cast("Consumer | None", self.get("consumer", name))
            if consumer is not None and not consumer.allocations.keys().isdisjoint(uuids):
                found.append(consumer)
        return found

    def _assigned(self, kind: Kind) -> list[str]:
        return [key for key, entity in self.after[kind].items() if entity is not None]
