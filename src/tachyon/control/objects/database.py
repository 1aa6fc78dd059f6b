"""Connections and transactions of the control plane's database.

oslo.db makes the engine, so that the options, the pool and the errors are those that OpenStack's
operators know. Three things are ours: SQLite writes ahead and takes its lock when a transaction
that writes begins (one that first reads could otherwise not go on to write); transactions that
lost against others are repeated; and observers hear of changes once these are durable.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db
from oslo_db.sqlalchemy import engines
from sqlalchemy import event

from tachyon.conf import database as options
from tachyon.control.objects.columns import Clock, now
from tachyon.control.objects.record import Change
from tachyon.errors import ConfigurationError, StoreUnavailable
from tachyon.graph.store.sql.database import LOCK_WAIT, PAUSES, parse_url

LOG = logging.getLogger(__name__)

T = TypeVar("T")
Observer = Callable[[Change], None]

#: Errors of a transaction that may be tried again from its beginning.
_LOST = (db.DBDeadlock, db.DBConnectionError)


class Database:
    """A pool of connections. Safe to use from several threads.

    Args:
        url: of SQLite (file or memory), PostgreSQL or MariaDB/MySQL.
        clock: tells what goes into `created_at`, `updated_at` and `deleted_at`.
        engine: further arguments of `oslo_db.sqlalchemy.engines.create_engine`.

    Raises:
        ConfigurationError: the URL is of no database that there is a driver for.
        StoreUnavailable: the database does not answer.
    """

    def __init__(self, url: str, *, clock: Clock = now, **engine: Any) -> None:
        backend, parsed = parse_url(url)
        if backend == "mysql":
            parsed = parsed.update_query_dict({"charset": "utf8mb4"})
        self.clock = clock
        self._is_sqlite = backend == "sqlite"
        self._in_memory = self._is_sqlite and parsed.database in {None, "", ":memory:"}
        # Threads take turns here, in order and without polling, before SQLite's own lock.
        self._turn = threading.RLock()
        self._local = threading.local()
        self._observers: list[Observer] = []
        text = parsed.render_as_string(hide_password=False)
        try:
            self.engine: sa.Engine = engines.create_engine(
                text,
                sqlite_fk=True,
                **{"max_retries": 0, "mysql_sql_mode": "TRADITIONAL", **engine},
            )
        except ImportError as error:
            raise ConfigurationError(f"the driver of {backend} is not installed") from error
        except db.DBError as error:
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error
        _prepare(self.engine, backend)
        # oslo.db may have tried a connection; it would stay in the pool, unprepared.
        self.engine.dispose()

    @classmethod
    def of(cls, conf: cfg.ConfigOpts, *, clock: Clock = now) -> Self:
        """Return the database of a configuration."""
        given = {opt.dest: conf.database[opt.dest] for opt in options.OPTIONS}
        return cls(given.pop("connection"), clock=clock, **given)

    def close(self) -> None:
        """Release every connection."""
        self.engine.dispose()

    def observe(self, observer: Observer) -> None:
        """Call somebody with every change made through this object, once it is durable."""
        self._observers.append(observer)

    def changed(self, change: Change) -> None:
        """Note a change of the transaction in progress, for the observers."""
        self._local.changes.append(change)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run queries; inside `write` they are part of its transaction."""
        current = getattr(self._local, "connection", None)
        if current is not None:
            return work(current)
        with self._turns(self._in_memory):
            return self._repeated(lambda: self._run(work, writes=False))

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run a transaction: all of it or nothing; inside another one, as a part of it.

        `work` may run several times, when it loses against others; observers are called once.

        Raises:
            StoreUnavailable: the database does not answer, or is too busy.
        """
        current = getattr(self._local, "connection", None)
        if current is not None:
            return work(current)
        with self._turns(self._is_sqlite):
            result, changes = self._repeated(lambda: self._written(work))
        for change in changes:
            self._tell(change)
        return result

    def _tell(self, change: Change) -> None:
        for observer in self._observers:
            try:
                observer(change)
            except Exception:
                # What is durable stays done, whatever those who hear of it make of it.
                LOG.exception("an observer failed with %s %s", change.kind, change.verb)

    def _written(self, work: Callable[[sa.Connection], T]) -> tuple[T, list[Change]]:
        def noting(connection: sa.Connection) -> T:
            self._local.connection, self._local.changes = connection, []
            try:
                return work(connection)
            finally:
                self._local.connection = None

        return self._run(noting, writes=True), self._local.changes

    def _run(self, work: Callable[[sa.Connection], T], *, writes: bool) -> T:
        with self.engine.connect() as connection:
            locks = writes and self._is_sqlite
            if locks:
                # oslo.db's listener leaves a transaction that has begun alone; ours begins next.
                connection.info["in_transaction"] = True
            with connection.begin():
                if locks:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                return work(connection)

    def _repeated(self, attempt: Callable[[], T]) -> T:
        for pause in (*PAUSES, None):
            try:
                return attempt()
            except _LOST as error:
                if pause is None:
                    raise StoreUnavailable(f"the database does not answer: {error}") from error
                time.sleep(pause * random.uniform(0.5, 1.5))
            except (db.CantStartEngineError, sa.exc.OperationalError) as error:
                raise StoreUnavailable(f"the database cannot be used: {error}") from error
            except (db.DBError, sa.exc.ProgrammingError) as error:
                if not _lacks_table(error):
                    raise
                raise StoreUnavailable(
                    "the database lacks tables; `tachyon db upgrade` makes them"
                ) from error
        raise AssertionError

    @contextmanager
    def _turns(self, needed: bool) -> Iterator[None]:
        if not needed:
            yield
            return
        if not self._turn.acquire(timeout=LOCK_WAIT):
            raise StoreUnavailable(f"no turn within {LOCK_WAIT} s")
        try:
            yield
        finally:
            self._turn.release()


def _lacks_table(error: Any) -> bool:
    """Tell whether a statement failed because its table is not there."""
    if isinstance(error, db.DBNonExistentTable):
        return True
    driver: Any = error
    while inner := getattr(driver, "inner_exception", None) or getattr(driver, "orig", None):
        driver = inner
    # What PostgreSQL and MySQL call it.
    return getattr(driver, "sqlstate", None) == "42P01" or driver.args[:1] == (1146,)


def _prepare(engine: sa.Engine, backend: str) -> None:
    """Tell new connections how we work."""
    if backend == "sqlite":

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT * 1000}")
            connection.execute("PRAGMA journal_mode = WAL")
            # KiB of pages: lists in another order than that of creation read the whole table.
            connection.execute("PRAGMA cache_size = -32768")

    elif backend == "mysql":

        @event.listens_for(engine, "connect")
        def read_committed(connection: Any, _record: Any) -> None:
            # What a lost compare-and-set reads next must be what it lost against.
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            connection.commit()
