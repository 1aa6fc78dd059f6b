"""What dies beside a real cloud: the collector, the broker, a compute host."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tachyon.errors import CloudError
from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.process import CollectorService
from tachyon.openstack.connection import Connection
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import configuration
from tests.collectors.processes import CollectorProcess
from tests.interop_openstack.truth import WITHIN, disagreements, truth, until, wait_for_first_fill
from tests.servers import testbed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

HOST = "compute-3"
TRAIT = "CUSTOM_BROKER_WAS_AWAY"


#: After which a task of Nova's has been lost with the broker.
LOST = timedelta(seconds=20)


def act(cloud: Connection, server: str, action: str) -> bool:
    """Ask for something; tell whether Nova allowed it."""
    try:
        cloud.nova.post(f"/servers/{server}/action", {action: None})
    except CloudError as error:
        if error.details.get("http_status") == 409:
            return False
        raise
    return True


def at_rest(cloud: Connection) -> bool:
    return all(s["OS-EXT-STS:task_state"] is None for s in queries.servers(cloud))


def burst(cloud: Connection) -> None:
    """Let something happen to every server at once, several times."""
    servers = [s["id"] for s in queries.servers(cloud)]
    for action in ("pause", "unpause", "os-stop", "os-start", "migrate", "confirmResize"):
        assert sum(act(cloud, server, action) for server in servers) > 0
        until(lambda: at_rest(cloud), f"{action} ends")


def test_a_collector_that_is_killed_in_a_burst_catches_up_when_it_is_back(
    options: dict[str, dict[str, Any]], real: Connection, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/graph.db"
    with (
        CollectorProcess(tmp_path, options | {"graph": {"url": store}}) as collector,
        connect_graph(store) as graph,
    ):
        wait_for_first_fill(graph)
        assert disagreements(graph, real) == []
        before = graph.view().generation
        happening = threading.Thread(target=burst, args=[real])
        happening.start()
        until(lambda: graph.view().generation > before + 5, "events arrive")
        collector.kill()
        killed = graph.view().generation
        happening.join()
        assert graph.view().generation == killed
        assert disagreements(graph, real)
        collector.start()
        until(lambda: differences(content(graph), truth(real)) == [], "it has caught up", 60.0)
        assert disagreements(graph, real) == []
        assert collector.stop() == 0


def test_what_happened_while_the_broker_was_away_is_found_by_the_next_synchronisation(
    options: dict[str, dict[str, Any]], real: Connection, tmp_path: Path
) -> None:
    # Cinder's pools cannot be read without a broker: until it is back the storage model fails.
    options = options | {"collector": {**options["collector"], "retry_interval": 2.0}}
    with (
        connect_graph(f"sqlite:///{tmp_path}/graph.db") as graph,
        CollectorService(configuration(**options), graph=graph) as collector,
    ):
        wait_for_first_fill(graph)
        assert disagreements(graph, real) == []
        testbed.service("stop", "rabbitmq")
        try:
            # Services that tell of what they do wait for the broker; Placement needs none.
            tag_provider(real)
            time.sleep(WITHIN)
            assert TRAIT not in traits(graph)
            assert collector.schedule is not None
            collector.schedule.hurry()
            until(lambda: TRAIT in traits(graph), "the synchronisation finds it")
        finally:
            testbed.service("start", "rabbitmq")
        # What happens from now on arrives again, without a restart.
        server = queries.servers(real)[0]["id"]
        until(lambda: stopped(real, server), "Nova works again", 300.0)
        until(lambda: graph.consumer(server).status == "SHUTOFF", "events arrive again")
        until(lambda: act(real, server, "os-start"), "the server may be started")
        until(lambda: at_rest(real), "the server is started")
        until(lambda: all_up(graph), "the storage model is read again")
        # Who missed the broker for too long is down until it reports again.
        until(lambda: all_report(real), "all services report again", 300.0)
        assert disagreements(graph, real) == []


def traits(graph: GraphClient) -> tuple[str, ...]:
    return next(p.traits for p in graph.providers(name=HOST) if p.type == "compute")


def all_up(graph: GraphClient) -> bool:
    return all(account.state == "up" for account in graph.providers(type="collector"))


def all_report(cloud: Connection) -> bool:
    services = [*queries.compute_services(cloud), *queries.volume_services(cloud)]
    return all(service["state"] == "up" for service in services)


def tag_provider(cloud: Connection) -> None:
    """Give the provider of the host one more trait."""
    placement = cloud.placement
    found = placement.get("/resource_providers", {"name": HOST})["resource_providers"][0]
    placement.put(f"/traits/{TRAIT}")
    path = f"/resource_providers/{found['uuid']}/traits"
    told = placement.get(path)
    placement.put(path, {**told, "traits": [*told["traits"], TRAIT]})


def stopped(cloud: Connection, server: str) -> bool:
    """Stop a server, as soon as Nova does it."""
    found = queries.server(cloud, server)
    assert found is not None
    age = datetime.now(UTC) - datetime.fromisoformat(found["updated"])
    if found["OS-EXT-STS:task_state"] and age > LOST:
        # Nova's message went out before the host listened again: it would wait for ever.
        cloud.nova.post(f"/servers/{server}/action", {"os-resetState": {"state": "active"}})
    elif found["status"] == "ACTIVE" and not found["OS-EXT-STS:task_state"]:
        try:
            act(cloud, server, "os-stop")
        except CloudError:
            # Nova itself has not found the broker again.
            time.sleep(1.0)
    return bool(found["status"] == "SHUTOFF")


def test_a_compute_host_that_dies_is_down_in_the_graph_as_soon_as_nova_says_so(
    options: dict[str, dict[str, Any]], real: Connection, tmp_path: Path
) -> None:
    def state() -> str:
        (service,) = queries.compute_services(real, HOST)
        return str(service["state"])

    with (
        connect_graph(f"sqlite:///{tmp_path}/graph.db") as graph,
        CollectorService(configuration(**options), graph=graph),
    ):
        wait_for_first_fill(graph)
        testbed.service("kill", f"nova-{HOST}")
        try:
            until(lambda: state() == "down", "Nova misses the host")
            assert disagreements(graph, real) == []
            assert next(p for p in graph.providers(name=HOST)).state == "down"
        finally:
            testbed.service("start", f"nova-{HOST}")
        until(lambda: state() == "up", "the host is back")
        assert disagreements(graph, real) == []
