"""From a store's snapshot to a view: all columns at once, no Python step per allocation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from msgspec import structs

from tachyon.graph.entities import Entity, Kind, ResourceProvider, key_of
from tachyon.graph.mutations import Cluster
from tachyon.graph.store.contract import ConsumerColumns as Listed
from tachyon.graph.store.contract import Snapshot
from tachyon.graph.view.columns import (
    CODED,
    FIELD_OF,
    I32,
    I64,
    JSON_COLUMNS,
    NO_TIME,
    CodeTables,
    ConsumerColumns,
    InventoryColumns,
    ProviderColumns,
    frozen,
)
from tachyon.graph.view.placement import Parts, Tree, make_parts
from tachyon.graph.view.view import EPOCH, View

#: Classes that every cloud has stand first, in the order in which people name them.
LEADING_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")


def build(snapshot: Snapshot) -> View:
    """Return the view of a snapshot's generation."""
    providers = provider_columns(snapshot.providers, snapshot.provider_key)
    classes = class_order(
        [*(c for p in snapshot.providers for c in p.inventories), *snapshot.allocation_class]
    )
    inventories = inventory_columns(snapshot.providers, classes)
    codes = CodeTables()
    listed = snapshot.consumers
    count = len(listed.uuid)

    provider_at = {key: row for row, key in enumerate(snapshot.provider_key)}
    consumer_at = dict(zip(listed.key, range(count), strict=True))
    class_at = {name: column for column, name in enumerate(classes)}
    size = len(snapshot.allocation_consumer)
    held_by = np.fromiter(
        map(consumer_at.__getitem__, snapshot.allocation_consumer), np.int64, size
    )
    held_on = np.fromiter(
        map(provider_at.__getitem__, snapshot.allocation_provider), np.int64, size
    )
    held_class = np.fromiter(map(class_at.__getitem__, snapshot.allocation_class), np.int64, size)
    amount = np.fromiter(snapshot.allocation_amount, np.int64, size)

    used = np.zeros((len(snapshot.providers), len(classes)), np.int64)
    np.add.at(used, (held_on, held_class), amount)
    home, demand, spread = _place(
        providers.tree, count, len(classes), held_by, held_on, held_class, amount
    )
    return View(
        generation=snapshot.generation,
        classes=classes,
        providers=providers,
        inventories=inventories,
        consumers=_consumer_columns(listed, codes, home, demand, spread),
        used=used,
        codes=codes,
        records=snapshot_records(snapshot),
    )


def snapshot_of(cluster: Cluster, generation: int = 1) -> Snapshot:
    """Return a set of entities in the form of a store's snapshot: a view without a store.

    References are not checked; read cluster files and stores check theirs.
    """
    consumers = cluster.consumers
    provider_at = {p.uuid: row for row, p in enumerate(cluster.providers)}
    held = [
        (row, provider_at[provider], name, amount)
        for row, c in enumerate(consumers)
        for provider, resources in c.allocations.items()
        for name, amount in resources.items()
        if amount
    ]
    columns = list(zip(*held, strict=True)) or [(), (), (), ()]
    listed: dict[str, Any] = {
        name: [getattr(c, name) for c in consumers]
        for name in Listed.__struct_fields__
        if name not in ("key", "generation", "placed", "created_at", *JSON_COLUMNS)
    }
    for name in JSON_COLUMNS:
        listed[name] = [json_text(getattr(c, name)) for c in consumers]
    return Snapshot(
        generation=generation,
        providers=[structs.replace(p, generation=generation) for p in cluster.providers],
        provider_key=range(len(cluster.providers)),
        consumers=Listed(
            key=range(len(consumers)),
            generation=[generation] * len(consumers),
            placed=[generation] * len(consumers),
            created_at=[microseconds(c.created_at) for c in consumers],
            **listed,
        ),
        allocation_consumer=columns[0],
        allocation_provider=columns[1],
        allocation_class=columns[2],
        allocation_amount=columns[3],
        flavors=cluster.flavors,
        projects=cluster.projects,
        server_groups=cluster.server_groups,
        host_aggregates=cluster.host_aggregates,
        availability_zones=cluster.availability_zones,
    )


def json_text(value: Any) -> str | None:
    """Return a JSON column's text, None when the value is empty."""
    return msgspec.json.encode(value).decode() if value else None


def microseconds(moment: datetime | None) -> int | None:
    """Return a time as microseconds since the epoch; one without zone is taken as UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def class_order(names: Iterable[str]) -> list[str]:
    """Return the distinct classes: the well-known ones first, the others by name."""
    found = set(names)
    return [c for c in LEADING_CLASSES if c in found] + sorted(found.difference(LEADING_CLASSES))


def snapshot_records(snapshot: Snapshot) -> dict[Kind, dict[str, Entity]]:
    """Return the small records of a snapshot by kind and key."""
    groups: dict[Kind, Sequence[Entity]] = {
        "flavor": snapshot.flavors,
        "project": snapshot.projects,
        "server_group": snapshot.server_groups,
        "host_aggregate": snapshot.host_aggregates,
        "availability_zone": snapshot.availability_zones,
    }
    return {kind: {key_of(e): e for e in entities} for kind, entities in groups.items()}


def provider_columns(
    records: Sequence[ResourceProvider], positions: Sequence[int]
) -> ProviderColumns:
    """Return the columns of providers that are all alive, rows in the order given."""
    share: dict[Any, Any] = {}
    kept: list[ResourceProvider | None] = []
    for record in records:
        kept.append(share_tuples(record, share))
    uuid = [record.uuid for record in records]
    index = {u: row for row, u in enumerate(uuid)}
    return ProviderColumns(
        uuid=uuid,
        index=index,
        record=kept,
        position=frozen(np.fromiter(positions, np.int64, len(kept))),
        tree=Tree(kept, index),
        **provider_flags(kept),
    )


def share_tuples(record: ResourceProvider, share: dict[Any, Any]) -> ResourceProvider:
    """Let providers with the same traits, aggregates or inventories share one object each.

    Thousands of hosts have the same fifty traits; a copy each would outweigh all columns.
    """
    for name in ("traits", "aggregates"):
        value = getattr(record, name)
        structs.force_setattr(record, name, share.setdefault(value, value))
    inventories = record.inventories
    for name, inventory in inventories.items():
        inventories[name] = share.setdefault(structs.astuple(inventory), inventory)
    return record


def provider_flags(records: Sequence[ResourceProvider | None]) -> dict[str, Any]:
    """Return the boolean columns of providers, as keywords of `ProviderColumns`."""
    return {
        "alive": _flags(p is not None for p in records),
        "enabled": _flags(p is not None and p.status == "enabled" for p in records),
        "up": _flags(p is not None and p.state == "up" for p in records),
        "maintenance": _flags(p is not None and p.maintenance for p in records),
    }


def _flags(values: Iterable[bool]) -> Any:
    return frozen(np.fromiter(values, np.bool_))


def inventory_columns(
    records: Sequence[ResourceProvider | None], classes: Sequence[str]
) -> InventoryColumns:
    """Return the P × C matrices of inventories."""
    at = {name: column for column, name in enumerate(classes)}
    cells = [
        (row, at[name], i.total, i.reserved, i.min_unit, i.max_unit, i.step_size)
        for row, p in enumerate(records)
        if p is not None
        for name, i in p.inventories.items()
    ]
    ratios = [i.allocation_ratio for p in records if p is not None for i in p.inventories.values()]
    shape = (len(records), len(classes))
    table = np.array(cells, np.int64).reshape(-1, 7)
    where = (table[:, 0], table[:, 1])

    def matrix(column: int) -> I64:
        made = np.zeros(shape, np.int64)
        made[where] = table[:, column]
        return made

    has = np.zeros(shape, np.bool_)
    has[where] = True
    ratio = np.zeros(shape)
    ratio[where] = ratios
    total, reserved = matrix(2), matrix(3)
    return InventoryColumns(
        has=frozen(has),
        total=frozen(total),
        reserved=frozen(reserved),
        ratio=frozen(ratio),
        capacity=frozen(np.maximum(total - reserved, 0) * ratio),
        min_unit=frozen(matrix(4)),
        max_unit=frozen(matrix(5)),
        step_size=frozen(matrix(6)),
    )


def _place(
    tree: Tree,
    count: int,
    width: int,
    held_by: I64,
    held_on: I64,
    held_class: I64,
    amount: I64,
) -> tuple[I32, I64, dict[int, Parts]]:
    """Find each consumer's home, what it holds there, and who is spread over providers."""
    first = np.full(count, -1, np.int64)
    first[held_by] = held_on
    apart = np.zeros(count, np.bool_)
    apart[held_by[first[held_by] != held_on]] = True
    hosts = np.array(tree.hosts, np.int64)
    elsewhere = (first >= 0) & (hosts[first] != first) if tree.parent.size else apart
    spread_mask = apart | elsewhere
    home = np.where(spread_mask, -1, first).astype(np.int32)
    demand = np.zeros((count, width), np.int64)
    plain = ~spread_mask[held_by]
    np.add.at(demand, (held_by[plain], held_class[plain]), amount[plain])

    spread: dict[int, Parts] = {}
    amounts: dict[int, dict[int, dict[int, int]]] = {}
    odd = np.flatnonzero(~plain)
    for row, on, column, value in zip(
        held_by[odd].tolist(),
        held_on[odd].tolist(),
        held_class[odd].tolist(),
        amount[odd].tolist(),
        strict=True,
    ):
        amounts.setdefault(row, {}).setdefault(on, {})[column] = value
    for row, held in amounts.items():
        parts = spread[row] = make_parts(held)
        home[row], demand[row] = place_parts(tree, parts, width)
    return home, demand, spread


def place_parts(tree: Tree, parts: Parts, width: int) -> tuple[int, list[int]]:
    """Return the home row of parts and, by column, what they hold on the home's tree."""
    home = tree.home([row for row, _ in parts])
    demand = [0] * width
    mine = set(tree.subtree(home)) if home >= 0 else set()
    for row, held in parts:
        if row in mine:
            for column, amount in held:
                demand[column] += amount
    return home, demand


def is_spread(home: int, parts: Parts) -> bool:
    """Tell whether parts stand anywhere else than on the home itself."""
    return any(row != home for row, _ in parts)


def _consumer_columns(
    listed: Listed, codes: CodeTables, home: I32, demand: I64, spread: dict[int, Parts]
) -> ConsumerColumns:
    count = len(listed.uuid)
    uuid = list(listed.uuid)
    coded: dict[str, Any] = {
        name: frozen(getattr(codes, name).encode(getattr(listed, FIELD_OF.get(name, name))))
        for name in CODED
    }
    texts: dict[str, Any] = {name: list(getattr(listed, name)) for name in JSON_COLUMNS}
    return ConsumerColumns(
        uuid=uuid,
        index=dict(zip(uuid, range(count), strict=True)),
        name=list(listed.name),
        alive=frozen(np.ones(count, np.bool_)),
        locked=frozen(np.fromiter(map(bool, listed.locked), np.bool_, count)),
        watcher_exclude=frozen(np.fromiter(map(bool, listed.watcher_exclude), np.bool_, count)),
        bootable=frozen(
            np.fromiter((-1 if b is None else int(b) for b in listed.bootable), np.int8, count)
        ),
        created_at=frozen(
            np.fromiter((NO_TIME if t is None else t for t in listed.created_at), np.int64, count)
        ),
        generation=frozen(np.fromiter(listed.generation, np.int64, count)),
        placed=frozen(np.fromiter(listed.placed, np.int64, count)),
        position=frozen(np.fromiter(listed.key, np.int64, count)),
        home=frozen(home),
        demand=frozen(demand),
        spread=spread,
        **coded,
        **texts,
    )
