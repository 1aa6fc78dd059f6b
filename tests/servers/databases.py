"""Empty databases on a running server, one for each test or suite that asks.

SQL servers hold many databases, so a new one is made and dropped again. Neo4j Community has a
single one, which is emptied instead; its tests must not run side by side.
"""

from __future__ import annotations

import itertools
import os

import neo4j
import sqlalchemy as sa

_numbers = itertools.count(1)


def create_database(url: str) -> str:
    """Create an empty database on the server behind a URL and return the new database's URL."""
    name = f"tachyon_{os.getpid()}_{next(_numbers)}"
    _administer(url, f"CREATE DATABASE {name}")
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    """Drop a database that :func:`create_database` made, whoever is still connected to it."""
    parsed = sa.make_url(url)
    force = " WITH (FORCE)" if parsed.get_backend_name() == "postgresql" else ""
    _administer(url, f"DROP DATABASE IF EXISTS {parsed.database}{force}")


def empty_neo4j(url: str, database: str = "neo4j") -> None:
    """Remove all nodes, relationships, constraints and indexes from a Neo4j database."""
    parsed = sa.make_url(url)
    auth = (parsed.username, parsed.password or "") if parsed.username else None
    with (
        neo4j.GraphDatabase.driver(f"bolt://{parsed.host}:{parsed.port}", auth=auth) as driver,
        driver.session(database=database) as session,
    ):
        for record in session.run("SHOW CONSTRAINTS YIELD name").fetch(10_000):
            session.run(f"DROP CONSTRAINT `{record['name']}` IF EXISTS").consume()
        # Look-up indexes are part of every new database and make it fast; they stay.
        indexes = "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"
        for record in session.run(indexes).fetch(10_000):
            session.run(f"DROP INDEX `{record['name']}` IF EXISTS").consume()
        # In batches: one transaction over a large graph would not fit into the server's memory.
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS").consume()


def _administer(url: str, statement: str) -> None:
    """Run a statement from the server's own database: no server drops the one in use."""
    parsed = sa.make_url(url)
    home = {"postgresql": "postgres", "mariadb": "mysql", "mysql": "mysql"}
    engine = sa.create_engine(
        parsed.set(database=home[parsed.get_backend_name()]),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
