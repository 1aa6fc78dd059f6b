"""Writes the changes that `plan` has worked out: only the columns and rows that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from tachyon.graph.entities import Allocations, Consumer, Kind, ResourceProvider
from tachyon.graph.store.sql.database import Transaction
from tachyon.graph.store.sql.reader import SqlReader, in_lists
from tachyon.graph.store.sql.rows import APART, FORMS, INVENTORY_FIELDS, inventory_values
from tachyon.graph.store.working_set import EntityChange, differing

_Rows = list[Sequence[Any]]

_INSERT_INVENTORY = (
    f"INSERT INTO inventories (provider_id, resource_class, {', '.join(INVENTORY_FIELDS)})"
)
_UPDATE_INVENTORY = (
    f"UPDATE inventories SET {', '.join(f'{name} = ?' for name in INVENTORY_FIELDS)} "
    "WHERE provider_id = ? AND resource_class = ?"
)
_DELETE_INVENTORY = "DELETE FROM inventories WHERE provider_id = ? AND resource_class = ?"
_INSERT_ALLOCATION = "INSERT INTO allocations (consumer_id, provider_id, resource_class, amount)"
_PLACE = "WHERE consumer_id = ? AND provider_id = ? AND resource_class = ?"
_UPDATE_ALLOCATION = f"UPDATE allocations SET amount = ? {_PLACE}"
_DELETE_ALLOCATION = f"DELETE FROM allocations {_PLACE}"


def write(transaction: Transaction, reader: SqlReader, changes: Sequence[EntityChange]) -> None:
    """Write changes; `reader` has read everything that they replace.

    What refers goes before what it refers to, and comes after it.
    """
    by_kind: dict[Kind, list[EntityChange]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change)
    for kind, some in by_kind.items():
        _number(transaction, reader, kind, some)
    consumers, providers = by_kind.pop("consumer", []), by_kind.pop("provider", [])
    allocations = _allocation_rows(reader, consumers)
    inventories = _inventory_rows(reader, providers)

    transaction.many(_DELETE_ALLOCATION, allocations.deleted)
    _delete(transaction, reader, "consumer", consumers)
    _put(transaction, reader, "provider", providers)
    _put(transaction, reader, "consumer", consumers)
    transaction.insert(_INSERT_INVENTORY, inventories.inserted)
    transaction.many(_UPDATE_INVENTORY, inventories.updated)
    transaction.insert(_INSERT_ALLOCATION, allocations.inserted)
    transaction.many(_UPDATE_ALLOCATION, allocations.updated)
    transaction.many(_DELETE_INVENTORY, inventories.deleted)
    _delete(transaction, reader, "provider", providers)
    for kind, records in by_kind.items():
        _delete(transaction, reader, kind, records)
        _put(transaction, reader, kind, records)


def _number(
    transaction: Transaction, reader: SqlReader, kind: Kind, changes: Iterable[EntityChange]
) -> None:
    """Give created entities the row numbers that follow those in use."""
    created = [change.key for change in changes if change.before is None]
    if created:
        row = transaction.row(f"SELECT MAX(row_id) FROM {FORMS[kind].table}")
        last = (row[0] if row is not None else None) or 0
        reader.row_ids[kind].update(
            zip(created, range(last + 1, last + 1 + len(created)), strict=True)
        )


def _put(
    transaction: Transaction, reader: SqlReader, kind: Kind, changes: Iterable[EntityChange]
) -> None:
    form, row_ids = FORMS[kind], reader.row_ids[kind]
    created: _Rows = []
    updated: dict[tuple[str, ...], _Rows] = {}
    for change in changes:
        before, after = change.before, change.after
        if after is None:
            continue
        row_id = row_ids[change.key]
        if before is None:
            created.append([row_id, *form.encoded(after, form.fields)])
            continue
        names = tuple(name for name in differing(before, after) if name not in APART)
        updated.setdefault(names, []).append([*form.encoded(after, names), row_id])
    transaction.insert(form.insert, created)
    for names, rows in updated.items():
        values = ", ".join(f"{name} = ?" for name in names)
        transaction.many(f"UPDATE {form.table} SET {values} WHERE row_id = ?", rows)


def _delete(
    transaction: Transaction, reader: SqlReader, kind: Kind, changes: Iterable[EntityChange]
) -> None:
    row_ids = reader.row_ids[kind]
    removed = [row_ids[change.key] for change in changes if change.after is None]
    for clause, parameters in in_lists(removed):
        transaction.execute(f"DELETE FROM {FORMS[kind].table} WHERE row_id {clause}", parameters)


class _Differences:
    """Rows of a table of parts to insert, update and delete."""

    def __init__(self) -> None:
        self.inserted: _Rows = []
        self.updated: _Rows = []
        self.deleted: _Rows = []


def _allocation_rows(reader: SqlReader, changes: Iterable[EntityChange]) -> _Differences:
    found = _Differences()
    providers, consumers = reader.row_ids["provider"], reader.row_ids["consumer"]
    nothing: Allocations = {}
    for change in changes:
        before, after = (
            cast("Consumer | None", change.before),
            cast("Consumer | None", change.after),
        )
        was = nothing if before is None else before.allocations
        now = nothing if after is None else after.allocations
        if was == now:
            continue
        consumer = consumers[change.key]
        for uuid, resources in now.items():
            provider, old = providers[uuid], was.get(uuid, {})
            for name, amount in resources.items():
                if name not in old:
                    found.inserted.append((consumer, provider, name, amount))
                elif old[name] != amount:
                    found.updated.append((amount, consumer, provider, name))
        for uuid, resources in was.items():
            left = now.get(uuid, {})
            if resources.keys() - left.keys():
                provider = providers[uuid]
                found.deleted += [
                    (consumer, provider, name) for name in resources.keys() - left.keys()
                ]
    return found


def _inventory_rows(reader: SqlReader, changes: Iterable[EntityChange]) -> _Differences:
    found = _Differences()
    for change in changes:
        before = cast("ResourceProvider | None", change.before)
        after = cast("ResourceProvider | None", change.after)
        was = {} if before is None else before.inventories
        now = {} if after is None else after.inventories
        if was is now:
            continue
        provider = reader.row_ids["provider"][change.key]
        for name, inventory in now.items():
            if name not in was:
                found.inserted.append((provider, name, *inventory_values(inventory)))
            elif was[name] != inventory:
                found.updated.append((*inventory_values(inventory), provider, name))
        found.deleted += [(provider, name) for name in was.keys() - now.keys()]
    return found
