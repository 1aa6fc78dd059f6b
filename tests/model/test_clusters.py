"""Models of whole clusters: they say what the graph's records say, scoped or not, in few calls."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tachyon.graph.client import GraphClient, connect
from tachyon.graph.client.in_process import InProcessTransport
from tachyon.graph.deltas import Resize, UpdateProvider
from tachyon.graph.generator import generate
from tachyon.graph.simulation import Session
from tachyon.graph.store import open_store
from tachyon.graph.view import View, build, snapshot_of
from tachyon.optimize.model import TachyonClusterModel, TachyonStorageModel
from tachyon.optimize.model import exceptions as x
from tachyon.optimize.model.records import instance as instances
from tachyon.optimize.model.records import volume as volumes
from tachyon.optimize.scope import ScopeMask


@pytest.fixture(params=[0, 2], ids=["flat", "NUMA"])
def some_view(request: pytest.FixtureRequest) -> View:
    made = generate(
        hosts=8, instances=60, nested=request.param, pools=3, volumes=20, seed=request.param
    )
    return build(snapshot_of(made.cluster))


def test_elements_read_from_columns_are_those_read_from_records(some_view: View) -> None:
    compute, storage = TachyonClusterModel.over(some_view), TachyonStorageModel.over(some_view)
    seen = 0
    for row, consumer in zip(
        some_view.consumer_order.tolist(), some_view.all_consumers(), strict=True
    ):
        kind = some_view.flavor(consumer.flavor_id)
        home = some_view.consumers.home.item(row)
        host = some_view.provider_at(home) if home >= 0 else None
        if consumer.type == "instance":
            meant = instances.values_of(consumer, host, kind)
            assert compute.get_instance_by_uuid(consumer.uuid).as_dict() == meant
        else:
            meant = volumes.values_of(consumer, host and host.name, kind)
            assert storage.get_volume_by_uuid(consumer.uuid).as_dict() == meant
        seen += 1
    assert seen == 80


def test_hosts_have_all_that_their_instances_use(some_view: View) -> None:
    model = TachyonClusterModel.over(some_view)
    assert len(model.get_all_compute_nodes()) == 8
    for node in model.get_all_compute_nodes().values():
        used = model.get_node_used_resources(node)
        standing = model.get_node_instances(node)
        assert used["vcpu"] == sum(i.vcpus for i in standing) > 0
        assert used["memory"] == sum(i.memory for i in standing)
        assert node.vcpu_capacity >= used["vcpu"]
        assert all(i.host == node.hostname for i in standing)
    assert sum(len(model.get_node_instances(n)) for n in model.get_all_compute_nodes().values()) \
        == 60  # fmt: skip


def test_a_scoped_model_shows_what_is_in_scope(view: View) -> None:
    model = TachyonClusterModel.over(view)
    nodes = list(model.get_all_compute_nodes().values())
    kept = nodes[::3]
    excluded = model.get_node_instances(kept[0])[0]
    scoped = TachyonClusterModel.over(view, mask_of(view, {n.uuid for n in kept}, excluded.uuid))

    assert list(scoped.get_all_compute_nodes()) == [n.uuid for n in kept]
    standing = [i.uuid for n in kept for i in model.get_node_instances(n)]
    assert sorted(scoped.get_all_instances()) == sorted(standing)
    assert scoped.get_instance_by_uuid(excluded.uuid).watcher_exclude
    assert not model.get_instance_by_uuid(excluded.uuid).watcher_exclude
    for node in kept:
        assert scoped.get_node_used_resources(node) == model.get_node_used_resources(node)
    outside = nodes[1]
    with pytest.raises(x.ComputeNodeNotFound):
        scoped.get_node_by_uuid(outside.uuid)
    with pytest.raises(x.ComputeNodeNotFound):
        scoped.get_node_by_name(outside.hostname)
    with pytest.raises(x.InstanceNotFound):
        scoped.get_instance_by_uuid(model.get_node_instances(outside)[0].uuid)
    assert len(scoped.edges()) == len(standing)


def mask_of(view: View, hosts: set[str], excluded: str) -> ScopeMask:
    providers = np.array([uuid in hosts for uuid in view.providers.uuid])
    home = view.consumers.home
    uuids = np.array(view.consumers.uuid)
    return ScopeMask(
        providers=providers, consumers=(home >= 0) & providers[home], excluded=uuids == excluded
    )


def test_scoping_keeps_what_the_session_has_recorded(view: View) -> None:
    model = copy.deepcopy(TachyonClusterModel.over(view))
    source, target, *_ = model.get_all_compute_nodes().values()
    instance = model.get_node_instances(source)[0]
    model.migrate_instance(instance, source, target)
    scoped = model.scoped(mask_of(view, {source.uuid, target.uuid}, "nobody"))
    assert scoped.session_id == model.session_id
    assert scoped.get_node_by_instance_uuid(instance.uuid) == target
    scoped.migrate_instance(instance, target, source)
    assert [d.to_provider for d in scoped.session.deltas] == [target.uuid, source.uuid]


def test_what_a_scope_hides_stays_hidden_whatever_was_done_to_it(view: View) -> None:
    model = TachyonClusterModel.over(view)
    shown, hidden, other, *_ = model.get_all_compute_nodes().values()
    going, staying = model.get_node_instances(shown)[:2]
    model.migrate_instance(going, shown, hidden)
    hidden.status = "disabled"
    written = model.get_node_instances(other)[0]
    written.name = "written"
    scoped = model.scoped(mask_of(view, {shown.uuid}, "nobody"))

    assert list(scoped.get_all_compute_nodes()) == [shown.uuid]
    for node in (hidden, other):
        with pytest.raises(x.ComputeNodeNotFound):
            scoped.get_node_by_uuid(node.uuid)
    with pytest.raises(x.InstanceNotFound):
        scoped.get_instance_by_uuid(written.uuid)
    # It left the host that is shown; where to is not.
    with pytest.raises(x.InstanceNotMapped):
        scoped.get_node_by_instance_uuid(going.uuid)
    assert scoped.get_node_instances(shown)[0] == staying
    assert {parent for _, parent in scoped.edges()} == {shown.uuid}


def test_a_copy_keeps_what_deltas_made_of_sizes_and_states(view: View) -> None:
    session = Session(view)
    uuid = next(c.uuid for c in view.all_consumers() if c.type == "instance")
    host = session.host(uuid)
    assert host is not None
    session.record(Resize(consumer_uuid=uuid, resources={"VCPU": 1}))
    session.record(UpdateProvider(provider_uuid=host, state="down"))
    again = copy.deepcopy(TachyonClusterModel.over(session))
    assert again.get_instance_by_uuid(uuid).vcpus == 1
    node = again.get_node_by_uuid(host)
    assert node.state == "down"
    assert again.get_node_used_resources(node)["vcpu"] == session.used(host)["VCPU"]


def test_used_resources_leave_out_instances_that_a_scope_hides(view: View) -> None:
    model = TachyonClusterModel.over(view)
    node = next(iter(model.get_all_compute_nodes().values()))
    hidden, *others = model.get_node_instances(node)
    mask = ScopeMask(
        providers=np.ones(view.provider_rows, bool),
        consumers=np.array(view.consumers.uuid) != hidden.uuid,
        excluded=np.zeros(view.consumer_rows, bool),
    )
    scoped = TachyonClusterModel.over(view, mask)
    assert scoped.get_node_used_resources(node)["vcpu"] == sum(i.vcpus for i in others)


class Counting(InProcessTransport):
    """Counts the calls of a client."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self.calls = 0

    def call(self, *args: Any) -> Any:
        self.calls += 1
        return super().call(*args)

    def view(self, kept: View | None) -> View:
        self.calls += 1
        return super().view(kept)


def test_thousands_of_model_calls_are_a_handful_of_requests() -> None:
    made = generate(hosts=20, instances=200)
    transport = Counting(open_store("sqlite://"))
    client = GraphClient(transport)
    client.synchronise(made.cluster)
    model = copy.deepcopy(TachyonClusterModel(client))
    before = transport.calls
    nodes = list(model.get_all_compute_nodes().values())
    for number in range(2500):
        source, target = nodes[number % 20], nodes[(number + 1) % 20]
        model.get_node_free_resources(target)
        for instance in model.get_node_instances(source)[:1]:
            model.migrate_instance(instance, source, target)
    model.flush()
    assert model.session_id is not None
    assert client.sessions.get(model.session_id).delta_count > 2000
    assert transport.calls - before <= 5


def test_building_a_model_is_one_transaction() -> None:
    with connect("sqlite://") as client:
        source = TachyonClusterModel.over(
            build(snapshot_of(generate(hosts=5, instances=50).cluster))
        )
        model = TachyonClusterModel(client)
        for node in source.get_all_compute_nodes().values():
            model.add_node(node)
        for instance in source.get_all_instances().values():
            model.add_instance(instance)
            model.map_instance(instance, source.get_node_by_instance_uuid(instance.uuid))
        model.flush()
        assert client.view().generation == 1
        assert TachyonClusterModel.is_isomorphic(model, source)
        assert model.to_list() == source.to_list()


def test_elements_that_callers_hold_follow_the_graph(client: GraphClient) -> None:
    model = TachyonClusterModel(client)
    node = next(iter(model.get_all_compute_nodes().values()))
    node.hostname = "renamed"
    model.flush()
    assert client.provider(node.uuid).name == "renamed"
    other = TachyonClusterModel(client)
    other.get_node_by_name("renamed").hostname = "again"
    other.flush()
    model.refresh()
    assert model.get_node_by_uuid(node.uuid) is node
    assert node.hostname == "again"


def test_a_row_of_a_list_never_shows_what_another_server_has() -> None:
    """Upstream's data model API shows a server's missing field as its predecessor had it."""
    from tachyon.optimize.model.elements import ComputeNode, Instance

    model = TachyonClusterModel()
    model.add_node(ComputeNode(uuid="n"))
    for instance in (Instance(uuid="a", name="told"), Instance(uuid="b")):
        model.add_instance(instance)
        model.map_instance(instance, "n")
    first, second = model.to_list()
    assert first["server_name"] == "told"
    assert "server_name" not in second


def test_a_stale_model_is_false_and_asks_nobody() -> None:
    class Nobody:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    model = TachyonClusterModel(Nobody(), stale=True)  # type: ignore[arg-type]
    assert not model
    assert model.stale
    assert TachyonClusterModel(Nobody())  # type: ignore[arg-type]
    assert not copy.deepcopy(model)


@pytest.mark.parametrize("cls", [TachyonClusterModel, TachyonStorageModel])
def test_a_model_read_from_its_own_xml_is_the_same(cls: Any, view: View) -> None:
    model = cls.over(view)
    again = cls.from_xml(model.to_xml())
    assert str(again.to_xml()) == str(model.to_xml())
    assert sorted(again.edges()) == sorted(model.edges())
    for key in model:
        assert again.element(key) == model.element(key)
