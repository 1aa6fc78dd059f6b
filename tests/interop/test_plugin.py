"""The plug-in inside stock Watcher, on an emulated cloud: collectors, scopes, notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tachyon.graph.client import connect
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster
from tachyon.graph.service.server import running
from tachyon.openstack.connection import connect as connect_cloud
from tachyon.openstack.emulator import AT_ONCE, Emulator, RequestFault
from tests.interop.engine import configuration, probe
from tests.interop.waiting import until

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return generate(hosts=9, instances=40, zones=3, pools=4, volumes=12, seed=8).cluster


@pytest.fixture
def cloud(cluster: Cluster) -> Iterator[Emulator]:
    with Emulator(cluster) as emulator:
        yield emulator


@pytest.fixture(params=["store", "service"])
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    if request.param == "store":
        yield url
    else:
        with running(url) as service:
            yield service


@pytest.fixture
def config(tmp_path: Path, cloud: Emulator, graph: str) -> Path:
    return configuration(tmp_path, cloud, graph)


def placements(cluster: Cluster) -> dict[str, set[str]]:
    """The instances by name of their host, as the cloud has them."""
    found: dict[str, set[str]] = {p.name: set() for p in cluster.providers if p.type == "compute"}
    names = {p.uuid: p.name for p in cluster.providers}
    for consumer in cluster.consumers:
        if consumer.type == "instance":
            found[names[next(iter(consumer.allocations))]].add(consumer.uuid)
    return found


def sets(model: dict[str, list[str]]) -> dict[str, set[str]]:
    return {name: set(uuids) for name, uuids in model.items()}


def test_collectors_fill_the_graph_and_a_fresh_one_is_not_read_again(
    cloud: Emulator, cluster: Cluster, config: Path, graph: str
) -> None:
    assert sets(probe(config, "compute")) == placements(cluster)
    storage = probe(config, "storage")
    pools = {p.name: p.parent_uuid for p in cluster.providers if p.type == "pool"}
    assert {pool: host for host, found in storage.items() for pool in found} == pools
    volumes = {c.uuid for c in cluster.consumers if c.type == "volume"}
    assert {v for found in storage.values() for vs in found.values() for v in vs} == volumes
    with connect(graph) as client:
        before = client.view().generation
        assert client.view().provider("collector:compute").state == "up"
    asked = sum(n for (service, _, _), n in cloud.requests.items() if service != "keystone")
    assert sets(probe(config, "compute")) == placements(cluster)
    assert asked == sum(n for (s, _, _), n in cloud.requests.items() if s != "keystone")
    with connect(graph) as client:
        assert client.view().generation == before


def test_audits_see_their_own_scopes_only(config: Path, cluster: Cluster) -> None:
    """§10.1 row 16, and the race of §6.1: interleaved calls of two audits never mix."""
    scopes = [[{"compute": [{"availability_zones": [{"name": f"az-{n}"}]}]}] for n in (1, 2)]
    scopes.append([])
    first, second, whole = probe(config, "audits", *map(json.dumps, scopes))
    zone = {p.name: p.availability_zone for p in cluster.providers if p.type == "compute"}
    assert {zone[name] for name in first} == {"az-1"}
    assert {zone[name] for name in second} == {"az-2"}
    assert sets(whole) == placements(cluster)


@pytest.mark.parametrize(
    "rules",
    [
        # §10.1 rows 7 and 8: each of these failed the audit.
        [{"exclude": [{"instance_metadata": [{"optimize": False}]}]}],
        [{"exclude": [{"compute_nodes": [{"name": "typo"}]}]}],
        [{"exclude": [{"host_aggregates": [{"name": "none"}]}]}],
    ],
)
def test_scopes_that_failed_audits_are_served(
    config: Path, cluster: Cluster, rules: list[object]
) -> None:
    (found,) = probe(config, "audits", json.dumps([{"compute": rules}]))
    assert sets(found) == placements(cluster)


def test_what_an_audit_moves_nobody_else_sees(config: Path) -> None:
    source, target, mine, other, later = probe(config, "migrations")
    assert (mine, other, later) == (target, source, source)


def test_a_failed_synchronisation_leaves_the_last_known_state_in_service(
    cloud: Emulator, config: Path, cluster: Cluster
) -> None:
    """§10.1 row 15: in Watcher every audit fails until the next synchronisation."""
    probe(config, "compute")
    cloud.arm(RequestFault(service="nova", status=500, times=None))
    before, after = probe(config, "synchronised_twice")
    assert sets(before) == sets(after) == placements(cluster)


def test_threads_that_wait_for_the_first_reading_read_once(
    cloud: Emulator, config: Path, cluster: Cluster
) -> None:
    """§6.1: in Watcher each of them builds the model."""
    first, second = probe(config, "two_at_once")
    assert sets(first) == sets(second) == placements(cluster)
    listed = [n for (_, _, path), n in cloud.requests.items() if path == "/v2.1/servers/detail"]
    assert listed == [1]


def test_an_engine_that_is_not_to_collect_leaves_that_to_others(
    cloud: Emulator, tmp_path: Path, graph: str
) -> None:
    config = configuration(tmp_path, cloud, graph, collect=False)
    assert probe(config, "compute") == {}
    assert set(probe(config, "endpoints").values()) == {0}
    assert not cloud.requests


def test_every_collector_has_an_endpoint_for_events(config: Path) -> None:
    """§10.1 row 6: in Watcher naming the baremetal collector stops the service."""
    assert probe(config, "endpoints") == {"compute": 1, "storage": 1, "baremetal": 1}


def test_the_question_for_a_strategys_state_leaves_the_model_alone(
    config: Path, cluster: Cluster
) -> None:
    """§10.1 row 16: in Watcher it wipes the model after an audit with a scope."""
    assert sets(probe(config, "state_call")) == placements(cluster)


def test_the_data_model_api_lists_every_instance(config: Path, cluster: Cluster) -> None:
    rows = probe(config, "data_model")
    listed = {row["server_uuid"] for row in rows if "server_uuid" in row}
    assert listed == {c.uuid for c in cluster.consumers if c.type == "instance"}


def test_notifications_change_the_graph(cluster: Cluster, graph: str, tmp_path: Path) -> None:
    with Emulator(cluster, durations=AT_ONCE) as cloud:
        config = configuration(tmp_path, cloud, graph)
        probe(config, "compute")
        removed = next(c.uuid for c in cluster.consumers if c.type == "instance")
        with connect_cloud(cloud=cloud.name, clouds_file=cloud.clouds_yaml) as connection:
            connection.sdk.compute.delete_server(removed)
        until(lambda: "instance.delete.end" in events(cloud), "the end of the removal")
        files = write(cloud, tmp_path)
        before, after = probe(config, "events", *map(str, files))
        gone = {u for us in before.values() for u in us} - {u for us in after.values() for u in us}
        assert gone == {removed}
        # Every engine gets every event, and some get one twice.
        with connect(graph) as client:
            generation = client.view().generation
        probe(config, "events", *map(str, files * 2))
        with connect(graph) as client:
            assert client.view().generation == generation


def events(cloud: Emulator) -> list[str]:
    return [notification.event_type for notification in cloud.notifications]


def write(cloud: Emulator, folder: Path) -> list[Path]:
    """Write the notifications sent so far as a listener would be handed them."""
    files = []
    for number, sent in enumerate(cloud.notifications):
        message = {
            "publisher_id": sent.publisher_id,
            "event_type": sent.event_type,
            "payload": sent.payload,
            "metadata": {
                "message_id": f"message-{number}",
                "timestamp": datetime.now(UTC).isoformat(),
            },
        }
        files.append(folder / f"{number}.json")
        files[-1].write_text(json.dumps(message), encoding="utf-8")
    return files
