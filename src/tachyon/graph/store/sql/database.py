"""Connections, transactions and locks of the SQL store: all that differs between databases.

Statements are written with `?` for parameters and go to the driver's own cursor: per statement
SQLAlchemy's execution costs more than SQLite takes to run it. SQLAlchemy pools connections,
knows which errors mean a lost one, and writes the tables' definitions.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.pool import PoolProxiedConnection, StaticPool
from sqlalchemy.schema import CreateTable

from tachyon.errors import ConfigurationError, StoreUnavailable
from tachyon.graph.store.sql.schema import tables

Result = TypeVar("Result")
Backend = Literal["sqlite", "postgresql", "mysql"]

_DRIVERS: dict[str, tuple[Backend, str]] = {
    "sqlite": ("sqlite", "sqlite+pysqlite"),
    "postgresql": ("postgresql", "postgresql+psycopg"),
    "postgres": ("postgresql", "postgresql+psycopg"),
    "mysql": ("mysql", "mysql+pymysql"),
    # SQLAlchemy's own name for MariaDB is a dialect beside "mysql" with options of its own.
    "mariadb": ("mysql", "mysql+pymysql"),
}

#: Seconds that a writer waits for others before it gives up.
LOCK_WAIT = 60
#: Seconds to wait before each repetition of a transaction that lost against another one.
PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0)
#: A bulk insert into PostgreSQL goes in statements of so many parameters (the protocol's limit
#: is 65,535).
_PARAMETERS = 30_000
# Any number will do, as long as nobody else in the same database takes it for a lock.
_SCHEMA_LOCK = 7_203_114_405


class _Lost(Exception):
    """A transaction that the database took back for another's sake; it can be repeated."""


class Transaction:
    """A transaction in progress on the driver's cursor."""

    def __init__(self, cursor: Any, backend: Backend) -> None:
        self._cursor = cursor
        self._backend = backend

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; return the number of rows it matched."""
        self._cursor.execute(self._text(text), parameters)
        return int(self._cursor.rowcount)

    def rows(self, text: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        """Return all rows of a query."""
        self._cursor.execute(self._text(text), parameters)
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def row(self, text: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        self._cursor.execute(self._text(text), parameters)
        return self._cursor.fetchone()  # type: ignore[no-any-return]

    def columns(self, text: str, width: int, chunk: int = 2_000) -> list[list[Any]]:
        """Return the result of a query as columns; rows live no longer than their chunk."""
        self._cursor.execute(self._text(text))
        found: list[list[Any]] = [[] for _ in range(width)]
        while rows := self._cursor.fetchmany(chunk):
            for column, values in zip(found, zip(*rows, strict=True), strict=True):
                column.extend(values)
        return found

    def many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row of parameters."""
        if len(rows) == 1:
            self._cursor.execute(self._text(text), rows[0])
        elif rows:
            self._cursor.executemany(self._text(text), rows)

    def insert(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows; `text` is the statement up to VALUES."""
        if not rows:
            return
        places = f"({', '.join('?' * len(rows[0]))})"
        if self._backend == "postgresql" and len(rows) > 1:
            # One statement of many rows: executemany() takes a message for each row.
            step = _PARAMETERS // len(rows[0])
            for start in range(0, len(rows), step):
                some = rows[start : start + step]
                values = [value for row in some for value in row]
                self.execute(f"{text} VALUES {', '.join([places] * len(some))}", values)
        else:
            self.many(f"{text} VALUES {places}", rows)

    def _text(self, text: str) -> str:
        return text if self._backend == "sqlite" else text.replace("?", "%s")


class Database:
    """A pool of connections to one database, and the transactions that run on them."""

    def __init__(self, url: str) -> None:
        self.backend, parsed = parse_url(url)
        self._in_memory = self.backend == "sqlite" and parsed.database in {None, "", ":memory:"}
        self._engine = _engine(self.backend, parsed, self._in_memory)
        self._errors = self._engine.dialect.loaded_dbapi.Error
        # Threads of this process take turns here, in order and without polling, before they
        # meet other processes at the database's own lock.
        self._turn = threading.RLock()

    def close(self) -> None:
        """Release every connection."""
        # All threads share the one connection of a database in memory, which must not go from
        # under a statement that another one is at.
        with self._turns(self._in_memory):
            self._engine.dispose()

    def read(self, work: Callable[[Transaction], Result]) -> Result:
        """Run queries that all see the same committed state."""
        with self._turns(self._in_memory):
            return self._repeated(work, _READ[self.backend], commit=False)

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Run a transaction that locks what it needs itself."""
        with self._turns(self.backend == "sqlite"):
            return self._repeated(work, _WRITE[self.backend], commit=True)

    def write_alone(self, work: Callable[[Transaction, int, int], Result]) -> Result:
        """Run a transaction under the lock of the graph.

        `work` is given the transaction, the generation in force and the floor of the log.
        """
        lock = "" if self.backend == "sqlite" else " FOR UPDATE"

        def locked(transaction: Transaction) -> Result:
            row = transaction.row(
                f"SELECT generation, log_floor FROM global_state WHERE row_id = 1{lock}"
            )
            if row is None:
                raise StoreUnavailable("the store has no global state; create its schema first")
            return work(transaction, row[0], row[1])

        with self._turns(True):
            return self._repeated(locked, _WRITE[self.backend], commit=True)

    def create_tables(self, prepare: Callable[[Transaction], None]) -> None:
        """Create missing tables, then `prepare` them; many processes may do so at once."""
        metadata = tables(self._collation())
        statements = [
            str(CreateTable(table, if_not_exists=True).compile(dialect=self._engine.dialect))
            for table in metadata.sorted_tables
        ]

        def create(transaction: Transaction) -> None:
            if self.backend == "postgresql":
                # Two CREATE … IF NOT EXISTS at the same time can meet in the catalogue.
                transaction.execute(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
            for statement in statements:
                transaction.execute(statement)
            prepare(transaction)

        self.write(create)

    def insert_if_absent(self, transaction: Transaction, text: str) -> None:
        """Run an INSERT that does nothing when its key is taken."""
        if self.backend == "mysql":
            transaction.execute(text.replace("INSERT", "INSERT IGNORE", 1))
        else:
            transaction.execute(f"{text} ON CONFLICT DO NOTHING")

    def _collation(self) -> str | None:
        if self.backend != "mysql":
            return None
        row = self.read(lambda transaction: transaction.row("SELECT version()"))
        is_mariadb = row is not None and "mariadb" in str(row[0]).lower()
        return "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"

    @contextmanager
    def _turns(self, needed: bool) -> Iterator[None]:
        if not needed:
            yield
            return
        if not self._turn.acquire(timeout=LOCK_WAIT):
            raise StoreUnavailable(f"no turn to write within {LOCK_WAIT} s")
        try:
            yield
        finally:
            self._turn.release()

    def _repeated(
        self, work: Callable[[Transaction], Result], begin: Iterable[str], *, commit: bool
    ) -> Result:
        for pause in PAUSES:
            try:
                return self._once(work, begin, commit=commit)
            except _Lost:
                time.sleep(pause * random.uniform(0.5, 1.5))
        try:
            return self._once(work, begin, commit=commit)
        except _Lost as lost:
            raise StoreUnavailable(f"the database is too busy: {lost}") from lost

    def _once(
        self, work: Callable[[Transaction], Result], begin: Iterable[str], *, commit: bool
    ) -> Result:
        connection = self._connection()
        committing = False
        try:
            cursor = connection.cursor()
            for statement in begin:
                cursor.execute(statement)
            result = work(Transaction(cursor, self.backend))
            cursor.close()
            if commit:
                committing = True
                connection.commit()
            else:
                connection.rollback()
        except self._errors as error:
            raise self._explained(connection, error, committing) from error
        except BaseException:
            self._abandon(connection)
            raise
        finally:
            connection.close()
        return result

    def _connection(self) -> PoolProxiedConnection:
        try:
            return self._engine.raw_connection()
        except (exc.DBAPIError, exc.TimeoutError, self._errors) as error:
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error

    def _explained(
        self, connection: PoolProxiedConnection, error: Any, committing: bool
    ) -> Exception:
        """Clean up after a driver's error and say what it means to the caller."""
        lost = self._engine.dialect.is_disconnect(error, connection.dbapi_connection, None)
        if lost:
            connection.invalidate(error)
        else:
            self._abandon(connection)
        if _is_lost_race(error) or (lost and not committing):
            return _Lost(str(error))
        doubt = "; whether the transaction was committed is unknown" if committing else ""
        return StoreUnavailable(f"the database failed: {error}{doubt}")

    def _abandon(self, connection: PoolProxiedConnection) -> None:
        try:
            connection.rollback()
        except self._errors as error:
            connection.invalidate(error)


#: What begins a transaction that reads one consistent state, and one that writes. SQLite's
#: driver is told to leave transactions to us; the others begin by themselves.
_READ: dict[Backend, tuple[str, ...]] = {
    "sqlite": ("BEGIN",),
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",),
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}
_WRITE: dict[Backend, tuple[str, ...]] = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": (),
    "mysql": (),
}

#: What every new connection is told.
SETTINGS: dict[Backend, tuple[str, ...]] = {
    "sqlite": (
        f"PRAGMA busy_timeout = {LOCK_WAIT * 1000}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA cache_size = -65536",
    ),
    "postgresql": (f"SET lock_timeout = '{LOCK_WAIT}s'",),
    "mysql": (
        # Refuse what does not fit instead of cutting it short.
        f"SET SESSION sql_mode = 'TRADITIONAL', innodb_lock_wait_timeout = {LOCK_WAIT}",
    ),
}


def parse_url(url: str) -> tuple[Backend, sa.URL]:
    """Return the kind of database that a URL names, and the URL with its driver.

    Raises:
        ConfigurationError: it is no URL, or of a database or driver that is not served.
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        raise ConfigurationError(f"not the URL of a database: {error}") from error
    name, _, driver = parsed.drivername.partition("+")
    if name not in _DRIVERS:
        raise ConfigurationError(f"no SQL store for {name}:// URLs", scheme=name)
    backend, drivername = _DRIVERS[name]
    if driver and f"{backend}+{driver}" != drivername:
        raise ConfigurationError(f"the driver of {name}:// URLs is {drivername}, not {driver}")
    return backend, parsed.set(drivername=drivername)


def _engine(backend: Backend, url: sa.URL, in_memory: bool) -> sa.Engine:
    options: dict[str, Any] = {"pool_reset_on_return": None}
    if backend == "sqlite":
        options["connect_args"] = {"check_same_thread": False, "isolation_level": None}
        if in_memory:
            options["poolclass"] = StaticPool
    else:
        options["connect_args"] = {"connect_timeout": 10}
        options["isolation_level"] = "READ COMMITTED"
        options["pool_recycle"] = 3600
    try:
        engine = sa.create_engine(url, **options)
    except ImportError as error:
        raise ConfigurationError(f"the driver of {url.drivername} is not installed") from error

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for setting in SETTINGS[backend]:
            _insist(cursor, setting)
        cursor.close()
        if backend != "sqlite":
            connection.commit()

    return engine


def _insist(cursor: Any, setting: str) -> None:
    """Run a setting; repeat it while another process has a new SQLite file to itself.

    SQLite changes the journal mode without waiting as `busy_timeout` says.
    """
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            cursor.execute(setting)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


#: Errors of a transaction that met another one: PostgreSQL's serialization_failure and
#: deadlock_detected; MySQL's deadlock (also Galera's failed certification) and MariaDB's
#: "record has changed since last read".
_LOST_RACES = {"40001", "40P01", 1213, 1020}


def _is_lost_race(error: Any) -> bool:
    code = getattr(error, "sqlstate", None) or (error.args[0] if error.args else None)
    return code in _LOST_RACES
