"""What only a real PostgreSQL or MariaDB can show of the SQL store; the rest is conformance."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tachyon.errors import StoreUnavailable
from tachyon.graph.mutations import PatchConsumer
from tachyon.graph.store import Store, open_store
from tachyon.graph.store.sql import database
from tests.conformance.cluster import consumer_in, host, instance, put
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import Server


@pytest.fixture(scope="module", params=[PostgreSQL, MariaDB])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param() as running:
        yield running


@pytest.fixture
def url(server: Server, fresh_database: Callable[[str], str]) -> str:
    return fresh_database(server.url)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def intruder(url: str, store: Store) -> Iterator[sa.Connection]:
    """A client that takes locks in the store's tables as no store would."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


LOCK_STATE = "UPDATE global_state SET schema_version = schema_version"
LOCK_CONSUMERS = "UPDATE consumers SET state = 'taken'"


def test_a_restarted_server_is_not_noticed(server: Server, store: Store) -> None:
    """Connections that went stale between two calls are replaced without an error."""
    put(store, host("p1"))
    server.kill()
    server.start()
    assert store.generation() == 1
    server.kill()
    server.start()
    assert put(store, host("p2")) == 2


def test_a_server_that_is_down_is_unavailable_until_it_is_back(
    server: Server, store: Store
) -> None:
    """The error says that repeating can help; the same store works again afterwards."""
    put(store, host("p1"))
    server.kill()
    try:
        for attempt in (store.generation, store.load, lambda: put(store, host("p2"))):
            with pytest.raises(StoreUnavailable):
                attempt()
    finally:
        server.start()
    assert put(store, host("p2")) == 2


def test_a_lost_race_is_repeated(store: Store, intruder: sa.Connection) -> None:
    """The victim of a deadlock tries again; its caller does not hear of it."""
    put(store, *[instance(f"c{n}") for n in range(50)])
    intruder.exec_driver_sql(LOCK_CONSUMERS)
    results: list[object] = []

    def write() -> None:
        try:
            results.append(store.apply([PatchConsumer(uuid="c1", locked=True)]).generation)
        except StoreUnavailable as error:
            results.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.3)  # until it holds the state and waits for the consumer; there is no telling
    try:
        intruder.exec_driver_sql(LOCK_STATE)
    except sa.exc.DBAPIError:
        pass  # either of the two may be the victim
    intruder.rollback()
    writer.join(timeout=30)
    assert results == [2]
    assert consumer_in(store, "c1").locked is True


def test_a_writer_does_not_wait_for_ever(
    url: str, store: Store, intruder: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is not released in time makes the store unavailable, not the caller hang."""
    monkeypatch.setitem(database.SETTINGS, "postgresql", ("SET lock_timeout = '1s'",))
    monkeypatch.setitem(database.SETTINGS, "mysql", ("SET SESSION innodb_lock_wait_timeout = 1",))
    put(store, host("p1"))
    hasty = open_store(url, create=False)
    intruder.exec_driver_sql(LOCK_STATE)
    with pytest.raises(StoreUnavailable):
        put(hasty, host("p2"))
    assert hasty.generation() == 1
    intruder.rollback()
    assert put(hasty, host("p2")) == 2
    hasty.close()


def test_many_stores_create_the_schema_at_once(url: str) -> None:
    """Services that start together on an empty database do not stand in each other's way."""
    stores: list[Store] = []
    threads = [threading.Thread(target=lambda: stores.append(open_store(url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.generation() for store in stores] == [0] * len(threads)
    for store in stores:
        store.close()


@pytest.mark.usefixtures("store")
def test_keys_of_mariadb_are_compared_byte_by_byte(url: str) -> None:
    """Every text column has the binary collation that does not pad, in a transactional engine."""
    if not url.startswith("mariadb"):
        pytest.skip("PostgreSQL compares texts byte by byte in every collation")
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        collations = connection.exec_driver_sql(
            "SELECT DISTINCT collation_name FROM information_schema.columns "
            "WHERE table_schema = database() AND collation_name IS NOT NULL"
        ).fetchall()
        engines = connection.exec_driver_sql(
            "SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = database()"
        ).fetchall()
    engine.dispose()
    assert [tuple(row) for row in collations] == [("utf8mb4_nopad_bin",)]
    assert [tuple(row) for row in engines] == [("InnoDB",)]
