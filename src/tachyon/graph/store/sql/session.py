"""Stored sessions: their records and deltas.

Every change of a session compares its version under the lock of its row, so that of two
processes that hold the same session one is told to read it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from tachyon.errors import NothingToUndo, SessionClosed, SessionConflict, SessionNotFound
from tachyon.graph.deltas import Delta, SessionRecord, SessionStatus
from tachyon.graph.store.sql.database import Backend, Transaction
from tachyon.graph.store.sql.rows import json_text, microseconds, moment

_FIELDS = SessionRecord.__struct_fields__
_MOMENTS = ("created_at", "expires_at", "closed_at")
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM sessions"
_INSERT = f"INSERT INTO sessions ({', '.join(_FIELDS)})"
#: What an update of a session can change.
_MUTABLE = ("expires_at", "status", "delta_count", "version", "closed_at")
_UPDATE = f"UPDATE sessions SET {', '.join(f'{name} = ?' for name in _MUTABLE)} WHERE id = ?"

_loads = msgspec.json.Decoder(Delta).decode


def create(
    transaction: Transaction, record: SessionRecord, deltas: Sequence[Delta]
) -> SessionRecord:
    """Store a new session; an id in use is a `SessionConflict`."""
    if _rows(transaction, "WHERE id = ?", (record.id,)):
        raise SessionConflict(f"simulation session {record.id} exists already", session=record.id)
    stored = replace(record, delta_count=len(deltas))
    transaction.insert(_INSERT, [_values(stored, _FIELDS)])
    _insert_deltas(transaction, record.id, 0, deltas)
    return stored


def read(transaction: Transaction, session_id: str, lock: str = "") -> SessionRecord:
    """Return a record; raises `SessionNotFound`."""
    found = _rows(transaction, f"WHERE id = ?{lock}", (session_id,))
    if not found:
        raise SessionNotFound(session_id)
    return found[0]


def active(
    transaction: Transaction, backend: Backend, session_id: str, version: int
) -> SessionRecord:
    """Lock a session for a change that was decided on at `version`.

    Raises:
        SessionNotFound, SessionClosed, SessionConflict.
    """
    record = read(transaction, session_id, "" if backend == "sqlite" else " FOR UPDATE")
    if record.status != "active":
        raise SessionClosed(session_id, record.status)
    if record.version != version:
        raise SessionConflict(
            f"simulation session {session_id} is at version {record.version}, not {version}",
            session=session_id,
            expected=version,
            found=record.version,
        )
    return record


def update(transaction: Transaction, record: SessionRecord, **fields: Any) -> SessionRecord:
    """Change fields of a locked session and raise its version."""
    changed = replace(record, version=record.version + 1, **fields)
    transaction.execute(_UPDATE, [*_values(changed, _MUTABLE), record.id])
    return changed


def deltas(transaction: Transaction, session_id: str, since: int) -> list[Delta]:
    """Return a session's deltas from a position on."""
    read(transaction, session_id)
    rows = transaction.rows(
        "SELECT body FROM deltas WHERE session_id = ? AND position >= ? ORDER BY position",
        (session_id, since),
    )
    return [_loads(body) for (body,) in rows]


def append(transaction: Transaction, record: SessionRecord, more: Sequence[Delta]) -> SessionRecord:
    """Append deltas to a locked session."""
    _insert_deltas(transaction, record.id, record.delta_count, more)
    return update(transaction, record, delta_count=record.delta_count + len(more))


def undo(transaction: Transaction, record: SessionRecord, count: int) -> SessionRecord:
    """Drop the last deltas of a locked session."""
    if count > record.delta_count:
        raise NothingToUndo(
            f"simulation session {record.id} holds {record.delta_count} deltas, "
            f"{count} were to be undone",
            session=record.id,
            held=record.delta_count,
            asked=count,
        )
    left = record.delta_count - count
    transaction.execute(
        "DELETE FROM deltas WHERE session_id = ? AND position >= ?", (record.id, left)
    )
    return update(transaction, record, delta_count=left)


def end(
    transaction: Transaction,
    record: SessionRecord,
    status: SessionStatus,
    closed_at: datetime | None,
    **fields: Any,
) -> SessionRecord:
    """End a locked session; only a committed one keeps its deltas."""
    fields |= {"status": status, "closed_at": closed_at}
    if status != "committed":
        _delete_deltas(transaction, record.id)
        fields["delta_count"] = 0
    return update(transaction, record, **fields)


def expire(transaction: Transaction, now: datetime) -> list[str]:
    """End the active sessions whose time has passed; return their ids by creation."""
    clause = "WHERE status = 'active' AND expires_at <= ? ORDER BY created_at, id"
    due = _rows(transaction, clause, (microseconds(now),))
    for record in due:
        end(transaction, record, "expired", now)
    return [record.id for record in due]


def listed(
    transaction: Transaction, audit_uuid: str | None, status: SessionStatus | None
) -> list[SessionRecord]:
    """Return the sessions of an audit and in a status, or all, by creation."""
    wanted = {"audit_uuid": audit_uuid, "status": status}
    given = {name: value for name, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(f'{name} = ?' for name in given)} " if given else ""
    return _rows(transaction, f"{where}ORDER BY created_at, id", tuple(given.values()))


def delete(transaction: Transaction, session_id: str) -> None:
    """Remove a session with its deltas; raises `SessionNotFound`."""
    _delete_deltas(transaction, session_id)
    if transaction.execute("DELETE FROM sessions WHERE id = ?", (session_id,)) == 0:
        raise SessionNotFound(session_id)


def _rows(transaction: Transaction, clause: str, parameters: Sequence[Any]) -> list[SessionRecord]:
    found = []
    for row in transaction.rows(f"{_SELECT} {clause}", parameters):
        fields = dict(zip(_FIELDS, row, strict=True))
        fields |= {name: moment(fields[name]) for name in _MOMENTS}
        found.append(SessionRecord(**fields))
    return found


def _values(record: SessionRecord, names: Sequence[str]) -> list[Any]:
    return [
        microseconds(getattr(record, name)) if name in _MOMENTS else getattr(record, name)
        for name in names
    ]


def _insert_deltas(
    transaction: Transaction, session_id: str, start: int, more: Sequence[Delta]
) -> None:
    transaction.insert(
        "INSERT INTO deltas (session_id, position, body)",
        [(session_id, start + n, json_text(delta)) for n, delta in enumerate(more)],
    )


def _delete_deltas(transaction: Transaction, session_id: str) -> None:
    transaction.execute("DELETE FROM deltas WHERE session_id = ?", (session_id,))
