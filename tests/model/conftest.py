"""A generated cluster, and clients of a graph that holds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.graph.client import GraphClient, connect
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster
from tachyon.graph.view import View, build, snapshot_of
from tests.service.processes import ServiceProcess


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Hosts with and without NUMA nodes would be two clusters; this one has none."""
    return generate(hosts=12, instances=120, pools=4, volumes=40, seed=7).cluster


@pytest.fixture(scope="session")
def view(cluster: Cluster) -> View:
    return build(snapshot_of(cluster))


@pytest.fixture(scope="session")
def service() -> Iterator[ServiceProcess]:
    """A service in a process of its own, with a graph in memory."""
    with ServiceProcess(store_url="sqlite://") as process:
        yield process


@pytest.fixture(params=["in-process", "http"])
def client(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[GraphClient]:
    """A client of a graph that holds the cluster, by either transport."""
    url = "sqlite://"
    if request.param == "http":
        url = request.getfixturevalue("service").url
    with connect(url) as made:
        made.synchronise(cluster)
        yield made


@pytest.fixture
def http(service: ServiceProcess) -> Iterator[GraphClient]:
    """A client over HTTP of an empty graph."""
    with connect(service.url) as made:
        made.synchronise(Cluster())
        yield made
