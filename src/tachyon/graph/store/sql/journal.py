"""The change log: what each transaction changed, and how far back that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tachyon.errors import GenerationTooOld
from tachyon.graph.entities import Kind
from tachyon.graph.store.contract import Change, ChangeSet
from tachyon.graph.store.sql.database import Transaction
from tachyon.graph.store.sql.rows import json_text
from tachyon.graph.store.working_set import EntityChange

#: A transaction of more changes is not logged, unless an active session needs it: followers
#: load the whole graph faster than they could read its changes one by one.
LOG_LIMIT = 20_000
#: Changes per row of the log; a few hundred kilobytes, well below any server's packet size.
_PART = 500

_loads = msgspec.json.Decoder(list[Change]).decode


def log(
    transaction: Transaction,
    changes: Sequence[EntityChange],
    generation: int,
    floor: int,
    row_ids: Mapping[Kind, Mapping[str, int]],
) -> None:
    """Raise the global generation and write a transaction's changes to the log.

    `row_ids` has the row numbers of what was created and removed.
    """
    if len(changes) > LOG_LIMIT and _oldest_base(transaction, generation) == generation:
        transaction.execute("DELETE FROM change_log")
        floor = generation
    else:
        transaction.insert(
            "INSERT INTO change_log (generation, part, size, removals, body)",
            [
                _row(changes[start : start + _PART], start // _PART, generation, row_ids)
                for start in range(0, len(changes), _PART)
            ],
        )
    transaction.execute(
        "UPDATE global_state SET generation = ?, log_floor = ? WHERE row_id = 1",
        (generation, floor),
    )


def _row(
    changes: Sequence[EntityChange],
    part: int,
    generation: int,
    row_ids: Mapping[Kind, Mapping[str, int]],
) -> tuple[int, int, int, int, str]:
    logged = [
        change.logged(
            generation, row_ids[change.kind][change.key] if change.comes_or_goes else None
        )
        for change in changes
    ]
    removals = sum(change.after is None for change in logged)
    return generation, part, len(logged), removals, json_text(logged)


def changes_since(transaction: Transaction, since: int, limit: int) -> ChangeSet:
    """Return what `Store.changes` documents."""
    state = transaction.row("SELECT generation, log_floor FROM global_state WHERE row_id = 1")
    generation, floor = state if state is not None else (0, 0)
    if since < floor:
        raise GenerationTooOld(since, floor)
    if since >= generation:
        return ChangeSet(since, [])
    last, more = _cut(transaction, since, limit)
    changes: list[Change] = []
    for (body,) in transaction.rows(
        "SELECT body FROM change_log WHERE generation > ? AND generation <= ? "
        "ORDER BY generation, part",
        (since, last),
    ):
        changes += _loads(body)
    return ChangeSet(last, changes, more)


def _cut(transaction: Transaction, since: int, limit: int) -> tuple[int, bool]:
    """Return the transaction that reaches the limit, and whether others follow it."""
    sizes = transaction.rows(
        "SELECT generation, SUM(size) FROM change_log WHERE generation > ? "
        "GROUP BY generation ORDER BY generation LIMIT ?",
        (since, max(limit, 1) + 1),
    )
    total = 0
    for position, (generation, size) in enumerate(sizes):
        total += int(size)
        if total >= limit:
            return generation, position + 1 < len(sizes)
    return sizes[-1][0], False


def removed_since(transaction: Transaction, generation: int) -> set[tuple[Kind, str]]:
    """Return what was removed after a generation, as far as the log reaches back."""
    rows = transaction.rows(
        "SELECT body FROM change_log WHERE generation > ? AND removals > 0", (generation,)
    )
    return {
        (change.kind, change.key)
        for (body,) in rows
        for change in _loads(body)
        if change.after is None
    }


def trim(transaction: Transaction, generation: int, floor: int, keep: int) -> int:
    """Forget what `Store.trim` documents; return the new floor."""
    needed = min(generation - keep, _oldest_base(transaction, generation))
    if needed <= floor:
        return floor
    transaction.execute("DELETE FROM change_log WHERE generation <= ?", (needed,))
    transaction.execute("UPDATE global_state SET log_floor = ? WHERE row_id = 1", (needed,))
    return needed


def _oldest_base(transaction: Transaction, generation: int) -> int:
    """Return the oldest base generation of any active session, at most `generation`."""
    row = transaction.row("SELECT MIN(base_generation) FROM sessions WHERE status = 'active'")
    oldest = None if row is None else row[0]
    return generation if oldest is None else min(generation, oldest)
