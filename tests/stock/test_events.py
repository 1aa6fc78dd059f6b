"""Events wait until the graph and the cloud can take them, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.errors import StoreUnavailable
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.generator import generate
from tachyon.openstack.collectors import plugins
from tachyon.openstack.collectors.compute import ComputeCollector
from tachyon.openstack.collectors.synchronisation import synchronise
from tachyon.openstack.connection import Connection
from tachyon.openstack.connection import connect as connect_cloud
from tachyon.openstack.emulator import AT_ONCE, Emulator
from tachyon.openstack.mapping.answers import moment
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.events import Event, plain
from tachyon.optimize.stock.events import Events


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    with Emulator(generate(hosts=3, instances=6, seed=2).cluster, durations=AT_ONCE) as emulator:
        yield emulator


@pytest.fixture
def connection(cloud: Emulator) -> Iterator[Connection]:
    with connect_cloud(cloud=cloud.name, clouds_file=cloud.clouds_yaml) as found:
        yield found


@pytest.fixture
def graph(connection: Connection) -> Iterator[GraphClient]:
    with connect("sqlite://") as client:
        synchronise(ComputeCollector(), connection, client)
        yield client


def removal(uuid: str, project: str) -> Event:
    """The event of an instance that is gone, which needs nothing but the event."""
    payload = {"uuid": uuid, "state": "deleted", "host": None, "tenant_id": project}
    return Event(
        type="instance.delete.end",
        publisher="nova-compute:compute-1",
        at=moment("2100-01-01T00:00:00Z"),
        payload=plain(payload),
    )


def test_events_reach_the_graph_though_it_is_away_at_first(
    connection: Connection, graph: GraphClient
) -> None:
    attempts = 0

    def applier() -> Applier:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise StoreUnavailable("the store is away")
        return Applier(graph, connection, plugins.handlers(["compute"]))

    events = Events(applier, soonest=0.001)
    consumers = graph.consumers(type="instance")
    for consumer in consumers[:4]:
        events.put(removal(consumer.uuid, consumer.project_id or ""))
    events.join()
    assert attempts == 3
    assert {c.uuid for c in graph.consumers(type="instance")} == {c.uuid for c in consumers[4:]}
