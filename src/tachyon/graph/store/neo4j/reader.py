"""Entities out of Neo4j: what `plan` asks for under the lock, and what `load` is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import msgspec
from neo4j import Record

from tachyon.graph.entities import (
    Allocations,
    Attachment,
    Consumer,
    Entity,
    Inventory,
    Kind,
    ResourceProvider,
    key_of,
)
from tachyon.graph.store.contract import ConsumerColumns
from tachyon.graph.store.neo4j.connection import BATCH, Transaction
from tachyon.graph.store.neo4j.shape import (
    NONE,
    from_json,
    from_microseconds,
    in_order,
    to_entity,
)

#: Consumers per record of columns: bounds the memory of the server's answer, about 20 MB.
SLICE = 50_000

#: Columns of `ConsumerColumns` in which null is a value.
_NULLABLE = (
    "status", "bootable", "created_at", "project_id", "flavor_id", "server_group", "pinned_az",
    "attachments", "metadata", "scheduler_hints", "extra",
)  # fmt: skip

_attachments = msgspec.json.Decoder(tuple[Attachment, ...]).decode


class GraphReader:
    """The graph as one transaction sees it, in the form that `transition.plan` asks for."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def entities(self, kind: Kind, keys: Collection[str]) -> Mapping[str, Entity]:
        """Return those of the named entities that exist, by key."""
        named = list(keys)
        found: dict[str, Entity] = {}
        for start in range(0, len(named), BATCH):
            some = named[start : start + BATCH]
            if kind == "consumer":
                (record,) = self._transaction.rows("consumer_keys", keys=some, none=NONE)
                found.update((c.uuid, c) for c in _consumers(record))
            else:
                rows = self._transaction.rows(f"{kind}_keys", keys=some)
                found.update((key_of(e), e) for e in map(_ENTITY[kind], rows))
        return found

    def everything(self, kind: Kind) -> Mapping[str, Entity]:
        """Return all entities of a kind, by key, in order of insertion."""
        if kind == "consumer":
            slices = consumer_slices(self._transaction, "consumers")
            return {c.uuid: c for record in slices for c in _consumers(record)}
        return {key_of(entity): entity for entity in records(self._transaction, kind)}

    def children(self, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the uuids of the children of each provider."""
        return self._found("children", uuids)

    def holders(self, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the uuids of the consumers that hold anything on each provider."""
        return self._found("holders", uuids)

    def removed_since(self, generation: int) -> Collection[tuple[Kind, str]]:
        """Return what was removed after a generation, as far as the log reaches back."""
        removed = self._transaction.one("removed", after=generation)["removed"]
        return [(kind, key) for kind, key in removed]

    def _found(self, statement: str, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        rows = self._transaction.rows(statement, keys=list(uuids))
        return {row["key"]: row["found"] for row in rows}


def records(transaction: Transaction, kind: Kind) -> list[Entity]:
    """Return all entities of a kind other than consumers, in order of insertion."""
    if kind == "provider":
        return [provider for _, provider in providers(transaction)]
    return [_ENTITY[kind](row) for row in transaction.rows(f"{kind}s")]


def providers(transaction: Transaction) -> Iterator[tuple[int, ResourceProvider]]:
    """Yield every provider after its position, in order of insertion."""
    after, more = -1, True
    while more:
        rows = transaction.rows("providers", after=after, limit=BATCH)
        for row in rows:
            after = row["position"]
            yield after, cast(ResourceProvider, _provider(row))
        more = len(rows) == BATCH


def consumer_slices(transaction: Transaction, statement: str) -> Iterator[Record]:
    """Yield records of parallel lists, together all consumers in order of insertion."""
    after, more = -1, True
    while more:
        (record,) = transaction.rows(statement, after=after, limit=SLICE, none=NONE)
        positions = record["position"]
        if positions:
            after = positions[-1]
            yield record
        more = len(positions) == SLICE


def columns(record: Record) -> dict[str, list[Any]]:
    """Return the fields of `ConsumerColumns` in a record of columns; keys are positions."""
    found: dict[str, list[Any]] = {"key": record["position"]}
    for name in ConsumerColumns.__struct_fields__:
        if name != "key":
            values: list[Any] = record[name]
            if name in _NULLABLE:
                values = [None if value == NONE else value for value in values]
            found[name] = values
    return found


def _consumers(record: Record) -> Iterator[Consumer]:
    lists = columns(record)
    del lists["key"]
    lists["attachments"] = [_attachments(text) if text else () for text in lists["attachments"]]
    lists["created_at"] = [from_microseconds(moment) for moment in lists["created_at"]]
    for name in ("metadata", "scheduler_hints", "extra"):
        lists[name] = [from_json(text) for text in lists[name]]
    lists["allocations"] = [_held(rows) for rows in record["allocations"]]
    names = tuple(lists)
    for values in zip(*lists.values(), strict=True):
        yield Consumer(**dict(zip(names, values, strict=True)))


def _held(rows: list[tuple[str, str, int]]) -> Allocations:
    held: Allocations = {}
    for provider, resource_class, amount in rows:
        held.setdefault(provider, {})[resource_class] = amount
    return held


def _provider(row: Record) -> Entity:
    inventories = {
        name: Inventory(**dict(zip(Inventory.__struct_fields__, values, strict=True)))
        for name, *values in row["inventories"]
    }
    parts = {
        "parent_uuid": row["parent_uuid"],
        "availability_zone": row["availability_zone"],
        "aggregates": in_order(row["aggregates"]),
        "traits": in_order(row["traits"]),
        "inventories": inventories,
    }
    return to_entity("provider", row["node"], parts)


_ENTITY = {
    "availability_zone": lambda row: to_entity("availability_zone", row["node"], {}),
    "project": lambda row: to_entity("project", row["node"], {}),
    "server_group": lambda row: to_entity("server_group", row["node"], {}),
    "host_aggregate": lambda row: to_entity(
        "host_aggregate", row["node"], {"availability_zone": row["availability_zone"]}
    ),
    "flavor": lambda row: to_entity(
        "flavor", row["node"], {"extra_specs": dict(row["extra_specs"])}
    ),
    "provider": _provider,
}
