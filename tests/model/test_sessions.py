"""What is done to a model is recorded where it stands: in a session, or in the graph."""

from __future__ import annotations

import copy
import gc

import pytest

from tachyon.errors import GenerationConflict, SessionNotFound
from tachyon.graph.client import GraphClient, InProcessTransport
from tachyon.graph.deltas import Allocate, Deallocate, Move, Resize, UpdateProvider
from tachyon.graph.mutations import Cluster, PatchConsumer
from tachyon.graph.service.model import Model
from tachyon.graph.service.options import Options
from tachyon.graph.simulation import Session
from tachyon.graph.simulation.registry import Limits
from tachyon.graph.store import open_store
from tachyon.graph.view import View
from tachyon.optimize.model import TachyonBaremetalModel, TachyonClusterModel, TachyonStorageModel
from tachyon.optimize.model.elements import ComputeNode, Instance
from tests.waiting import until


def two_hosts(model: TachyonClusterModel) -> tuple[ComputeNode, ComputeNode]:
    """Return a host with instances and another host."""
    nodes = [n for n in model.get_all_compute_nodes().values() if model.get_node_instances(n)]
    return nodes[0], nodes[1]


def moved(model: TachyonClusterModel) -> tuple[Instance, ComputeNode, ComputeNode]:
    """Move an instance, and return it with where it was and is."""
    source, target = two_hosts(model)
    instance = model.get_node_instances(source)[0]
    assert model.migrate_instance(instance, source, target)
    return instance, source, target


def test_a_migration_in_a_session_is_a_MOVE_that_the_graph_does_not_see(
    client: GraphClient,
) -> None:
    model = TachyonClusterModel(client)
    session = copy.deepcopy(model)
    instance, source, target = moved(session)
    session.flush()

    assert session.session_id is not None
    assert client.sessions.history(session.session_id) == [
        Move(
            consumer_uuid=instance.uuid,
            from_provider=source.uuid,
            to_provider=target.uuid,
            overcommit=True,
        )
    ]
    assert session.get_node_instances(target)[-1] is instance
    assert client.consumer(instance.uuid).allocations.keys() == {source.uuid}
    model.refresh()
    assert model.get_node_by_instance_uuid(instance.uuid) == source


def test_a_migration_in_the_graph_is_committed_at_once(client: GraphClient) -> None:
    model = TachyonClusterModel(client)
    instance, source, target = moved(model)

    assert client.consumer(instance.uuid).allocations.keys() == {target.uuid}
    assert TachyonClusterModel(client).get_node_instances(target)[-1] == instance
    assert model.get_node_by_instance_uuid(instance.uuid) is target
    assert source.uuid not in client.consumer(instance.uuid).allocations


def test_a_migration_in_a_graph_that_has_moved_on_is_refused_and_not_made(
    client: GraphClient,
) -> None:
    model = TachyonClusterModel(client)
    source, target = two_hosts(model)
    instance = model.get_node_instances(source)[0]
    client.patch_consumer(PatchConsumer(uuid=instance.uuid, locked=not instance.locked))

    with pytest.raises(GenerationConflict) as refused:
        model.migrate_instance(instance, source, target)

    assert instance.uuid in {c["key"] for c in refused.value.details["conflicts"]}
    assert model.get_node_by_instance_uuid(instance.uuid) == source
    assert client.consumer(instance.uuid).allocations.keys() == {source.uuid}


def test_sessions_do_not_see_each_other(client: GraphClient) -> None:
    model = TachyonClusterModel(client)
    one, other = copy.deepcopy(model), copy.deepcopy(model)
    instance, source, target = moved(one)
    one.get_node_by_uuid(source.uuid).status = "disabled"

    assert other.get_node_by_instance_uuid(instance.uuid) == other.get_node_by_uuid(source.uuid)
    assert other.get_node_by_uuid(source.uuid).status != "disabled"
    assert instance.uuid not in [i.uuid for i in other.get_node_instances(target)]


def test_a_copy_of_a_session_starts_from_its_state(client: GraphClient) -> None:
    one = copy.deepcopy(TachyonClusterModel(client))
    instance, source, target = moved(one)
    other = copy.deepcopy(one)
    other.migrate_instance(instance, target, source)

    assert one.get_node_by_instance_uuid(instance.uuid) == target
    assert other.get_node_by_instance_uuid(instance.uuid) == source
    assert one.session_id != other.session_id
    other.flush()
    assert other.session_id is not None
    assert len(client.sessions.history(other.session_id)) == 2


def test_who_joins_a_session_finds_what_its_deltas_did(client: GraphClient) -> None:
    model = TachyonClusterModel(client)
    source, target = two_hosts(model)
    first, second, third = model.get_node_instances(source)[:3]
    record = client.sessions.create(
        deltas=[
            Move(consumer_uuid=first.uuid, to_provider=target.uuid, overcommit=True),
            Deallocate(consumer_uuid=second.uuid),
            Resize(consumer_uuid=third.uuid, resources={"VCPU": 1}),
            UpdateProvider(provider_uuid=source.uuid, status="disabled"),
            Allocate(
                consumer_uuid="new",
                to_provider=target.uuid,
                resources={"VCPU": 1, "MEMORY_MB": 16},
                name="born",
                overcommit=True,
            ),
        ]
    )
    # The graph goes on; the session does not.
    client.remove_consumer(first.uuid)

    joined = TachyonClusterModel(client, record.id)

    assert [i.uuid for i in joined.get_node_instances(target)][-2:] == [first.uuid, "new"]
    assert second.uuid not in [i.uuid for i in joined.get_node_instances(source)]
    assert joined.get_instance_by_uuid(third.uuid).vcpus == 1
    assert joined.get_node_by_uuid(source.uuid).status == "disabled"
    assert joined.get_instance_by_uuid("new").name == "born"
    standing = joined.get_node_instances(source)
    assert joined.get_node_used_resources(source)["vcpu"] == sum(i.vcpus for i in standing)
    assert client.sessions.get(record.id).status == "active"


def test_a_session_ends_with_its_model(client: GraphClient) -> None:
    session = copy.deepcopy(TachyonClusterModel(client))
    moved(session)
    ended = session.session_id
    assert ended is not None
    assert client.sessions.get(ended).status == "active"
    del session
    gc.collect()

    def gone() -> bool:
        try:
            client.sessions.get(ended)
        except SessionNotFound:
            return True
        return False

    until(gone)


def test_close_ends_the_models_own_session_only(client: GraphClient) -> None:
    opened = client.sessions.create()
    joined = TachyonClusterModel(client, opened.id)
    moved(joined)
    joined.close()
    assert client.sessions.get(opened.id).delta_count == 1

    own = copy.deepcopy(TachyonClusterModel(client))
    session_id = own.session_id
    assert session_id is not None
    own.close()
    with pytest.raises(SessionNotFound):
        client.sessions.get(session_id)


def test_what_a_session_has_no_delta_for_stays_in_the_model(view: View) -> None:
    session = Session(view)
    model = TachyonClusterModel.over(session)
    node, other = two_hosts(model)
    instance = model.get_node_instances(node)[0]
    instance.watcher_exclude = True
    model.add_node(ComputeNode(uuid="new", hostname="new"))
    model.remove_node(other)
    model.delete_instance(model.get_node_instances(node)[1])

    assert session.deltas == ()
    assert model.get_instance_by_uuid(instance.uuid).watcher_exclude
    assert not TachyonClusterModel.over(session).get_instance_by_uuid(instance.uuid).watcher_exclude


def test_taking_away_and_putting_back_records_nothing(view: View) -> None:
    """As Watcher's scope does to write `watcher_exclude`."""
    model = TachyonClusterModel.over(view)
    node, other = two_hosts(model)
    instance = model.get_node_instances(node)[0]
    model.unmap_instance(instance, node)
    model.map_instance(instance, node)
    assert model.session.deltas == ()

    model.unmap_instance(instance, node)
    model.map_instance(instance, other)
    assert [type(d) for d in model.session.deltas] == [Move]

    model.unmap_instance(instance, other)
    assert [type(d) for d in model.session.deltas] == [Move, Deallocate]

    model.map_instance(instance, other)
    assert [type(d) for d in model.session.deltas] == [Move, Deallocate, Allocate]
    placement = model.session.placement(instance.uuid)
    assert placement.host == other.uuid
    assert placement.allocations[other.uuid]["VCPU"] == instance.vcpus


def test_the_state_of_a_service_is_recorded(view: View) -> None:
    model = TachyonClusterModel.over(view)
    node, _ = two_hosts(model)
    node.status = "disabled"
    node.disabled_reason = "watcher_disabled"
    assert model.session.deltas == (
        UpdateProvider(provider_uuid=node.uuid, status="disabled"),
        UpdateProvider(provider_uuid=node.uuid, disabled_reason="watcher_disabled"),
    )


def test_the_session_and_the_model_agree_after_many_migrations(view: View) -> None:
    model = TachyonClusterModel.over(view)
    nodes = list(model.get_all_compute_nodes().values())
    for number, instance in enumerate(model.get_all_instances().values()):
        source = model.get_node_by_instance_uuid(instance.uuid)
        model.migrate_instance(instance, source, nodes[number % 3])
    for node in nodes:
        standing = [i.uuid for i in model.get_node_instances(node)]
        assert standing == model.session.consumers_of(node.uuid)
        used, recorded = model.get_node_used_resources(node), model.session.used(node.uuid)
        assert used == {
            "vcpu": recorded["VCPU"],
            "memory": recorded["MEMORY_MB"],
            "disk": recorded["DISK_GB"],
        }


def test_writes_that_nobody_flushed_do_not_reach_the_graph(
    client: GraphClient, caplog: pytest.LogCaptureFixture
) -> None:
    model = TachyonClusterModel(client)
    model.add_node(ComputeNode(uuid="half-built"))
    before = client.view().generation
    del model
    gc.collect()
    assert client.view().generation == before
    assert "1 changes of a cluster model were never flushed" in caplog.text


def test_a_strategy_may_make_more_moves_than_a_service_keeps(cluster: Cluster) -> None:
    limits = Limits(deltas=5)
    kept = Model(open_store("sqlite://"), options=Options(limits=limits))
    client = GraphClient(InProcessTransport(kept))
    client.synchronise(cluster)
    model = copy.deepcopy(TachyonClusterModel(client))
    source, target = two_hosts(model)
    instance = model.get_node_instances(source)[0]
    for _ in range(4):
        model.migrate_instance(instance, source, target)
        model.migrate_instance(instance, target, source)
    model.flush()
    again = copy.deepcopy(model)
    assert again.session.delta_count == model.session.delta_count == 8
    assert again.get_node_instances(source)[-1] == instance


def test_storage_and_baremetal_models_stand_on_sessions_too(client: GraphClient) -> None:
    storage = copy.deepcopy(TachyonStorageModel(client))
    volume = next(v for v in storage.get_all_volumes().values() if v.size)
    pool = storage.get_pool_by_volume(volume)
    target = next(p for n in storage.get_all_storage_nodes().values()
                  for p in storage.get_node_pools(n) if p is not pool)  # fmt: skip
    storage.unmap_volume(volume, pool)
    storage.map_volume(volume, target)
    storage.flush()
    assert storage.session_id is not None
    (delta,) = client.sessions.history(storage.session_id)
    assert isinstance(delta, Move)
    assert delta.to_provider == target.name
    assert TachyonStorageModel(client, storage.session_id).get_pool_by_volume(volume) == target

    baremetal = copy.deepcopy(TachyonBaremetalModel(client))
    assert baremetal.session_id is not None
    assert baremetal.get_all_ironic_nodes() == {}
