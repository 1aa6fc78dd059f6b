"""Simulation sessions and their deltas in Neo4j.

Each change of a session first takes the write lock of its node, then compares the version. A
delta's `body` is the delta itself; its other properties repeat it for people who query in Cypher.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from neo4j import Record

from tachyon.errors import NothingToUndo, SessionClosed, SessionConflict, SessionNotFound
from tachyon.graph.deltas import Delta, SessionRecord, SessionStatus
from tachyon.graph.store.neo4j.connection import Transaction

#: Statuses in which a session no longer needs its deltas.
_ABANDONED = ("rolled_back", "expired")
_TIMES = ("created_at", "expires_at", "closed_at")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Delta).decode


def create(
    transaction: Transaction, record: SessionRecord, deltas: Sequence[Delta]
) -> SessionRecord:
    """Store a new session and its deltas; the id must be a new one."""
    stored = replace(record, delta_count=len(deltas))
    fields = {
        name: getattr(stored, name)
        for name in SessionRecord.__struct_fields__
        if name not in {"id", "audit_uuid"}
    }
    transaction.run("create_session", id=record.id, properties=fields)
    if record.audit_uuid is not None:
        transaction.run("link_audit", id=record.id, audit_uuid=record.audit_uuid)
    _add(transaction, record.id, deltas, 0)
    return stored


def get(transaction: Transaction, session_id: str) -> SessionRecord:
    """Return a session's record; raises `SessionNotFound`."""
    rows = transaction.rows("session", id=session_id)
    if not rows:
        raise SessionNotFound(session_id)
    return _record(rows[0])


def listed(
    transaction: Transaction, audit_uuid: str | None, status: SessionStatus | None
) -> list[SessionRecord]:
    """Return sessions by creation time; None does not restrict."""
    rows = transaction.rows("sessions", audit_uuid=audit_uuid, status=status)
    return [_record(row) for row in rows]


def append(
    transaction: Transaction, session_id: str, deltas: Sequence[Delta], version: int
) -> SessionRecord:
    """Append deltas to an active session."""
    record = _hold(transaction, session_id, version)
    _add(transaction, session_id, deltas, record.delta_count)
    return _update(transaction, record, delta_count=record.delta_count + len(deltas))


def undo(transaction: Transaction, session_id: str, count: int, version: int) -> SessionRecord:
    """Drop the last `count` deltas of an active session."""
    record = _hold(transaction, session_id, version)
    left = record.delta_count - count
    if left < 0:
        raise NothingToUndo(
            f"simulation session {session_id} holds {record.delta_count} deltas, not {count}",
            session=session_id,
            delta_count=record.delta_count,
        )
    transaction.run("drop_deltas", id=session_id, after=left)
    return _update(transaction, record, delta_count=left)


def update(
    transaction: Transaction,
    session_id: str,
    version: int,
    *,
    expires_at: datetime | None = None,
    status: SessionStatus | None = None,
    closed_at: datetime | None = None,
) -> SessionRecord:
    """Change an active session whose version is `version`; None leaves a field as it is."""
    record = _hold(transaction, session_id, version)
    fields: dict[str, Any] = {}
    if expires_at is not None:
        fields["expires_at"] = expires_at
    if closed_at is not None:
        fields["closed_at"] = closed_at
    if status is not None:
        fields["status"] = status
    if status in _ABANDONED:
        transaction.run("drop_deltas", id=record.id, after=0)
        fields["delta_count"] = 0
    return _update(transaction, record, **fields)


def bodies(transaction: Transaction, session_id: str, since: int) -> list[Delta]:
    """Return a session's deltas in order, from position `since`; raises `SessionNotFound`."""
    get(transaction, session_id)
    texts = transaction.one("deltas", id=session_id, after=since)["bodies"]
    return [_decode(text) for text in texts]


def delete(transaction: Transaction, session_id: str) -> None:
    """Remove a session, its deltas, and its audit's node when nothing else is for that audit."""
    transaction.run("lock_session", id=session_id)
    record = get(transaction, session_id)
    transaction.run("delete_session", id=session_id)
    if record.audit_uuid is not None:
        transaction.run("prune_audit", audit_uuid=record.audit_uuid)


def expire(transaction: Transaction, now: datetime) -> list[str]:
    """End active sessions whose time has passed; return their ids."""
    expired = []
    for row in transaction.rows("lapsed_sessions", now=now):
        transaction.run("lock_session", id=row["id"])
        record = get(transaction, row["id"])
        # It may have been extended or closed while we waited for the lock.
        if record.status == "active" and record.expires_at <= now:
            update(transaction, record.id, record.version, status="expired", closed_at=now)
            expired.append(record.id)
    return expired


def _hold(transaction: Transaction, session_id: str, version: int) -> SessionRecord:
    """Lock an active session whose version is `version`, or raise why that cannot be."""
    transaction.run("lock_session", id=session_id)
    record = get(transaction, session_id)
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


def _update(transaction: Transaction, record: SessionRecord, **fields: Any) -> SessionRecord:
    fields["version"] = record.version + 1
    transaction.run("update_session", id=record.id, properties=fields)
    return replace(record, **fields)


def _add(transaction: Transaction, session_id: str, deltas: Sequence[Delta], count: int) -> None:
    rows = [_row(delta, count + number) for number, delta in enumerate(deltas, start=1)]
    transaction.batches("add_deltas", rows, id=session_id)
    if any(row["type"] in {"MOVE", "DEALLOCATE"} for row in rows):
        transaction.run("fill_deltas", id=session_id, after=count)


def _row(delta: Delta, sequence: int) -> dict[str, Any]:
    resources = getattr(delta, "resources", {})
    return {
        "sequence": sequence,
        "type": delta.__struct_config__.tag,
        "consumer_uuid": getattr(delta, "consumer_uuid", None),
        "from_provider": getattr(delta, "from_provider", None),
        "to_provider": getattr(delta, "to_provider", None),
        # RESIZE and UPDATE_PROVIDER say where they stand, but move nothing from or to there.
        "provider_uuid": getattr(delta, "provider_uuid", getattr(delta, "provider", None)),
        "resource_classes": list(resources.keys()),
        "resource_amounts": list(resources.values()),
        "body": _encode(delta).decode(),
    }


def _record(row: Record) -> SessionRecord:
    node = row["node"]
    fields = {name: node.get(name) for name in SessionRecord.__struct_fields__}
    for name in _TIMES:
        if fields[name] is not None:
            fields[name] = fields[name].to_native().astimezone(UTC)
    fields["audit_uuid"] = row["audit_uuid"]
    return SessionRecord(**fields)
