"""The Neo4j store: `Store` on the official driver, for operators who want Cypher."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from neo4j.exceptions import ConstraintError

from tachyon.errors import SessionConflict
from tachyon.graph.deltas import Delta, SessionRecord, SessionStatus
from tachyon.graph.mutations import AnyMutation, Expected
from tachyon.graph.store.contract import Applied, ChangeSet, Snapshot, Store
from tachyon.graph.store.neo4j import changelog, loading, sessions
from tachyon.graph.store.neo4j.connection import Connection, Transaction, connect
from tachyon.graph.store.neo4j.reader import GraphReader
from tachyon.graph.store.neo4j.statements import SCHEMA
from tachyon.graph.store.neo4j.writer import write
from tachyon.graph.store.transition import plan


class Neo4jStore(Store):
    """A durable cluster graph in Neo4j 5 (Community suffices).

    Every write transaction of the graph starts with the write lock of the GlobalState node,
    those of a session with that of the session's node; what is checked after that cannot move.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, url: str) -> Self:
        """Return a store for `bolt://user:password@host:7687/database`; connects lazily."""
        return cls(connect(url))

    def create_schema(self) -> None:
        """Create constraints, indexes and the global state where missing."""
        if not self._connection.transact(_missing):
            self._connection.transact(_run, "create_global_state")
            return
        for name in ("global_state_name", "create_global_state"):
            self._connection.transact(_run, name)
        self._connection.transact(self._create_missing)

    def _create_missing(self, tx: Transaction) -> None:
        # Two that create constraints at once end in deadlocks, so one at a time does, each in a
        # transaction of its own, as Neo4j wants it.
        changelog.lock(tx)
        for name in _missing(tx):
            self._connection.transact(_run, name)

    def close(self) -> None:
        """Close the driver."""
        self._connection.close()

    def generation(self) -> int:
        """Return the global generation."""
        return self._connection.transact(changelog.state).generation

    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None = None) -> Applied:
        """Apply mutations in one transaction, as the contract says."""
        return self._connection.transact(_apply, mutations, expected)

    def load(self) -> Snapshot:
        """Return everything at one generation."""
        return loading.load(self._connection)

    def changes(self, since: int, limit: int = 10_000) -> ChangeSet:
        """Return what changed after generation `since`, in whole transactions."""
        return changelog.changes(self._connection, since, limit)

    def trim(self, keep: int) -> int:
        """Forget logged transactions but those of the last `keep` generations."""
        return changelog.trim(self._connection, keep)

    def create_session(self, record: SessionRecord, deltas: Sequence[Delta] = ()) -> SessionRecord:
        """Store a new session; raises `SessionConflict` when its id is taken."""
        try:
            return self._connection.transact(sessions.create, record, deltas)
        except ConstraintError as error:
            raise SessionConflict(
                f"simulation session {record.id} exists already", session=record.id
            ) from error

    def session(self, session_id: str) -> SessionRecord:
        """Return a session's record."""
        return self._connection.transact(sessions.get, session_id)

    def deltas(self, session_id: str, since: int = 0) -> list[Delta]:
        """Return a session's deltas in effect, from position `since`."""
        return self._connection.transact(sessions.bodies, session_id, since)

    def append_deltas(
        self, session_id: str, deltas: Sequence[Delta], version: int
    ) -> SessionRecord:
        """Append deltas to an active session."""
        return self._connection.transact(sessions.append, session_id, deltas, version)

    def undo_deltas(self, session_id: str, count: int, version: int) -> SessionRecord:
        """Drop the last `count` deltas; raises `NothingToUndo` when there are fewer."""
        return self._connection.transact(sessions.undo, session_id, count, version)

    def update_session(
        self,
        session_id: str,
        *,
        version: int,
        expires_at: datetime | None = None,
        status: SessionStatus | None = None,
        closed_at: datetime | None = None,
    ) -> SessionRecord:
        """Extend or end an active session."""
        return self._connection.transact(
            sessions.update,
            session_id,
            version,
            expires_at=expires_at,
            status=status,
            closed_at=closed_at,
        )

    def commit_session(
        self,
        session_id: str,
        mutations: Sequence[AnyMutation],
        expected: Expected,
        *,
        version: int,
        closed_at: datetime,
    ) -> Applied:
        """Apply a session's net effect and mark it committed, in one transaction."""
        return self._connection.transact(
            _commit, session_id, mutations, expected, version, closed_at
        )

    def sessions(
        self, audit_uuid: str | None = None, status: SessionStatus | None = None
    ) -> list[SessionRecord]:
        """List stored sessions by creation time."""
        return self._connection.transact(sessions.listed, audit_uuid, status)

    def delete_session(self, session_id: str) -> None:
        """Remove a session with its deltas."""
        self._connection.transact(sessions.delete, session_id)

    def expire_sessions(self, now: datetime) -> list[str]:
        """Mark active sessions whose time has passed as expired and drop their deltas."""
        return self._connection.transact(sessions.expire, now)


def _run(tx: Transaction, name: str) -> None:
    tx.run(name)


def _missing(tx: Transaction) -> list[str]:
    present = set(tx.one("schema_names")["names"])
    return [name for name in SCHEMA if name not in present]


def _apply(tx: Transaction, mutations: Sequence[AnyMutation], expected: Expected | None) -> Applied:
    before = changelog.lock(tx)
    changes = plan(mutations, expected, GraphReader(tx), before.generation)
    if not changes:
        return Applied(before.generation, 0)
    generation = before.generation + 1
    position, positions = write(tx, changes, before.position)
    floor = changelog.record(tx, changes, generation, before.floor, positions)
    tx.run("advance", generation=generation, position=position, floor=floor)
    return Applied(generation, len(changes))


def _commit(
    tx: Transaction,
    session_id: str,
    mutations: Sequence[AnyMutation],
    expected: Expected,
    version: int,
    closed_at: datetime,
) -> Applied:
    # The graph's lock before the session's, so that no two commits wait for each other.
    changelog.lock(tx)
    sessions.update(tx, session_id, version, status="committed", closed_at=closed_at)
    return _apply(tx, mutations, expected)
