"""One store for all services and clients of a session, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.graph.client import GraphClient, connect
from tachyon.graph.mutations import Cluster
from tests.servers.databases import create_database, drop_database, empty_neo4j
from tests.service.processes import ServiceProcess

BACKENDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("mariadb", marks=pytest.mark.integration),
    pytest.param("neo4j", marks=pytest.mark.integration),
]


@pytest.fixture(scope="session", params=BACKENDS)
def store_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a database that belongs to the tests of this folder."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('service') / 'graph.db'}"
        return
    server: str = request.getfixturevalue(f"{request.param}_url")
    if request.param == "neo4j":
        empty_neo4j(server)
        yield server
        return
    url = create_database(server)
    yield url
    drop_database(url)


@pytest.fixture(scope="session")
def service(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service in a process of its own, which leaves sweeping to the tests."""
    config = tmp_path_factory.mktemp("service") / "tachyon.conf"
    config.write_text("[service]\nsweep_interval = 3600\n")
    with ServiceProcess(store_url=store_url, config_file=str(config)) as process:
        yield process


@pytest.fixture
def http(service: ServiceProcess) -> Iterator[GraphClient]:
    """A client over HTTP; the graph is empty."""
    with connect(service.url) as made:
        empty(made)
        yield made


@pytest.fixture(params=["in-process", "http"])
def client(request: pytest.FixtureRequest, store_url: str) -> Iterator[GraphClient]:
    """A client by either transport; the graph is empty."""
    if request.param == "http":
        yield request.getfixturevalue("http")
        return
    with connect(store_url) as made:
        empty(made)
        yield made


def empty(client: GraphClient) -> None:
    """Remove everything that a client can see."""
    client.synchronise(Cluster())
    for session in client.sessions.list():
        client.sessions.delete(session.id)
