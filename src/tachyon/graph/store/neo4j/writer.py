"""Changes of entities into Neo4j: diffs of properties and relationships, in batches.

Called under the write lock with what `transition.plan` worked out. Only what differs is written.
Order: what is put (records, providers, consumers), what is held, what goes, and last the names
that nothing refers to any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, cast

from tachyon.graph.entities import (
    KINDS,
    Allocations,
    Consumer,
    Entity,
    Flavor,
    Inventory,
    Kind,
    ResourceProvider,
)
from tachyon.graph.store.neo4j.connection import Transaction
from tachyon.graph.store.neo4j.shape import (
    LABELS,
    NAMED,
    RECORD_KINDS,
    REFERENCES,
    Reference,
    inventory_properties,
    properties,
)
from tachyon.graph.store.transition import EntityChange

Rows = list[dict[str, Any]]


Positions = dict[tuple[Kind, str], int]


def write(
    transaction: Transaction, changes: Sequence[EntityChange], position: int
) -> tuple[int, Positions]:
    """Write changes; entities that are new take positions from `position` on.

    Returns the next free position, and the positions of providers and consumers that came or went.
    """
    writer = _Writer(transaction, position)
    writer.write(changes)
    return writer.position, writer.positions


class _Writer:
    """One transaction's worth of rows, by statement."""

    def __init__(self, transaction: Transaction, position: int) -> None:
        self._transaction = transaction
        self.position = position
        self.positions: Positions = {}
        self._loosened: dict[str, set[str]] = defaultdict(set)  # label → names to look after

    def write(self, changes: Sequence[EntityChange]) -> None:
        by_kind: dict[Kind, list[EntityChange]] = {kind: [] for kind in KINDS}
        for change in changes:
            by_kind[change.kind].append(change)
        for kind, some in by_kind.items():
            if kind == "consumer":
                self._adopt(some)
            self._put(kind, some)
            for reference in REFERENCES.get(kind, ()):
                self._refer(kind, reference, some)
        self._extra_specs(by_kind["flavor"])
        self._parents(by_kind["provider"])
        lost = self._inventories(by_kind["provider"])
        self._attachments(by_kind["consumer"])
        self._allocations(by_kind["consumer"])
        self._transaction.batches("remove_inventory", lost)
        for kind in reversed(KINDS):
            self._remove(kind, by_kind[kind])
        for label in NAMED:
            self._transaction.batches(f"prune_{label}", sorted(self._loosened[label]))

    def _put(self, kind: Kind, changes: Iterable[EntityChange]) -> None:
        rows: Rows = []
        for change in changes:
            if change.after is None:
                continue
            fields = properties(kind, change.before, change.after)
            if change.before is None:
                fields["position"] = self.positions[kind, change.key] = self.position
                self.position += 1
                if kind in RECORD_KINDS:
                    fields["described"] = True
            if fields:
                rows.append({"key": change.key, "properties": fields})
        self._transaction.batches(f"put_{kind}", rows)

    def _refer(self, kind: Kind, reference: Reference, changes: Iterable[EntityChange]) -> None:
        """Bring the relationships of one field up to date; removed entities lose theirs."""
        unlinked: list[str] = []
        linked: Rows = []
        for change in changes:
            was, now = _names(reference, change.before), _names(reference, change.after)
            if was == now:
                continue
            if was:
                self._loosened[reference.label].update(was)
                unlinked.append(change.key)
            linked.extend(
                {"key": change.key, "name": name, "position": position}
                for position, name in enumerate(now)
            )
        self._transaction.batches(f"unlink_{kind}_{reference.field}", unlinked)
        self._transaction.batches(f"link_{kind}_{reference.field}", linked)

    def _extra_specs(self, changes: Iterable[EntityChange]) -> None:
        removed: list[str] = []
        added: Rows = []
        for change in changes:
            was = cast(Flavor, change.before).extra_specs if change.before else {}
            now = cast(Flavor, change.after).extra_specs if change.after else {}
            if was == now:
                continue
            if was:
                removed.append(change.key)
            added.extend({"key": change.key, "name": k, "value": v} for k, v in now.items())
        self._transaction.batches("remove_extra_specs", removed)
        self._transaction.batches("put_extra_specs", added)

    def _parents(self, changes: Iterable[EntityChange]) -> None:
        unlinked: list[str] = []
        linked: Rows = []
        for change in changes:
            was = cast(ResourceProvider, change.before).parent_uuid if change.before else None
            now = cast(ResourceProvider, change.after).parent_uuid if change.after else None
            if was == now:
                continue
            if was is not None:
                unlinked.append(change.key)
            if now is not None:
                linked.append({"key": change.key, "name": now})
        self._transaction.batches("unlink_parent", unlinked)
        self._transaction.batches("link_parent", linked)

    def _inventories(self, changes: Iterable[EntityChange]) -> Rows:
        """Create and change inventories; return those to remove once nothing is held there."""
        created: Rows = []
        changed: Rows = []
        lost: Rows = []
        for change in changes:
            was = _inventories(change.before)
            now = _inventories(change.after)
            for name in was.keys() - now.keys():
                self._loosened["ResourceClass"].add(name)
                if change.after is not None:
                    lost.append({"provider": change.key, "resource_class": name})
            for name, inventory in now.items():
                if was.get(name) == inventory:
                    continue
                row = {
                    "provider": change.key,
                    "resource_class": name,
                    "properties": inventory_properties(inventory),
                }
                (changed if name in was else created).append(row)
        self._transaction.batches("create_inventory", created)
        self._transaction.batches("change_inventory", changed)
        return lost

    def _adopt(self, changes: Iterable[EntityChange]) -> None:
        self._transaction.batches("adopt_consumer", [c.key for c in changes if c.before is None])

    def _attachments(self, changes: Iterable[EntityChange]) -> None:
        detached: list[str] = []
        attached: Rows = []
        for change in changes:
            was = cast(Consumer, change.before).attachments if change.before else ()
            now = cast(Consumer, change.after).attachments if change.after else ()
            if was == now:
                continue
            if was:
                self._loosened["AbsentConsumer"].update(a.consumer_uuid for a in was)
                detached.append(change.key)
            attached.extend(
                {"key": change.key, "name": a.consumer_uuid, "attachment_id": a.attachment_id}
                for a in now
            )
        self._transaction.batches("detach", detached)
        self._transaction.batches("attach", attached)
        self._transaction.batches("attach_absent", attached)

    def _allocations(self, changes: Iterable[EntityChange]) -> None:
        rows: dict[str, Rows] = {"deallocate": [], "reallocate": [], "allocate": []}
        for change in changes:
            was, now = _held(change.before), _held(change.after)
            for place in was.keys() | now.keys():
                before, after = was.get(place), now.get(place)
                if before == after:
                    continue
                if after is None:
                    statement = "deallocate"
                else:
                    statement = "allocate" if before is None else "reallocate"
                provider, resource_class = place
                rows[statement].append({
                    "consumer": change.key,
                    "provider": provider,
                    "resource_class": resource_class,
                    "used": after,
                })  # fmt: skip
        for statement, some in rows.items():
            self._transaction.batches(statement, some)

    def _remove(self, kind: Kind, changes: Iterable[EntityChange]) -> None:
        keys = [change.key for change in changes if change.after is None]
        if keys and kind in ("provider", "consumer"):
            found = self._transaction.one(f"positions_{kind}", keys=keys)["positions"]
            self.positions.update(((kind, key), position) for key, position in found)
        if kind == "consumer":
            self._transaction.batches("detach_consumer", keys)
            self._loosened["AbsentConsumer"].update(keys)
        elif kind in RECORD_KINDS:
            self._loosened[LABELS[kind]].update(keys)
        self._transaction.batches(f"remove_{kind}", keys)


def _names(reference: Reference, entity: Entity | None) -> tuple[str, ...]:
    value = None if entity is None else getattr(entity, reference.field)
    if reference.several:
        return tuple(value or ())
    return () if value is None else (value,)


def _inventories(provider: Entity | None) -> dict[str, Inventory]:
    return {} if provider is None else cast(ResourceProvider, provider).inventories


def _held(consumer: Entity | None) -> dict[tuple[str, str], int]:
    allocations: Allocations = {} if consumer is None else cast(Consumer, consumer).allocations
    return {
        (provider, resource_class): amount
        for provider, resources in allocations.items()
        for resource_class, amount in resources.items()
    }
