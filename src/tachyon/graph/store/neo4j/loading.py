"""The whole graph as columns, at one generation: what `Neo4jStore.load` returns.

Neo4j is read-committed and shows a commit bit by bit, so reading in slices needs a proof: the
generation, read under the write lock before and after, has not moved. The lock is held for the
two reads only; a graph that keeps moving is read under the lock as a whole in the end.
"""

from __future__ import annotations

from typing import Any, cast

from tachyon.graph.entities import Kind
from tachyon.graph.store.contract import ConsumerColumns, Snapshot
from tachyon.graph.store.neo4j.changelog import lock
from tachyon.graph.store.neo4j.connection import BATCH, Connection, Transaction
from tachyon.graph.store.neo4j.reader import columns, consumer_slices, providers, records

#: Attempts without holding the lock before writers are made to wait.
_ATTEMPTS = 3

_RECORDS: tuple[tuple[Kind, str], ...] = (
    ("flavor", "flavors"),
    ("project", "projects"),
    ("server_group", "server_groups"),
    ("host_aggregate", "host_aggregates"),
    ("availability_zone", "availability_zones"),
)


def load(connection: Connection) -> Snapshot:
    """Return everything at one generation."""
    before = connection.transact(lock).generation
    for _ in range(_ATTEMPTS):
        snapshot = connection.transact(_read, before)
        after = connection.transact(lock).generation
        if after == before:
            return snapshot
        before = after
    return connection.transact(_read_locked)


def _read_locked(transaction: Transaction) -> Snapshot:
    return _read(transaction, lock(transaction).generation)


def _read(transaction: Transaction, generation: int) -> Snapshot:
    keyed = list(providers(transaction))
    snapshot = Snapshot(
        generation=generation,
        providers=[provider for _, provider in keyed],
        provider_key=[position for position, _ in keyed],
        consumers=_consumers(transaction),
        **{name: cast(list[Any], records(transaction, kind)) for kind, name in _RECORDS},
    )
    _allocations(transaction, snapshot)
    return snapshot


def _consumers(transaction: Transaction) -> ConsumerColumns:
    lists: dict[str, list[Any]] = {name: [] for name in ConsumerColumns.__struct_fields__}
    for record in consumer_slices(transaction, "consumer_columns"):
        for name, values in columns(record).items():
            lists[name].extend(values)
    return ConsumerColumns(**lists)


def _allocations(transaction: Transaction, snapshot: Snapshot) -> None:
    """Read allocations grouped by inventory, so that only numbers travel one by one."""
    consumers: list[int] = []
    hosts: list[int] = []
    classes: list[str] = []
    amounts: list[int] = []
    keys = snapshot.provider_key
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        for row in transaction.rows("allocations", first=some[0], last=some[-1]):
            holders = row["consumers"]
            consumers.extend(holders)
            amounts.extend(row["amounts"])
            hosts.extend([row["provider"]] * len(holders))
            classes.extend([row["resource_class"]] * len(holders))
    snapshot.allocation_consumer = consumers
    snapshot.allocation_provider = hosts
    snapshot.allocation_class = classes
    snapshot.allocation_amount = amounts
