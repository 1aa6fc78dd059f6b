"""What Neo4j has confirmed survives the death of writers and of the server, whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.durability import writer
from tests.durability.test_kills import Follower, kill, run_writer
from tests.servers.neo4j import Neo4j

ROUNDS = 12
#: A server takes its time to come back.
ROUNDS_WITH_A_SERVER = 10


@pytest.fixture(scope="module")
def server() -> Iterator[Neo4j]:
    with Neo4j() as running:
        yield running


@pytest.fixture(scope="module")
def url(server: Neo4j) -> str:
    """A store's URL with a short patience: what matters here is what was confirmed before."""
    address = f"{server.url}?retry_time=1"
    writer.prepare(address)
    return address


@pytest.fixture(scope="module")
def follower(url: str) -> Follower:
    return Follower(url)


def test_a_killed_writer_loses_nothing_confirmed_and_leaves_nothing_half_done(
    url: str, follower: Follower
) -> None:
    for _ in range(ROUNDS):
        follower.check(run_writer(url, kill))


def test_a_killed_neo4j_keeps_what_it_confirmed(
    server: Neo4j, url: str, follower: Follower
) -> None:
    for _ in range(ROUNDS_WITH_A_SERVER):
        confirmed = run_writer(url, lambda _pid: server.kill())
        server.start()
        follower.check(confirmed)
