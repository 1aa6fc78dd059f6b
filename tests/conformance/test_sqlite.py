"""What is particular to SQLite files: settings, other processes' locks, and URLs."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tachyon.errors import ConfigurationError, StoreUnavailable
from tachyon.graph.entities import HostAggregate
from tachyon.graph.mutations import PutHostAggregate
from tachyon.graph.store import open_store
from tachyon.graph.store.sql import database
from tachyon.graph.store.sql.database import Database, Transaction
from tests.waiting import PATIENCE

from .cluster import host, put


def test_a_file_is_durable_and_shared(tmp_path: Path) -> None:
    """Every commit is synchronised to disk, and readers do not wait for writers."""
    opened = Database(f"sqlite:///{tmp_path / 'graph.db'}")
    found = {
        name: opened.read(lambda t, n=name: t.row(f"PRAGMA {n}"))
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    opened.close()
    assert found == {"journal_mode": ("wal",), "synchronous": (2,), "foreign_keys": (1,)}


def test_another_process_that_holds_the_file_makes_it_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is not released in time is an error; readers go on."""
    monkeypatch.setitem(database.SETTINGS, "sqlite", ("PRAGMA busy_timeout = 50",))
    path = tmp_path / "graph.db"
    store = open_store(f"sqlite:///{path}")
    put(store, host("p1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        put(store, host("p2"))
    assert store.generation() == 1
    other.execute("ROLLBACK")
    other.close()
    assert put(store, host("p2")) == 2
    store.close()


def test_a_store_without_a_schema_says_so(tmp_path: Path) -> None:
    """Reading what was never created is no crash."""
    store = open_store(f"sqlite:///{tmp_path / 'graph.db'}", create=False)
    with pytest.raises(StoreUnavailable):
        store.generation()
    store.close()


def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    """A missing directory is told as the driver tells it."""
    with pytest.raises(StoreUnavailable):
        open_store(f"sqlite:///{tmp_path / 'none' / 'graph.db'}")


def test_a_file_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """Software that does not know the tables keeps its hands off them."""
    path = tmp_path / "graph.db"
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE global_state SET schema_version = 99")
    connection.close()
    with pytest.raises(ConfigurationError):
        open_store(f"sqlite:///{path}")


def test_a_file_of_an_older_schema_is_upgraded_with_all_that_it_holds(tmp_path: Path) -> None:
    """A graph outlives the software that wrote it."""
    path = tmp_path / "graph.db"
    store = open_store(f"sqlite:///{path}")
    store.apply([PutHostAggregate(host_aggregate=HostAggregate(name="rack-1", uuid="a"))])
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE host_aggregates DROP COLUMN id")
        connection.execute("UPDATE global_state SET schema_version = 1")
    connection.close()
    for opened in range(2):
        store = open_store(f"sqlite:///{path}")
        assert store.load().host_aggregates == [
            HostAggregate(name="rack-1", uuid="a", id=7 if opened else None)
        ]
        store.apply([PutHostAggregate(host_aggregate=HostAggregate(name="rack-1", uuid="a", id=7))])
        store.close()


@pytest.mark.parametrize("url", ["oracle://h/db", "nonsense", "postgresql+asyncpg://h/db"])
def test_urls_of_no_known_store_are_refused(url: str) -> None:
    """Only the drivers that the store is written for are taken."""
    with pytest.raises(ConfigurationError):
        open_store(url)


def test_a_database_in_memory_is_not_closed_in_the_middle_of_a_transaction() -> None:
    opened = Database("sqlite://")
    begun, go_on, closed = (threading.Event() for _ in range(3))

    def read(transaction: Transaction) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        assert transaction.row("SELECT 1") == (1,)

    def close() -> None:
        opened.close()
        closed.set()

    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(opened.read, read)
        assert begun.wait(PATIENCE)
        closing = pool.submit(close)
        assert not closed.wait(0.2)
        go_on.set()
        reading.result(PATIENCE)
        closing.result(PATIENCE)
