"""One suite, many stores: every test of this folder runs on each of `BACKENDS`.

A store joins by adding its name here and, when it needs a server, a fixture `<name>_url` that
gives the URL of a database of ours alone. The database is emptied before each test, not made
anew: that takes milliseconds instead of seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tachyon.graph.store import Store, open_store
from tachyon.graph.store.opening import NEO4J_SCHEMES

BACKENDS = [
    "sqlite-file",
    "sqlite-memory",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("mariadb", marks=pytest.mark.integration),
    pytest.param("neo4j", marks=pytest.mark.integration),
]

OpenStore = Callable[[str], Store]


@pytest.fixture(params=BACKENDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path / 'graph.db'}"
    if request.param == "sqlite-memory":
        return "sqlite://"
    url: str = request.getfixturevalue(f"{request.param}_url")
    empty(url)
    return url


@pytest.fixture
def open_store_at() -> Iterator[OpenStore]:
    """Open stores by URL; they are closed after the test."""
    opened: list[Store] = []

    def open_at(url: str) -> Store:
        opened.append(open_store(url))
        return opened[-1]

    yield open_at
    for store in opened:
        store.close()


@pytest.fixture
def store(store_url: str, open_store_at: OpenStore) -> Store:
    """An empty store."""
    return open_store_at(store_url)


@pytest.fixture
def shared_url(store_url: str) -> str:
    """The URL of an empty database that several stores can open."""
    if store_url == "sqlite://":
        pytest.skip("a database in memory belongs to the store that opened it")
    return store_url


def empty(url: str) -> None:
    """Remove everything from the database behind `url`."""
    if url.split(":", 1)[0] in NEO4J_SCHEMES:
        _empty_neo4j(url)
    else:
        _empty_sql(url)


def _empty_sql(url: str) -> None:
    drivers = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql"}
    parsed = sa.make_url(url)
    scheme = drivers.get(parsed.drivername, parsed.drivername)
    if scheme == "postgresql":
        scheme = "postgresql+psycopg"
    engine = sa.create_engine(parsed.set(drivername=scheme))
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in reversed(tables.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


def _empty_neo4j(url: str) -> None:
    import neo4j

    parsed = sa.make_url(url)
    auth = (parsed.username, parsed.password or "") if parsed.username else None
    bare = parsed.set(username=None, password=None, database=None, query={})
    with neo4j.GraphDatabase.driver(
        bare.render_as_string(hide_password=False), auth=auth
    ) as driver:
        driver.execute_query("MATCH (n) DETACH DELETE n", database_=parsed.database or "neo4j")
