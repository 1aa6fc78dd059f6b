"""Fixtures that hand out real servers and empty databases; loaded by ``tests/conftest.py``.

A server starts when the first test asks for it and runs until the end of the session. With
pytest-xdist every worker has servers of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.servers.databases import create_database, drop_database, empty_neo4j
from tests.servers.mariadb import MariaDB
from tests.servers.neo4j import Neo4j
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """SQLAlchemy URL of a database of ours alone on a PostgreSQL server."""
    with PostgreSQL() as server:
        yield server.url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """SQLAlchemy URL of a database of ours alone on a MariaDB server."""
    with MariaDB() as server:
        yield server.url


@pytest.fixture(scope="session")
def neo4j_url() -> Iterator[str]:
    """Bolt URL of a Neo4j server without authentication."""
    with Neo4j() as server:
        yield server.url


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """URL of a message broker for oslo.messaging."""
    with RabbitMQ() as server:
        yield server.url


@pytest.fixture
def fresh_database() -> Iterator[Callable[[str], str]]:
    """Turn a server's URL into that of an empty database, which goes away after the test."""
    made: list[str] = []

    def make(url: str) -> str:
        if url.startswith(("bolt:", "neo4j:")):
            empty_neo4j(url)
            return url
        made.append(create_database(url))
        return made[-1]

    yield make
    for url in made:
        drop_database(url)
