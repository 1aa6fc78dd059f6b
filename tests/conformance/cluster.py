"""Small clusters to test with, and the content of a store as plain values to compare."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tachyon.graph.deltas import SessionRecord
from tachyon.graph.entities import (
    KIND_OF,
    Allocations,
    Attachment,
    Consumer,
    Entity,
    Inventory,
    ResourceProvider,
    key_of,
)
from tachyon.graph.mutations import PutConsumer, PutProvider
from tachyon.graph.store import Change, Snapshot, Store

#: The graph as plain values: (kind, key) → fields.
Image = dict[tuple[str, str], dict[str, Any]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def host(uuid: str, **fields: Any) -> ResourceProvider:
    """A compute host with 16 VCPU and 32 GiB of memory."""
    defaults: dict[str, Any] = {
        "name": f"name-{uuid}"[:255],
        "inventories": {"VCPU": Inventory(total=16), "MEMORY_MB": Inventory(total=32768)},
    }
    return ResourceProvider(uuid=uuid, **(defaults | fields))


def instance(uuid: str, on: str | None = None, **fields: Any) -> Consumer:
    """An instance that holds 2 VCPU and 1 GiB on a host, or nothing."""
    held = {} if on is None else {on: {"VCPU": 2, "MEMORY_MB": 1024}}
    defaults: dict[str, Any] = {"name": f"name-{uuid}", "allocations": held}
    return Consumer(uuid=uuid, **(defaults | fields))


def record(session_id: str = "s1", base: int = 0, **fields: Any) -> SessionRecord:
    """A stored session that was created at noon and lives for an hour."""
    defaults: dict[str, Any] = {
        "created_at": NOON,
        "expires_at": NOON + timedelta(hours=1),
        "persistence": "store",
    }
    return SessionRecord(id=session_id, base_generation=base, **(defaults | fields))


def put(store: Store, *entities: ResourceProvider | Consumer) -> int:
    """Put providers and consumers in one transaction; returns the generation."""
    return store.apply(
        [
            PutProvider(provider=entity)
            if isinstance(entity, ResourceProvider)
            else PutConsumer(consumer=entity)
            for entity in entities
        ]
    ).generation


def image_of(entities: Iterable[Entity]) -> Image:
    return {
        (KIND_OF[type(e)], key_of(e)): msgspec.json.decode(msgspec.json.encode(e)) for e in entities
    }


def contents(store: Store) -> Image:
    """Everything that `load` returns, as plain values."""
    return snapshot_image(store.load())


def snapshot_image(snapshot: Snapshot) -> Image:
    image = image_of(
        [
            *snapshot.providers,
            *consumers_of(snapshot),
            *snapshot.flavors,
            *snapshot.projects,
            *snapshot.server_groups,
            *snapshot.host_aggregates,
            *snapshot.availability_zones,
        ]
    )
    count = len(snapshot.providers) + len(snapshot.consumers.uuid)
    assert sum(kind in {"provider", "consumer"} for kind, _ in image) == count
    return image


def consumers_of(snapshot: Snapshot) -> list[Consumer]:
    """Build the consumers of a snapshot from its columns."""
    columns = snapshot.consumers
    names = dict(zip(snapshot.provider_key, (p.uuid for p in snapshot.providers), strict=True))
    held: dict[Any, Allocations] = {key: {} for key in columns.key}
    for consumer, provider, resource_class, amount in zip(
        snapshot.allocation_consumer,
        snapshot.allocation_provider,
        snapshot.allocation_class,
        snapshot.allocation_amount,
        strict=True,
    ):
        held[consumer].setdefault(names[provider], {})[resource_class] = amount
    fields = [name for name in Consumer.__struct_fields__ if name != "allocations"]
    consumers = []
    for key, *values in zip(columns.key, *(getattr(columns, name) for name in fields), strict=True):
        row = dict(zip(fields, values, strict=True))
        if row["created_at"] is not None:
            row["created_at"] = EPOCH + timedelta(microseconds=row["created_at"])
        row["attachments"] = msgspec.json.decode(
            row["attachments"] or "[]", type=tuple[Attachment, ...]
        )
        for name in ("metadata", "scheduler_hints", "extra"):
            row[name] = msgspec.json.decode(row[name] or "{}")
        for name in ("locked", "watcher_exclude"):
            assert isinstance(row[name], bool)
        consumers.append(Consumer(allocations=held[key], **row))
    return consumers


def consumer_in(store: Store, uuid: str) -> Consumer:
    """Return one consumer of a store."""
    return next(c for c in consumers_of(store.load()) if c.uuid == uuid)


def provider_in(store: Store, uuid: str) -> ResourceProvider:
    """Return one provider of a store."""
    return next(p for p in store.load().providers if p.uuid == uuid)


def replayed(image: Image, changes: Iterable[Change]) -> Image:
    """Carry an image forward with the changes that followed it."""
    result = dict(image)
    for change in changes:
        _carry(result, change, change.before, change.after)
    return result


def rewound(image: Image, changes: Iterable[Change]) -> Image:
    """Carry an image back to before the changes that led to it."""
    result = dict(image)
    for change in reversed(list(changes)):
        _carry(result, change, change.after, change.before)
    return result


def _carry(
    image: Image, change: Change, old: dict[str, Any] | None, new: dict[str, Any] | None
) -> None:
    place = (change.kind, change.key)
    if new is None:
        assert image.pop(place) == old
    elif old is None:
        assert place not in image
        image[place] = new
    else:
        assert old.keys() == new.keys()
        assert {name: image[place][name] for name in old} == old
        image[place] = image[place] | new
