"""On a real broker: processes that are killed, several of them, and a broker that is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kombu
import pytest

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors.process import CollectorService
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.durations import AT_ONCE
from tachyon.openstack.emulator.emulator import Emulator
from tests import waiting
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect, configuration, connected, small_cluster
from tests.collectors.processes import CollectorProcess
from tests.servers.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@contextmanager
def cloud_on(url: str) -> Iterator[tuple[Emulator, Connection]]:
    """A cloud that tells a broker what happens, at once."""
    with (
        Emulator(small_cluster(), durations=AT_ONCE, transport_url=url) as emulator,
        connected(emulator) as cloud,
    ):
        yield emulator, cloud


def options(emulator: Emulator, url: str, graph: str) -> dict[str, dict[str, Any]]:
    return {
        "keystone": {"cloud": emulator.name, "clouds_file": str(emulator.clouds_yaml)},
        "graph": {"url": graph},
        "notifications": {"transport_url": url, "batch_timeout": 0.05, "batch_size": 50},
        "collector": {"port": 0},
        "oslo_messaging_rabbit": {"rabbit_retry_interval": 1, "heartbeat_timeout_threshold": 3},
    }


def truth(cloud: Connection) -> dict[str, Any]:
    with connect_graph("sqlite://") as graph:
        collect(cloud, graph)
        return content(graph)


def until(check: Callable[[], object]) -> None:
    waiting.until(check, 120.0, pause=0.1)


def listeners(url: str) -> int:
    """Return how many consumers the collectors' queue has, one for each topic and priority.

    While there is no such queue, or no broker that answers, what is sent is lost.
    """
    with kombu.Connection(url.replace("rabbit://", "amqp://"), connect_timeout=5) as bus:
        try:
            found = bus.default_channel.queue_declare("tachyon-collector", passive=True)
        except (*bus.channel_errors, *bus.connection_errors):
            return 0
        return int(found.consumer_count)


def until_agreed(graph: GraphClient, cloud: Connection, seconds: float = 120.0) -> None:
    """Wait until the graph is what the cloud answers, and show where it is not."""
    wanted = truth(cloud)
    end = time.monotonic() + seconds
    while lines := differences(content(graph), wanted):
        assert time.monotonic() < end, "\n".join(lines)
        time.sleep(0.1)


def burst(emulator: Emulator, cloud: Connection, *, heard: bool = True) -> None:
    """Let much happen to some servers; wait until all is told, unless nobody hears it."""
    for server in sorted(emulator.cloud.compute.servers)[:10]:
        for action in ("pause", "unpause", "migrate", "confirmResize", "os-stop", "os-start"):
            try:
                cloud.nova.request(
                    "POST", f"/servers/{server}/action", body={action: None}, repeatable=False
                )
            except Exception as error:
                if getattr(error, "details", {}).get("http_status") not in (400, 409):
                    raise
    until(lambda: emulator.clock.idle)
    assert not heard or emulator.bus.flush(120.0)


def test_a_collector_that_is_killed_in_a_burst_catches_up_when_it_is_back(
    rabbitmq_url: str, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/graph.db"
    with (
        cloud_on(rabbitmq_url) as (emulator, cloud),
        CollectorProcess(tmp_path, options(emulator, rabbitmq_url, store)) as collector,
        connect_graph(store) as graph,
    ):
        until(lambda: collector.get("/healthcheck").count('"up"') == 3)
        for _ in range(2):
            before = graph.view().generation
            burst(emulator, cloud)
            until(lambda before=before: graph.view().generation > before)  # type: ignore[misc]
            collector.kill()
            burst(emulator, cloud)
            collector.start()
        until_agreed(graph, cloud)
        assert "tachyon_collector_events_total" in collector.get("/metrics")
        assert collector.stop() == 0


def test_of_two_collectors_one_takes_over_when_the_other_is_killed(
    rabbitmq_url: str, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/graph.db"
    (tmp_path / "other").mkdir()
    with (
        cloud_on(rabbitmq_url) as (emulator, cloud),
        CollectorProcess(tmp_path, options(emulator, rabbitmq_url, store)) as first,
        CollectorProcess(tmp_path / "other", options(emulator, rabbitmq_url, store)) as second,
        connect_graph(store) as graph,
    ):
        for collector in (first, second):
            until(lambda c=collector: c.get("/healthcheck").count('"up"') == 3)  # type: ignore[misc]
        burst(emulator, cloud)
        first.kill()
        burst(emulator, cloud)
        until_agreed(graph, cloud)


def test_what_was_missed_while_the_broker_was_away_is_found_by_the_next_synchronisation() -> None:
    with RabbitMQ() as broker, cloud_on(broker.url) as (emulator, cloud):
        given = options(emulator, broker.url, "sqlite://")
        rabbit = given.pop("oslo_messaging_rabbit")
        conf = configuration(**given)

        def known() -> bool:
            group = "oslo_messaging_rabbit"
            return group in conf and all(name in conf[group] for name in rabbit)

        with CollectorService(conf) as collector:
            until(known)
            for name, value in rabbit.items():
                conf.set_override(name, value, group="oslo_messaging_rabbit")
            until_agreed(collector.graph, cloud)
            until(lambda: listeners(broker.url))
            burst(emulator, cloud)
            until_agreed(collector.graph, cloud)
            before = listeners(broker.url)
            broker.kill()
            burst(emulator, cloud, heard=False)
            assert differences(content(collector.graph), truth(cloud))
            assert collector.schedule is not None
            collector.schedule.hurry()
            until_agreed(collector.graph, cloud)
            broker.start()
            # What is sent now arrives again, without a restart.
            until(lambda: listeners(broker.url) == before)
            burst(emulator, cloud)
            until_agreed(collector.graph, cloud)
