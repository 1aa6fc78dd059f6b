"""The global state and the change log: Neo4j Community has no change data capture of its own.

A change is a ChangeLogEntry in the transaction that makes it; one without `after` is a tombstone.
`GlobalState.floor` is the oldest generation from which the log still answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from tachyon.errors import GenerationTooOld, StoreUnavailable
from tachyon.graph.entities import Kind
from tachyon.graph.store.contract import Change, ChangeSet
from tachyon.graph.store.neo4j.connection import BATCH, Connection, Transaction
from tachyon.graph.store.transition import EntityChange

#: Changes in one transaction above which it is not logged: whoever follows had better load anew.
LOGGED_AT_MOST = 20_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class State(Struct, frozen=True):
    """The one GlobalState node: generation, next free position, floor of the change log."""

    generation: int
    position: int
    floor: int


def state(transaction: Transaction) -> State:
    """Return the global state; raises `StoreUnavailable` when there is no schema yet."""
    rows = transaction.rows("state")
    if not rows:
        raise StoreUnavailable("the Neo4j database has no global state: create the schema first")
    return State(**rows[0].data())


def lock(transaction: Transaction) -> State:
    """Wait for the writer before us, keep the others out until we commit, return the state.

    Once the lock is ours, every earlier commit is there to be read in full.
    """
    transaction.run("lock")
    return state(transaction)


def record(
    transaction: Transaction,
    changes: Sequence[EntityChange],
    generation: int,
    floor: int,
    positions: Mapping[tuple[Kind, str], int],
) -> int:
    """Log the changes of a transaction and return the floor after it.

    A transaction of more than `LOGGED_AT_MOST` changes raises the floor instead, unless an
    active session has to be told them.
    """
    if len(changes) > LOGGED_AT_MOST and _oldest_base(transaction) is None:
        return generation
    rows = []
    for sequence, entity_change in enumerate(changes):
        place = (entity_change.kind, entity_change.key)
        position = positions[place] if entity_change.comes_or_goes else None
        change = entity_change.logged(generation, position)
        rows.append({
            "generation": generation,
            "sequence": sequence,
            "kind": change.kind,
            "key": change.key,
            "before": None if change.before is None else _encode(change.before).decode(),
            "after": None if change.after is None else _encode(change.after).decode(),
            "position": position,
        })  # fmt: skip
    transaction.batches("log", rows)
    return floor


def changes(connection: Connection, since: int, limit: int) -> ChangeSet:
    """Return what changed after `since`, in whole transactions, as `Store.changes` documents."""
    now = connection.transact(state)
    if now.generation > since:
        # The newest commit may be half visible yet; behind the lock it is whole.
        now = connection.transact(lock)
    if since >= now.generation:
        return ChangeSet(since, [])
    return connection.transact(_changes, since, now.generation, limit)


def _changes(transaction: Transaction, since: int, last: int, limit: int) -> ChangeSet:
    entries = _entries(transaction, since, last, limit)
    if entries and len(entries) == limit:
        end = entries[-1].generation
        size = transaction.one("log_size", generation=end)["size"]
        cut = [entry for entry in entries if entry.generation < end]
        entries = cut + _entries(transaction, end - 1, end, size)
    floor = state(transaction).floor
    if since < floor:
        raise GenerationTooOld(since, floor)
    end = entries[-1].generation if entries else since
    return ChangeSet(end, entries, more=end < last)


def _entries(transaction: Transaction, after: int, last: int, limit: int) -> list[Change]:
    rows = transaction.one("changes", after=after, last=last, limit=limit)["entries"]
    return [
        Change(
            generation=generation,
            kind=kind,
            key=key,
            before=None if before is None else _decode(before),
            after=None if later is None else _decode(later),
            position=position,
        )
        for generation, kind, key, before, later, position in rows
    ]


def trim(connection: Connection, keep: int) -> int:
    """Forget all but the last `keep` generations and what active sessions need."""
    floor = connection.transact(_raise_floor, keep)
    # Below the floor nobody reads, so the rest can go bit by bit.
    while connection.transact(_forget, floor):
        pass
    return floor


def _raise_floor(transaction: Transaction, keep: int) -> int:
    now = lock(transaction)
    floor = now.generation - keep
    base = _oldest_base(transaction)
    if base is not None:
        floor = min(floor, base)
    if floor <= now.floor:
        return now.floor
    transaction.run("raise_floor", floor=floor)
    return floor


def _forget(transaction: Transaction, floor: int) -> int:
    return int(transaction.one("forget", floor=floor, limit=BATCH)["forgotten"])


def _oldest_base(transaction: Transaction) -> int | None:
    base: int | None = transaction.one("oldest_base")["base"]
    return base
