"""A model is a NetworkX graph to NetworkX: its algorithms run, its changes are recorded."""

from __future__ import annotations

import networkx as nx
import pytest

from tachyon.graph.deltas import Allocate, Deallocate, Move
from tachyon.graph.view import View
from tachyon.optimize.model import (
    TachyonClusterModel,
    TachyonNetworkXAdapter,
    TachyonStorageModel,
)
from tachyon.optimize.model.elements import ComputeNode, Instance, Pool


@pytest.fixture
def model(view: View) -> TachyonClusterModel:
    return TachyonClusterModel.over(view)


@pytest.fixture
def graph(model: TachyonClusterModel) -> TachyonNetworkXAdapter:
    return TachyonNetworkXAdapter(model)


@pytest.fixture
def storage(view: View) -> TachyonNetworkXAdapter:
    return TachyonNetworkXAdapter(TachyonStorageModel.over(view))


def test_nodes_have_their_elements_and_edges_lead_to_hosts(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    instances, nodes = model.get_all_instances(), model.get_all_compute_nodes()
    assert len(graph) == graph.number_of_nodes() == len(instances) + len(nodes)
    assert set(graph) == set(graph.nodes) == {*instances, *nodes}
    assert dict(graph.nodes(data="attr")) == {**instances, **nodes}
    assert sorted(graph.edges()) == sorted(model.edges())
    assert graph.number_of_edges() == 120
    for key, node in nodes.items():
        assert list(graph.predecessors(key)) == [i.uuid for i in model.get_node_instances(node)]
        assert graph.in_degree(key) == len(model.get_node_instances(node))
    assert "nobody" not in graph
    with pytest.raises(nx.NetworkXError):
        graph.predecessors("nobody")


def test_algorithms_give_what_they_give_on_a_plain_graph(
    graph: TachyonNetworkXAdapter, storage: TachyonNetworkXAdapter
) -> None:
    for lazy in (graph, storage):
        plain: nx.DiGraph[str] = nx.DiGraph()
        plain.add_nodes_from(lazy.nodes)
        plain.add_edges_from(lazy.edges)
        assert nx.is_directed_acyclic_graph(lazy)
        order = {key: at for at, key in enumerate(nx.topological_sort(lazy))}
        assert all(order[child] < order[parent] for child, parent in plain.edges)
        assert sorted(map(sorted, nx.weakly_connected_components(lazy))) == sorted(
            map(sorted, nx.weakly_connected_components(plain))
        )
        assert dict(lazy.degree()) == dict(plain.degree())
        assert nx.dag_longest_path_length(lazy) == nx.dag_longest_path_length(plain)
        assert nx.to_dict_of_lists(lazy.reverse()) == nx.to_dict_of_lists(plain.reverse())
        assert nx.is_isomorphic(lazy.to_undirected(), plain.to_undirected())
        assert set(nx.ancestors(lazy, next(reversed(list(lazy))))) == set(
            nx.ancestors(plain, next(reversed(list(plain))))
        )


def test_the_shortest_path_from_a_volume_leads_over_its_pool(
    storage: TachyonNetworkXAdapter,
) -> None:
    model = storage.model
    assert isinstance(model, TachyonStorageModel)
    volume = next(iter(model.get_all_volumes().values()))
    pool = model.get_pool_by_volume(volume)
    node = model.get_node_by_pool_name(pool.name)
    assert nx.shortest_path(storage, volume.uuid, node.host) == [
        volume.uuid,
        pool.name,
        node.host,
    ]
    assert nx.has_path(storage, volume.uuid, node.host)
    assert not nx.has_path(storage, node.host, volume.uuid)


def test_subgraphs_and_copies_are_graphs_of_their_own(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    key, node = next(iter(model.get_all_compute_nodes().items()))
    standing = [i.uuid for i in model.get_node_instances(node)]
    part = graph.subgraph([key, *standing])
    assert sorted(part.edges) == sorted((uuid, key) for uuid in standing)
    made = graph.copy()
    made.remove_node(key)
    assert key in graph
    assert model.session.deltas == ()


def test_moving_an_edge_is_a_MOVE(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    instance = next(iter(model.get_all_instances()))
    (source,) = graph.successors(instance)
    target = next(key for key in model.get_all_compute_nodes() if key != source)
    graph.remove_edge(instance, source)
    graph.add_edge(instance, target, weight=3)
    assert list(graph[instance]) == [target]
    assert graph.edges[instance, target]["weight"] == 3
    assert [type(d) for d in model.session.deltas] == [Move]
    assert model.get_node_by_instance_uuid(instance).uuid == target


def test_an_instance_added_with_an_edge_is_an_ALLOCATE_and_removed_a_DEALLOCATE(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    host = next(iter(model.get_all_compute_nodes()))
    graph.add_node("new", attr=Instance(uuid="new", name="new", vcpus=1, memory=64, disk=0))
    graph.add_edge("new", host)
    assert graph.nodes["new"]["attr"].name == "new"
    (delta,) = model.session.deltas
    assert isinstance(delta, Allocate)
    assert delta.resources == {"VCPU": 1, "MEMORY_MB": 64}
    graph.remove_node("new")
    assert "new" not in graph
    assert [type(d) for d in model.session.deltas] == [Allocate, Deallocate]


def test_removing_a_host_takes_its_instances_away(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    host = next(iter(model.get_all_compute_nodes()))
    standing = list(graph.predecessors(host))
    graph.remove_node(host)
    assert host not in graph
    assert all(graph.out_degree(uuid) == 0 for uuid in standing)
    assert {d.consumer_uuid for d in model.session.deltas} == set(standing)
    assert all(isinstance(d, Deallocate) for d in model.session.deltas)


def test_many_at_once_are_passed_on_one_by_one(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    graph.add_nodes_from([("a", {"attr": ComputeNode(uuid="a")})], colour="red")
    graph.add_nodes_from([("i", {"attr": Instance(uuid="i")})])
    graph.add_edges_from([("i", "a")])
    assert graph.nodes["a"]["colour"] == "red"
    assert list(graph.predecessors("a")) == ["i"]
    graph.remove_edges_from([("i", "a"), ("i", "nobody")])
    assert graph.out_degree("i") == 0
    graph.remove_nodes_from(["a", "nobody"])
    assert "a" not in model
    graph.clear_edges()
    assert graph.number_of_edges() == 0
    graph.clear()
    assert len(graph) == 0


def test_what_no_model_can_hold_is_refused(
    graph: TachyonNetworkXAdapter, model: TachyonClusterModel
) -> None:
    one, other, *_ = model.get_all_compute_nodes()
    instance = next(iter(model.get_all_instances()))
    for refused in (
        lambda: graph.add_edge(one, other),
        lambda: graph.add_edge(instance, "nobody"),
        lambda: graph.remove_edge(one, other),
        lambda: graph.add_node("bare"),
        lambda: graph.add_node("p", attr=Instance(uuid="q")),
        lambda: graph.remove_node("nobody"),
    ):
        with pytest.raises(nx.NetworkXError):
            refused()
    with pytest.raises(AttributeError):
        graph.add_node("p", attr=Pool(name="p"))


def test_without_a_model_it_is_an_ordinary_graph() -> None:
    graph = TachyonNetworkXAdapter()
    graph.add_edge(1, 2)
    graph.add_node(3)
    graph.remove_edge(1, 2)
    graph.remove_node(1)
    assert list(graph) == [2, 3]
    assert graph.model is None
