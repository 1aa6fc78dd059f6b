"""The servers that the other integration tests stand on: they answer, crash and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import neo4j
import pytest
import sqlalchemy as sa

from tests.servers.mariadb import MariaDB
from tests.servers.neo4j import NEO4J_VERSION, Neo4j
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import Server

PASSWORD = "only-for-this-test"


@pytest.fixture(scope="module", params=[PostgreSQL, MariaDB])
def sql_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param() as server:
        yield server


@pytest.fixture(scope="module")
def neo4j_server() -> Iterator[Neo4j]:
    with Neo4j(password=PASSWORD) as server:
        yield server


def _execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run SQL statements in one transaction and return the rows of the last."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    rows: list[tuple[object, ...]] = []
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def _count_nodes(server: Neo4j, auth: tuple[str, str] | None) -> int:
    with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{server.port}", auth=auth) as driver:
        found = driver.execute_query("MATCH (n:Kept) RETURN count(n) AS n", database_="neo4j")
        count: int = found.records[0]["n"]
        return count


def test_a_sql_server_answers_on_loopback(sql_server: Server) -> None:
    assert _execute(sql_server.url, "SELECT 1") == [(1,)]
    assert sa.make_url(sql_server.url).host == "127.0.0.1"


def test_a_sql_server_keeps_what_was_committed_through_a_crash(sql_server: Server) -> None:
    _execute(sql_server.url, "CREATE TABLE kept (n INTEGER)", "INSERT INTO kept VALUES (7)")
    before = sql_server.pid
    sql_server.kill()
    with pytest.raises(sa.exc.OperationalError):
        _execute(sql_server.url, "SELECT 1")
    sql_server.start()
    assert sql_server.pid != before
    assert _execute(sql_server.url, "SELECT n FROM kept") == [(7,)]


def test_a_stopped_server_leaves_nothing_behind() -> None:
    with PostgreSQL() as server:
        directory = server.directory
        server.stop()
        server.stop()
    assert not directory.exists()


@pytest.mark.parametrize("url_fixture", ["postgresql_url", "mariadb_url"])
def test_a_fresh_database_is_empty_and_apart(
    url_fixture: str, request: pytest.FixtureRequest, fresh_database: Callable[[str], str]
) -> None:
    server_url = request.getfixturevalue(url_fixture)
    first, second = fresh_database(server_url), fresh_database(server_url)
    _execute(first, "CREATE TABLE ours (n INTEGER)")
    assert sa.inspect(sa.create_engine(first, poolclass=sa.NullPool)).get_table_names() == ["ours"]
    assert sa.inspect(sa.create_engine(second, poolclass=sa.NullPool)).get_table_names() == []


def test_a_fresh_neo4j_database_has_no_nodes_constraints_or_indexes(
    neo4j_url: str, fresh_database: Callable[[str], str]
) -> None:
    with neo4j.GraphDatabase.driver(neo4j_url) as driver:
        for statement in (
            "CREATE CONSTRAINT one FOR (n:A) REQUIRE n.id IS UNIQUE",
            "CREATE INDEX two FOR (n:A) ON (n.name)",
            "UNWIND range(1, 12000) AS i CREATE (:A {id: i})-[:TO]->(:B)",
        ):
            driver.execute_query(statement, database_="neo4j")
        fresh_database(neo4j_url)
        assert driver.execute_query("MATCH (n) RETURN n", database_="neo4j").records == []
        assert driver.execute_query("SHOW CONSTRAINTS", database_="neo4j").records == []
        left = driver.execute_query("SHOW INDEXES YIELD type", database_="neo4j").records
        assert {record["type"] for record in left} <= {"LOOKUP"}


def test_neo4j_is_the_community_edition_of_the_version_asked_for(neo4j_url: str) -> None:
    with neo4j.GraphDatabase.driver(neo4j_url) as driver:
        answer = driver.execute_query("CALL dbms.components()", database_="neo4j").records[0]
    assert (answer["versions"], answer["edition"]) == ([NEO4J_VERSION], "community")


@pytest.mark.parametrize("auth", [None, ("neo4j", "wrong"), ("nobody", PASSWORD)])
def test_neo4j_with_authentication_refuses_strangers(
    neo4j_server: Neo4j, auth: tuple[str, str] | None
) -> None:
    with pytest.raises(neo4j.exceptions.AuthError):
        _count_nodes(neo4j_server, auth)


def test_neo4j_keeps_what_was_committed_through_a_crash(neo4j_server: Neo4j) -> None:
    with neo4j.GraphDatabase.driver(
        f"bolt://127.0.0.1:{neo4j_server.port}", auth=neo4j_server.auth
    ) as driver:
        driver.execute_query("CREATE (:Kept)", database_="neo4j")
    neo4j_server.kill()
    neo4j_server.start()
    assert _count_nodes(neo4j_server, neo4j_server.auth) == 1
