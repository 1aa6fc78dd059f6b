"""The store on an SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from tachyon.errors import ConfigurationError, StoreUnavailable
from tachyon.graph.deltas import Delta, SessionRecord, SessionStatus
from tachyon.graph.mutations import AnyMutation, Expected
from tachyon.graph.store.contract import Applied, ChangeSet, Snapshot, Store
from tachyon.graph.store.sql import journal, session
from tachyon.graph.store.sql.database import Database, Transaction
from tachyon.graph.store.sql.loading import load
from tachyon.graph.store.sql.reader import SqlReader
from tachyon.graph.store.sql.schema import SCHEMA_VERSION, UPGRADES
from tachyon.graph.store.sql.writer import write
from tachyon.graph.store.transition import plan


class SqlStore(Store):
    """A durable graph in SQLite, PostgreSQL, MariaDB or MySQL.

    Whatever changes the graph, the floor of its log or the set of sessions holds the lock on the
    one row of `global_state`; changes of one session lock its row alone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> Self:
        """Return a store for `url`; connects when first used.

        Raises:
            ConfigurationError: the URL is none of ours, or its driver is not installed.
        """
        return cls(Database(url))

    def create_schema(self) -> None:
        """Create what is missing, upgrade what is older; idempotent, race-free.

        Raises:
            ConfigurationError: the tables are of a newer version than this software knows.
        """
        self._database.create_tables(self._prepare)

    def _prepare(self, transaction: Transaction) -> None:
        self._database.insert_if_absent(
            transaction,
            "INSERT INTO global_state (row_id, generation, log_floor, schema_version) "
            f"VALUES (1, 0, 0, {SCHEMA_VERSION})",
        )
        row = transaction.row("SELECT schema_version FROM global_state WHERE row_id = 1")
        if row is not None and row[0] > SCHEMA_VERSION:
            raise ConfigurationError(
                f"the store's schema is of version {row[0]}; this software knows {SCHEMA_VERSION}"
            )
        if row is not None and row[0] < SCHEMA_VERSION:
            self._upgrade(transaction)

    @staticmethod
    def _upgrade(transaction: Transaction) -> None:
        # The lock first: of several processes that start, one upgrades and the others see it done.
        transaction.execute(
            "UPDATE global_state SET schema_version = schema_version WHERE row_id = 1"
        )
        row = transaction.row("SELECT schema_version FROM global_state WHERE row_id = 1")
        for version in range(row[0] + 1 if row else SCHEMA_VERSION, SCHEMA_VERSION + 1):
            transaction.execute(UPGRADES[version])
            transaction.execute(
                f"UPDATE global_state SET schema_version = {version} WHERE row_id = 1"
            )

    def close(self) -> None:
        """Release every connection."""
        self._database.close()

    def generation(self) -> int:
        """Return the global generation."""
        row = self._database.read(
            lambda t: t.row("SELECT generation FROM global_state WHERE row_id = 1")
        )
        if row is None:
            raise StoreUnavailable("the store has no global state; create its schema first")
        return int(row[0])

    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None = None) -> Applied:
        """Apply mutations as one durable transaction; see the contract."""
        return self._database.write_alone(
            lambda t, generation, floor: _apply(t, mutations, expected, generation, floor)
        )

    def load(self) -> Snapshot:
        """Return everything at one generation."""
        return self._database.read(load)

    def changes(self, since: int, limit: int = 10_000) -> ChangeSet:
        """Return what changed after generation `since`, in whole transactions."""
        return self._database.read(lambda t: journal.changes_since(t, since, limit))

    def trim(self, keep: int) -> int:
        """Forget logged transactions but those of the last `keep` generations."""
        return self._database.write_alone(
            lambda t, generation, floor: journal.trim(t, generation, floor, keep)
        )

    def create_session(self, record: SessionRecord, deltas: Sequence[Delta] = ()) -> SessionRecord:
        """Store a new session; raises `SessionConflict` when its id is in use."""
        return self._database.write_alone(lambda t, _g, _f: session.create(t, record, deltas))

    def session(self, session_id: str) -> SessionRecord:
        """Return a session's record."""
        return self._database.read(lambda t: session.read(t, session_id))

    def deltas(self, session_id: str, since: int = 0) -> list[Delta]:
        """Return a session's deltas in effect, in order, from position `since`."""
        return self._database.read(lambda t: session.deltas(t, session_id, since))

    def append_deltas(
        self, session_id: str, deltas: Sequence[Delta], version: int
    ) -> SessionRecord:
        """Append deltas to an active session whose version is `version`."""
        return self._database.write(
            lambda t: session.append(t, self._active(t, session_id, version), deltas)
        )

    def undo_deltas(self, session_id: str, count: int, version: int) -> SessionRecord:
        """Drop the last `count` deltas of an active session whose version is `version`."""
        return self._database.write(
            lambda t: session.undo(t, self._active(t, session_id, version), count)
        )

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
        extended: dict[str, Any] = {} if expires_at is None else {"expires_at": expires_at}

        def update(transaction: Transaction) -> SessionRecord:
            record = self._active(transaction, session_id, version)
            if status in {None, "active"}:
                return session.update(transaction, record, **extended)
            return session.end(transaction, record, status, closed_at, **extended)

        return self._database.write(update)

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

        def commit(transaction: Transaction, generation: int, floor: int) -> Applied:
            record = self._active(transaction, session_id, version)
            applied = _apply(transaction, mutations, expected, generation, floor)
            session.end(transaction, record, "committed", closed_at)
            return applied

        return self._database.write_alone(commit)

    def sessions(
        self, audit_uuid: str | None = None, status: SessionStatus | None = None
    ) -> list[SessionRecord]:
        """List stored sessions by creation time."""
        return self._database.read(lambda t: session.listed(t, audit_uuid, status))

    def delete_session(self, session_id: str) -> None:
        """Remove a session with its deltas."""
        self._database.write_alone(lambda t, _g, _f: session.delete(t, session_id))

    def expire_sessions(self, now: datetime) -> list[str]:
        """Mark active sessions whose time has passed as expired; return their ids."""
        return self._database.write_alone(lambda t, _g, _f: session.expire(t, now))

    def _active(self, transaction: Transaction, session_id: str, version: int) -> SessionRecord:
        return session.active(transaction, self._database.backend, session_id, version)


def _apply(
    transaction: Transaction,
    mutations: Sequence[AnyMutation],
    expected: Expected | None,
    generation: int,
    floor: int,
) -> Applied:
    reader = SqlReader(transaction)
    changes = plan(mutations, expected, reader, generation)
    if changes:
        generation += 1
        write(transaction, reader, changes)
        journal.log(transaction, changes, generation, floor, reader.row_ids)
    return Applied(generation, len(changes))
