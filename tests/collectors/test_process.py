"""The collector at work: filled without being waited for, its health and metrics, a clean stop."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tachyon.errors import ConfigurationError
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors.process import CollectorService
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.emulator.faults import RequestFault
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect, configuration
from tests.collectors.processes import CollectorProcess
from tests.waiting import until


@contextmanager
def collecting(emulator: Emulator, **collector: Any) -> Iterator[CollectorService]:
    conf = configuration(
        keystone={"cloud": emulator.name, "clouds_file": str(emulator.clouds_yaml)},
        graph={"url": "sqlite://"},
        collector={"port": 0, **collector},
    )
    with CollectorService(conf) as service:
        yield service


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def health(service: CollectorService) -> tuple[int, Any]:
    status, body = get(f"{service.url}/healthcheck")
    return status, msgspec.json.decode(body)


def is_filled(service: CollectorService) -> bool:
    _, told = health(service)
    return all(model["state"] == "up" for model in told["models"].values())


def test_start_up_does_not_wait_for_the_first_fill(emulator: Emulator) -> None:
    with ExitStack() as stack:
        # Who holds the lock keeps the cloud from answering anybody.
        with emulator.cloud.lock:
            service = stack.enter_context(collecting(emulator))
            status, told = health(service)
        assert (status, told["healthy"]) == (200, True)
        assert told["models"]["compute"]["state"] == "filling"
        until(lambda: is_filled(service))
        assert len(service.graph.consumers()) == 38


def test_a_failed_synchronisation_shows_in_health_and_metrics_and_is_tried_again(
    emulator: Emulator,
) -> None:
    with collecting(emulator, retry_interval=0.1) as service:
        until(lambda: is_filled(service))
        before = content(service.graph)
        emulator.arm(RequestFault(service="nova", status=500, times=None))
        assert service.schedule is not None
        service.schedule.hurry()
        until(lambda: health(service)[0] == 503)
        told = health(service)[1]
        assert told["models"]["compute"]["state"] == "down"
        assert "500" in told["models"]["compute"]["error"]
        assert told["models"]["storage"]["state"] == "up"
        assert 'tachyon_collector_up{model="compute"} 0.0' in get(f"{service.url}/metrics")[1]
        assert differences(content(service.graph), before) == []
        emulator.faults.clear()
        until(lambda: health(service)[0] == 200)


def test_metrics_tell_what_was_done(emulator: Emulator) -> None:
    done = 'tachyon_collector_synchronisations_total{model="MODEL",outcome="done"} 1.0'
    counted = [done.replace("MODEL", model) for model in ("compute", "storage", "baremetal")]
    with collecting(emulator) as service:
        # Counted after the graph is changed, which is what /healthcheck tells of.
        until(lambda: all(line in get(f"{service.url}/metrics")[1] for line in counted))
        status, text = get(f"{service.url}/metrics")
    assert status == 200
    for line in (
        'tachyon_collector_synchronisation_seconds_count{model="storage"} 1.0',
        'tachyon_collector_up{model="baremetal"} 1.0',
        'tachyon_collector_missing{model="compute"} 0.0',
    ):
        assert line in text
    assert "tachyon_graph_generation " in text
    assert 'tachyon_collector_age_seconds{model="compute"} ' in text
    assert 'tachyon_collector_requests_total{method="GET",service="nova",status="200"} ' in text


def test_a_model_whose_service_is_away_does_not_hold_up_the_others(emulator: Emulator) -> None:
    emulator.arm(RequestFault(service="cinder", status=503, times=None))
    with collecting(emulator) as service:
        until(lambda: health(service)[1]["models"].get("compute", {}).get("state") == "up")
        until(lambda: health(service)[1]["models"].get("storage", {}).get("state") == "down")


@pytest.mark.integration
def test_a_synchronisation_of_another_collector_counts(
    emulator: Emulator, cloud: Connection
) -> None:
    """Its own would be due after 10 s, and is not while others' are less than 9 s old."""
    with collecting(emulator, period=10.0) as service:
        counted = 'tachyon_collector_synchronisations_total{model="compute",outcome="done"} '

        def own() -> str:
            _, _, found = get(f"{service.url}/metrics")[1].partition(counted)
            return found.partition("\n")[0]

        until(own)
        first = own()
        end = time.monotonic() + 12.0
        while time.monotonic() < end:
            collect(cloud, service.graph)
            time.sleep(0.1)
        assert own() == first == "1.0"


def test_without_notifications_a_poll_finds_what_changed(emulator: Emulator) -> None:
    with collecting(emulator, poll_interval=0.1) as service:
        until(lambda: is_filled(service))
        host = next(iter(emulator.cloud.compute.hosts.values()))
        with emulator.cloud.lock:
            host.alive = False
        until(lambda: service.graph.provider(host.uuid).state == "down")
        done = 'tachyon_collector_polls_total{outcome="done"}'  # counted after the graph is changed
        until(lambda: done in get(f"{service.url}/metrics")[1])
        emulator.arm(RequestFault(service="nova", path=".*/os-services", status=503, times=None))
        failed = 'tachyon_collector_polls_total{outcome="failed"}'
        until(lambda: failed in get(f"{service.url}/metrics")[1])
        emulator.faults.clear()
        with emulator.cloud.lock:
            host.alive = True
        until(lambda: service.graph.provider(host.uuid).state == "up")


def test_two_collectors_do_not_share_a_port(emulator: Emulator) -> None:
    with collecting(emulator) as service:
        port = int(service.url.rsplit(":", 1)[1])
        with (
            pytest.raises(ConfigurationError, match="cannot listen"),
            collecting(emulator, port=port),
        ):
            pass


@pytest.mark.integration
def test_the_command_fills_a_graph_and_stops_cleanly(
    emulator: Emulator, cloud: Connection, tmp_path: Path
) -> None:
    options = {
        "keystone": {"cloud": emulator.name, "clouds_file": emulator.clouds_yaml},
        "graph": {"url": f"sqlite:///{tmp_path}/graph.db"},
    }
    with CollectorProcess(tmp_path, options) as collector:
        until(lambda: '"filling"' not in collector.get("/healthcheck"), 60)
        assert '"healthy":true' in collector.get("/healthcheck")
        assert collector.stop() == 0
    with connect_graph(f"sqlite:///{tmp_path}/graph.db") as graph:
        filled = content(graph)
    with connect_graph("sqlite://") as graph:
        collect(cloud, graph)
        assert differences(filled, content(graph)) == []
