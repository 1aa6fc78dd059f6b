"""What a cloud's services say is in the graph after one synchronisation, and asked for once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tachyon.errors import CloudUnavailable
from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.graph.entities import Consumer, Flavor
from tachyon.graph.mutations import PatchConsumer, PutFlavor, RemoveConsumer
from tachyon.graph.view import View
from tachyon.openstack.collectors.compute import ComputeCollector
from tachyon.openstack.collectors.contract import Reading
from tachyon.openstack.collectors.marks import EVENT, Mark
from tachyon.openstack.collectors.synchronisation import account, read_since, synchronise
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.emulator.faults import RequestFault
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect, connected, small_cluster


@pytest.mark.parametrize("nested", [0, 2])
def test_the_graph_holds_the_cluster_that_the_cloud_was_made_of(
    graph: GraphClient, nested: int
) -> None:
    made = small_cluster(nested)
    with Emulator(made) as emulator, connected(emulator) as cloud:
        collect(cloud, graph)
    found = {p.uuid: p for p in graph.providers()}
    for wanted in made.cluster.providers:
        if wanted.type in {"numa", "pci"}:
            assert found[wanted.uuid].type == "nested"
        else:
            assert found[wanted.uuid].type == wanted.type
        assert found[wanted.uuid].parent_uuid == wanted.parent_uuid
        assert found[wanted.uuid].inventories.keys() == wanted.inventories.keys()
        assert found[wanted.uuid].status == wanted.status
        assert found[wanted.uuid].state == wanted.state
    consumers = {c.uuid: c for c in graph.consumers()}
    assert consumers.keys() == {c.uuid for c in made.cluster.consumers}
    for consumer in made.cluster.consumers:
        here = consumers[consumer.uuid]
        assert here.allocations == consumer.allocations
        assert (here.name, here.flavor_id) == (consumer.name, consumer.flavor_id)
        assert here.server_group == consumer.server_group
        assert here.metadata == consumer.metadata
    assert {f.id for f in graph.flavors()} == {f.id for f in made.cluster.flavors}
    assert {g.uuid for g in graph.server_groups()} == {g.uuid for g in made.cluster.server_groups}


@pytest.mark.parametrize("others", [1, 5])
def test_records_that_others_write_at_the_same_moment_stay(
    cloud: Connection, graph: GraphClient, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """Volume types lie among the flavors, and models are synchronised side by side."""
    write, written = graph.synchronise, []

    def overtaken(*args: Any, **options: Any) -> Any:
        if len(written) < others:
            flavor = Flavor(id=f"type-{len(written)}", name="", vcpus=0)
            written.append(graph.apply([PutFlavor(flavor=flavor)]))
        return write(*args, **options)

    monkeypatch.setattr(graph, "synchronise", overtaken)
    synchronise(ComputeCollector(), cloud, graph)
    kept = {flavor.id for flavor in graph.flavors()}
    assert kept >= {f"type-{n}" for n in range(others)}


def test_a_synchronisation_does_not_wait_for_events_to_cease(
    cloud: Connection, graph: GraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, tries = graph.synchronise, []

    def overtaken(*args: Any, **options: Any) -> Any:
        tries.append(graph.put_consumer(Consumer(uuid="vm", name=str(len(tries)))))
        return write(*args, **options)

    monkeypatch.setattr(graph, "synchronise", overtaken)
    synchronise(ComputeCollector(), cloud, graph)
    assert len(tries) == 4
    assert graph.consumer("vm").name == "3"


def test_what_has_not_changed_is_not_asked_again(cloud: Connection, graph: GraphClient) -> None:
    first = collect(cloud, graph)
    before = content(graph)
    second = collect(cloud, graph)
    assert first["compute"].requests > 20
    assert second["compute"].requests <= 12
    # The account alone: when it was read.
    assert second["compute"].changed == second["storage"].changed == 1
    assert differences(content(graph), before) == []


def test_a_provider_is_asked_again_when_its_generation_has_moved(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    host = next(p for p in graph.providers(type="compute"))
    with emulator.cloud.lock:
        provider = emulator.cloud.placement.providers[host.uuid]
        provider.traits.append("CUSTOM_NEW")
        emulator.cloud.placement.providers[host.uuid].generation += 1
    done = collect(cloud, graph)
    assert "CUSTOM_NEW" in graph.provider(host.uuid).traits
    assert done["compute"].requests <= 16


def test_a_collector_that_was_restarted_asks_no_more_than_one_that_was_not(
    cloud: Connection, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/graph.db"
    with connect_graph(url) as graph:
        collect(cloud, graph)
    with connect_graph(url) as graph:
        assert collect(cloud, graph)["compute"].requests <= 12


def test_a_failed_synchronisation_leaves_the_graph_in_service_and_says_so(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    before = content(graph)
    at = read_since(graph.view(), "compute")
    emulator.arm(RequestFault(service="nova", path=".*/servers/detail", status=503, times=None))
    with pytest.raises(CloudUnavailable):
        collect(cloud, graph)
    assert differences(content(graph), before) == []
    failed = account(graph.view(), "compute")
    assert failed is not None
    assert failed.state == "down"
    assert "503" in failed.extra["error"]
    assert read_since(graph.view(), "compute") == at
    emulator.faults.clear()
    collect(cloud, graph)
    good = account(graph.view(), "compute")
    assert good is not None
    assert good.state == "up"
    assert "error" not in good.extra


class Interrupted(ComputeCollector):
    """Reads as always; then something happens before the reading is written."""

    def __init__(self, happens: object) -> None:
        self.happens = happens

    def read(self, cloud: Connection, known: View) -> Reading:
        reading = super().read(cloud, known)
        self.happens()  # type: ignore[operator]
        return reading


def test_events_that_arrive_while_the_cloud_is_read_are_newer(
    cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    kept, removed = [c.uuid for c in graph.consumers(type="instance", state="active")][:2]

    def happens() -> None:
        soon = {EVENT: Mark(datetime.now(UTC) + timedelta(seconds=1)).as_extra()}
        graph.apply(
            [PatchConsumer(uuid=kept, state="paused", extra=soon), RemoveConsumer(uuid=removed)]
        )

    synchronise(Interrupted(happens), cloud, graph)
    assert graph.consumer(kept).state == "paused"
    assert removed not in {c.uuid for c in graph.consumers()}
    # The next reading finds what the cloud says.
    collect(cloud, graph)
    assert graph.consumer(kept).state == "active"
    assert EVENT not in graph.consumer(kept).extra
    assert graph.consumer(removed).state == "active"


def test_late_events_that_arrive_while_the_cloud_is_read_are_older(
    cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    instance = graph.consumers(type="instance", state="active")[0].uuid
    long_ago = {EVENT: Mark(datetime.now(UTC) - timedelta(hours=1)).as_extra()}

    def happens() -> None:
        graph.apply([PatchConsumer(uuid=instance, state="paused", extra=long_ago)])

    synchronise(Interrupted(happens), cloud, graph)
    assert graph.consumer(instance).state == "active"


def test_records_made_or_removed_while_the_cloud_is_read_stay_so(
    cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    flavor = next(f for f in graph.flavors() if f.vcpus)
    group = graph.server_groups()[0]

    def happens() -> None:
        graph.remove_record("flavor", flavor.id)
        graph.put_record(type(group)(uuid="new", name="new", policy="affinity"))

    synchronise(Interrupted(happens), cloud, graph)
    assert flavor.id not in {f.id for f in graph.flavors()}
    assert "new" in {g.uuid for g in graph.server_groups()}
    collect(cloud, graph)
    assert flavor.id in {f.id for f in graph.flavors()}
    assert "new" not in {g.uuid for g in graph.server_groups()}


def test_each_model_leaves_the_others_alone(emulator: Emulator, graph: GraphClient) -> None:
    with connected(emulator) as cloud:
        collect(cloud, graph)
        before = content(graph)
        synchronise(ComputeCollector(), cloud, graph)
        assert differences(content(graph), before) == []


def test_what_left_the_cloud_leaves_the_graph(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    gone = graph.consumers(type="instance")[0]
    with emulator.cloud.lock:
        compute = emulator.cloud.compute
        compute.remove_server(compute.servers[gone.uuid])
        # Nova deletes allocations so: no generation tells of it.
        emulator.cloud.placement.delete(gone.uuid)
    done = collect(cloud, graph)
    assert gone.uuid not in {c.uuid for c in graph.consumers()}
    assert done["compute"].reading.disagreements == {}
