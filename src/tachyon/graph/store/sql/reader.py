"""The locked state of the SQL store, as `plan` asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tachyon.graph.entities import Allocations, Entity, Inventory, Kind
from tachyon.graph.store.sql.database import Transaction
from tachyon.graph.store.sql.journal import removed_since
from tachyon.graph.store.sql.rows import FORMS, INVENTORY_FIELDS

_INVENTORIES = f"SELECT provider_id, resource_class, {', '.join(INVENTORY_FIELDS)} FROM inventories"
_ALLOCATIONS = (
    "SELECT a.consumer_id, p.uuid, a.resource_class, a.amount "
    "FROM allocations a JOIN providers p ON p.row_id = a.provider_id"
)
_HOLDERS = (
    "SELECT DISTINCT p.uuid, c.uuid FROM allocations a "
    "JOIN providers p ON p.row_id = a.provider_id JOIN consumers c ON c.row_id = a.consumer_id"
)

# Lists of keys are filled up to one of these lengths, so that few texts need be prepared.
_LENGTHS = (1, 4, 32, 500)


def in_lists(keys: Collection[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the keys in portions, each as a text `IN (?, …)` and its parameters."""
    rest = list(keys)
    longest = _LENGTHS[-1]
    for start in range(0, len(rest), longest):
        some = rest[start : start + longest]
        length = next(n for n in _LENGTHS if n >= len(some))
        some += some[-1:] * (length - len(some))
        yield f"IN ({', '.join('?' * length)})", some


class SqlReader:
    """Reads entities and remembers the numbers of their rows for the writer."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.row_ids: dict[Kind, dict[str, int]] = {kind: {} for kind in FORMS}

    def entities(self, kind: Kind, keys: Collection[str]) -> Mapping[str, Entity]:
        """Return those of the named entities that exist, by key."""
        form = FORMS[kind]
        rows = self._where(form.select, form.key, keys)
        ids = [row[0] for row in rows]
        if kind == "provider":
            return self._entities(kind, rows, "inventories", self._inventories(ids))
        if kind == "consumer":
            return self._entities(kind, rows, "allocations", self._allocations(ids))
        return self._entities(kind, rows)

    def everything(self, kind: Kind) -> Mapping[str, Entity]:
        """Return all entities of a kind, by key, in order of insertion."""
        rows = self._transaction.rows(f"{FORMS[kind].select} ORDER BY row_id")
        if kind == "provider":
            return self._entities(kind, rows, "inventories", all_inventories(self._transaction))
        if kind == "consumer":
            held = _held(self._transaction.rows(_ALLOCATIONS))
            return self._entities(kind, rows, "allocations", held)
        return self._entities(kind, rows)

    def children(self, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the uuids of the children of each provider."""
        return _grouped(
            self._where("SELECT parent_uuid, uuid FROM providers", "parent_uuid", uuids)
        )

    def holders(self, uuids: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the uuids of the consumers that hold anything on each provider."""
        return _grouped(self._where(_HOLDERS, "p.uuid", uuids))

    def removed_since(self, generation: int) -> Collection[tuple[Kind, str]]:
        """Return what was removed after a generation, as far as the log reaches back."""
        return removed_since(self._transaction, generation)

    def _where(self, text: str, column: str, keys: Collection[Any]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for clause, parameters in in_lists(keys):
            found += self._transaction.rows(f"{text} WHERE {column} {clause}", parameters)
        return found

    def _inventories(self, ids: Collection[int]) -> dict[int, dict[str, Inventory]]:
        return _inventories(self._where(_INVENTORIES, "provider_id", ids))

    def _allocations(self, ids: Collection[int]) -> dict[int, Allocations]:
        return _held(self._where(_ALLOCATIONS, "a.consumer_id", ids))

    def _entities(
        self,
        kind: Kind,
        rows: Iterable[Sequence[Any]],
        apart: str | None = None,
        parts: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> dict[str, Entity]:
        form = FORMS[kind]
        row_ids = self.row_ids[kind]
        place = 1 + form.fields.index(form.key)
        found: dict[str, Entity] = {}
        for row in rows:
            row_ids[row[place]] = row[0]
            if apart is None or parts is None:
                found[row[place]] = form.entity(row[1:])
            else:
                found[row[place]] = form.entity(row[1:], **{apart: parts.get(row[0], {})})
        return found


def all_inventories(transaction: Transaction) -> dict[int, dict[str, Inventory]]:
    """Return the inventories of all providers by the provider's row and the resource class."""
    return _inventories(transaction.rows(_INVENTORIES))


def _inventories(rows: Iterable[Sequence[Any]]) -> dict[int, dict[str, Inventory]]:
    found: dict[int, dict[str, Inventory]] = {}
    for provider, resource_class, *values in rows:
        inventory = Inventory(**dict(zip(INVENTORY_FIELDS, values, strict=True)))
        found.setdefault(provider, {})[resource_class] = inventory
    return found


def _held(rows: Iterable[Sequence[Any]]) -> dict[int, Allocations]:
    found: dict[int, Allocations] = {}
    for consumer, provider, resource_class, amount in rows:
        found.setdefault(consumer, {}).setdefault(provider, {})[resource_class] = amount
    return found


def _grouped(pairs: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
