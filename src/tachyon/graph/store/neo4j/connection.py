"""The store's way to the server: driver settings, managed transactions, translated errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from neo4j import Driver, GraphDatabase, ManagedTransaction, NotificationMinimumSeverity, Record
from neo4j.exceptions import (
    AuthError,
    DatabaseError,
    DriverError,
    Neo4jError,
)
from neo4j.exceptions import (
    ConfigurationError as DriverConfigurationError,
)

from tachyon.errors import ConfigurationError, StoreUnavailable
from tachyon.graph.store.neo4j.statements import STATEMENTS

T = TypeVar("T")
P = ParamSpec("P")

#: Rows per UNWIND: enough to make the round trip cheap, few enough to keep its plan's memory low.
BATCH = 5_000
#: Seconds; the driver's own first retry comes after a whole one, far longer than a lock is held.
_INITIAL_RETRY_DELAY = 0.05
#: Seconds to wait for a TCP connection; a server that is up answers at once.
_CONNECTION_TIMEOUT = 5.0
#: Seconds for which a transaction is retried when the server is away; `retry_time` in the URL.
_RETRY_TIME = 15.0
#: Records per pull. Large answers come as columns, few records; the rest may come in one go.
_FETCH_SIZE = 10_000


class Transaction:
    """A managed transaction that knows the store's statements by name."""

    def __init__(self, transaction: ManagedTransaction) -> None:
        self._transaction = transaction

    def rows(self, name: str, **parameters: Any) -> list[Record]:
        """Run a statement and return its records."""
        return list(self._transaction.run(STATEMENTS[name], parameters))

    def one(self, name: str, **parameters: Any) -> Record:
        """Run a statement that answers with exactly one record."""
        (record,) = self.rows(name, **parameters)
        return record

    def run(self, name: str, **parameters: Any) -> None:
        """Run a statement that answers nothing."""
        self._transaction.run(STATEMENTS[name], parameters).consume()

    def batches(self, name: str, rows: Sequence[Any], **parameters: Any) -> None:
        """Run a statement over `$rows`, `BATCH` at a time; not at all over none."""
        for start in range(0, len(rows), BATCH):
            self.run(name, rows=rows[start : start + BATCH], **parameters)


class Connection:
    """One driver on one named database; safe to use from several threads.

    All transactions run in write mode: in a cluster that is the leader, where the generation
    that others compare against is never behind.
    """

    def __init__(self, driver: Driver, database: str) -> None:
        self._driver = driver
        self._database = database

    def transact(
        self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """Run `work` with its arguments in a transaction and commit; repeated when that can help.

        Raises:
            StoreUnavailable: the server is away, or too busy for all retries.
        """
        with _translated(), self._driver.session(database=self._database) as session:
            return session.execute_write(lambda tx: work(Transaction(tx), *args, **options))

    def close(self) -> None:
        """Close every connection of the driver."""
        self._driver.close()


def connect(url: str) -> Connection:
    """Make a connection for `bolt://user:password@host:7687/database?retry_time=15`.

    The database may also be given as an option, `database=…`; without, it is `neo4j`.
    `retry_time` is in seconds. Connects lazily.

    Raises:
        ConfigurationError: the URL cannot be read, or names an option that does not exist.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    database = parts.path.strip("/") or options.pop("database", "neo4j")
    try:
        retry_time = float(options.pop("retry_time", _RETRY_TIME))
        if options:
            raise ValueError(f"unknown options {', '.join(sorted(options))}")
        driver = GraphDatabase.driver(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            auth=(unquote(parts.username), unquote(parts.password or ""))
            if parts.username
            else None,
            initial_retry_delay=_INITIAL_RETRY_DELAY,
            connection_timeout=_CONNECTION_TIMEOUT,
            max_transaction_retry_time=retry_time,
            fetch_size=_FETCH_SIZE,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            user_agent="tachyon",
        )
    except (ValueError, DriverConfigurationError) as error:
        raise ConfigurationError(f"the URL of the Neo4j store is wrong: {error}") from error
    return Connection(driver, database)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except AuthError as error:
        raise ConfigurationError(f"Neo4j refuses the credentials: {error.message}") from error
    except (DriverError, DatabaseError) as error:
        raise StoreUnavailable(f"Neo4j cannot be reached: {error}") from error
    except Neo4jError as error:
        if not error.is_retryable():
            raise
        raise StoreUnavailable(f"Neo4j is too busy: {error.message}") from error
