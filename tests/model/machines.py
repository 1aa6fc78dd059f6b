"""State machines that hold a model against the naive one, whatever it stands on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tachyon.optimize.model import (
    TachyonClusterModel,
    TachyonStorageModel,
)
from tachyon.optimize.model import exceptions as x
from tachyon.optimize.model.elements import (
    ComputeNode,
    Element,
    Instance,
    Pool,
    StorageNode,
    Volume,
)
from tests.model import drawing
from tests.model.naive import Naive

NODES = [f"node-{n}" for n in range(4)]
INSTANCES = [f"instance-{n}" for n in range(6)]
HOSTS = [f"host-{n}@lvm" for n in range(3)]
POOLS = [f"host-{n}@lvm#pool" for n in range(3)]
VOLUMES = [f"volume-{n}" for n in range(5)]

nodes, instances = st.sampled_from(NODES), st.sampled_from(INSTANCES)
hosts, pools, volumes = st.sampled_from(HOSTS), st.sampled_from(POOLS), st.sampled_from(VOLUMES)
which = st.integers(0, 3)


@dataclass
class Pair:
    """A model and what it should be."""

    model: Any
    naive: Naive


class Machine(RuleBasedStateMachine):
    """What the machines of all models do."""

    #: Returns a new empty model.
    make: Callable[[], Any]
    kinds: tuple[str, ...]

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Pair] = []

    @initialize()
    def begin(self) -> None:
        self.pairs = [Pair(self.make(), Naive(*self.kinds))]

    def teardown(self) -> None:
        for pair in self.pairs:
            pair.model.close()

    def pair(self, number: int) -> Pair:
        return self.pairs[number % len(self.pairs)]

    @rule(number=which)
    def copy(self, number: int) -> None:
        """A copy of a model is a model of its own."""
        if len(self.pairs) < 4:
            pair = self.pair(number)
            self.pairs.append(Pair(copy.deepcopy(pair.model), pair.naive.copy()))

    @rule()
    def forget(self) -> None:
        if len(self.pairs) > 1:
            self.pairs.pop()

    @rule(number=which)
    def flush(self, number: int) -> None:
        self.pair(number).model.flush()

    @rule(number=which)
    def refresh(self, number: int) -> None:
        self.pair(number).model.refresh()

    @rule()
    def read_back(self) -> None:
        """Who opens the graph anew finds what was written."""
        model = self.pairs[0].model
        if model.client is not None and model.session_id is None:
            model.flush()
            self.check(Pair(type(model)(model.client), self.pairs[0].naive))

    def write(self, pair: Pair, kind: str, element: Element, values: dict[str, Any]) -> None:
        element.update(values)
        pair.naive.elements[kind][getattr(element, element.key_field)].update(values)

    @invariant()
    def same(self) -> None:
        for pair in self.pairs:
            self.check(pair)

    def check(self, pair: Pair) -> None:
        raise NotImplementedError


def same_elements(found: dict[str, Any], meant: dict[str, dict[str, Any]]) -> None:
    assert list(found) == list(meant)
    for key, element in found.items():
        assert element.as_dict() == meant[key]


class ComputeMachine(Machine):
    kinds = ("nodes", "instances")

    @rule(number=which, key=nodes, values=drawing.nodes)
    def add_node(self, number: int, key: str, values: dict[str, Any]) -> None:
        pair = self.pair(number)
        node = ComputeNode(uuid=key, **values)
        pair.naive.put("nodes", key, node.as_dict())
        pair.model.add_node(node)

    @rule(number=which, key=instances, values=drawing.instances)
    def add_instance(self, number: int, key: str, values: dict[str, Any]) -> None:
        pair = self.pair(number)
        instance = Instance(uuid=key, **values)
        pair.naive.put("instances", key, instance.as_dict())
        pair.model.add_instance(instance)

    @rule(number=which, key=nodes)
    def remove_node(self, number: int, key: str) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        if key in naive.elements["nodes"]:
            model.remove_node(ComputeNode(uuid=key))
            naive.drop("nodes", key)
        else:
            with pytest.raises(x.ComputeNodeNotFound):
                model.remove_node(ComputeNode(uuid=key))

    @rule(number=which, key=instances)
    def delete_instance(self, number: int, key: str) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        if key in naive.elements["instances"]:
            model.delete_instance(Instance(uuid=key), None)
            naive.drop("instances", key)
        else:
            with pytest.raises(x.InstanceNotFound):
                model.delete_instance(Instance(uuid=key), None)

    @rule(number=which, key=instances, node=nodes, by_key=st.booleans())
    def map_instance(self, number: int, key: str, node: str, by_key: bool) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        given = (key, node) if by_key else (Instance(uuid=key), ComputeNode(uuid=node))
        if key not in naive.elements["instances"]:
            with pytest.raises(x.InstanceNotFound):
                model.map_instance(*given)
        elif node not in naive.elements["nodes"]:
            with pytest.raises(x.ComputeNodeNotFound):
                model.map_instance(*given)
        else:
            model.map_instance(*given)
            naive.link(key, node)

    @rule(number=which, key=instances, node=nodes)
    def unmap_instance(self, number: int, key: str, node: str) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        if key in naive.elements["instances"] and node in naive.elements["nodes"]:
            if (key, node) in naive.edges:
                model.unmap_instance(key, node)
                naive.unlink(key, node)
            else:
                with pytest.raises(x.NoSuchEdge):
                    model.unmap_instance(key, node)

    @rule(number=which, key=instances, to=nodes)
    def migrate_instance(self, number: int, key: str, to: str) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        on = naive.on(key)
        if on and to in naive.elements["nodes"]:
            source = on[0]
            moved = model.migrate_instance(
                Instance(uuid=key), ComputeNode(uuid=source), ComputeNode(uuid=to)
            )
            assert moved is (source != to)
            if moved:
                naive.unlink(key, source)
                naive.link(key, to)

    @rule(number=which, key=instances, source=nodes, to=nodes)
    def migrate_from_elsewhere(self, number: int, key: str, source: str, to: str) -> None:
        """What does not stand on the source is not moved."""
        model, naive = self.pair(number).model, self.pair(number).naive
        known = naive.elements
        if key not in known["instances"] or not {source, to} <= known["nodes"].keys():
            return
        if source != to and (key, source) not in naive.edges:
            with pytest.raises(x.NoSuchEdge):
                model.migrate_instance(
                    Instance(uuid=key), ComputeNode(uuid=source), ComputeNode(uuid=to)
                )

    @rule(number=which, key=nodes, values=drawing.nodes)
    def write_node(self, number: int, key: str, values: dict[str, Any]) -> None:
        pair = self.pair(number)
        if key in pair.naive.elements["nodes"]:
            self.write(pair, "nodes", pair.model.get_node_by_uuid(key), values)

    @rule(number=which, key=instances, values=drawing.instances)
    def write_instance(self, number: int, key: str, values: dict[str, Any]) -> None:
        pair = self.pair(number)
        if key in pair.naive.elements["instances"]:
            self.write(pair, "instances", pair.model.get_instance_by_uuid(key), values)

    @rule(number=which)
    def spoil(self, number: int) -> None:
        """Lists and mappings that were handed out are the caller's."""
        model = self.pair(number).model
        model.get_all_instances().clear()
        for node in model.get_all_compute_nodes().values():
            model.get_node_instances(node).clear()
        model.get_all_compute_nodes().clear()

    def check(self, pair: Pair) -> None:
        model, naive = pair.model, pair.naive
        same_elements(model.get_all_compute_nodes(), naive.elements["nodes"])
        same_elements(model.get_all_instances(), naive.elements["instances"])
        for key in NODES:
            self.check_node(model, naive, key)
        for key in INSTANCES:
            self.check_instance(model, naive, key)
        assert sorted(model.edges()) == sorted(naive.edges)
        self.check_names(model, naive)

    def check_node(self, model: TachyonClusterModel, naive: Naive, key: str) -> None:
        if key not in naive.elements["nodes"]:
            with pytest.raises(x.ComputeNodeNotFound):
                model.get_node_by_uuid(key)
            with pytest.raises(x.NoSuchEdge):
                model.get_node_instances(ComputeNode(uuid=key))
            return
        node = model.get_node_by_uuid(key)
        assert node is model.get_all_compute_nodes()[key]
        assert [i.uuid for i in model.get_node_instances(ComputeNode(uuid=key))] == naive.of(key)
        assert list(model.predecessors(key)) == naive.of(key)
        try:
            used = naive.sums("instances", key, ("vcpus", "memory", "disk"))
        except KeyError:
            return
        assert list(model.get_node_used_resources(node).values()) == used
        model.get_node_used_resources(node).clear()
        if all(name in naive.elements["nodes"][key] for name in drawing.ROOM):
            free = model.get_node_free_resources(node)
            capacities = (node.vcpu_capacity, node.memory_mb_capacity, node.disk_gb_capacity)
            assert list(free.values()) == [c - u for c, u in zip(capacities, used, strict=True)]

    def check_instance(self, model: TachyonClusterModel, naive: Naive, key: str) -> None:
        if key not in naive.elements["instances"]:
            with pytest.raises(x.InstanceNotFound):
                model.get_instance_by_uuid(key)
            with pytest.raises(x.ComputeResourceNotFound):
                model.get_node_by_instance_uuid(key)
        elif on := naive.on(key):
            assert model.get_node_by_instance_uuid(key).uuid == on[0]
        else:
            with pytest.raises(x.InstanceNotMapped):
                model.get_node_by_instance_uuid(key)

    def check_names(self, model: TachyonClusterModel, naive: Naive) -> None:
        first: dict[Any, str] = {}
        for key, values in naive.elements["nodes"].items():
            first.setdefault(values.get("hostname"), key)
        for name in ("alpha", "beta", "gamma", "nobody"):
            if name in first:
                assert model.get_node_by_name(name).uuid == first[name]
            else:
                with pytest.raises(x.ComputeNodeNotFound):
                    model.get_node_by_name(name)


class StorageMachine(Machine):
    kinds = ("nodes", "pools", "volumes")

    @rule(number=which, key=hosts, values=drawing.storage_nodes)
    def add_node(self, number: int, key: str, values: dict[str, Any]) -> None:
        self.add(number, "nodes", StorageNode(host=key, **values))

    @rule(number=which, key=pools, values=drawing.pools)
    def add_pool(self, number: int, key: str, values: dict[str, Any]) -> None:
        self.add(number, "pools", Pool(name=key, **values))

    @rule(number=which, key=volumes, values=drawing.volumes)
    def add_volume(self, number: int, key: str, values: dict[str, Any]) -> None:
        self.add(number, "volumes", Volume(uuid=key, **values))

    def add(self, number: int, kind: str, element: Element) -> None:
        pair = self.pair(number)
        pair.naive.put(kind, getattr(element, element.key_field), element.as_dict())
        getattr(pair.model, f"add_{kind[:-1]}")(element)

    @rule(number=which, key=hosts)
    def remove_node(self, number: int, key: str) -> None:
        self.remove(number, "nodes", StorageNode(host=key), x.StorageNodeNotFound)

    @rule(number=which, key=pools)
    def remove_pool(self, number: int, key: str) -> None:
        self.remove(number, "pools", Pool(name=key), x.PoolNotFound)

    @rule(number=which, key=volumes)
    def delete_volume(self, number: int, key: str) -> None:
        self.remove(number, "volumes", Volume(uuid=key), x.VolumeNotFound)

    def remove(self, number: int, kind: str, element: Element, missing: type[Exception]) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        key = getattr(element, element.key_field)
        remove = getattr(model, f"remove_{kind[:-1]}")
        if key in naive.elements[kind]:
            remove(element)
            naive.drop(kind, key)
        else:
            with pytest.raises(missing):
                remove(element)

    @rule(number=which, pool=pools, host=hosts)
    def map_pool(self, number: int, pool: str, host: str) -> None:
        self.link(number, "pools", pool, "nodes", host, "map_pool")

    @rule(number=which, volume=volumes, pool=pools)
    def map_volume(self, number: int, volume: str, pool: str) -> None:
        self.link(number, "volumes", volume, "pools", pool, "map_volume")

    def link(self, number: int, kind: str, child: str, above: str, parent: str, call: str) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        if child in naive.elements[kind] and parent in naive.elements[above]:
            getattr(model, call)(child, parent)
            naive.link(child, parent)
        else:
            with pytest.raises(x.StorageResourceNotFound):
                getattr(model, call)(child, parent)

    @rule(number=which, pool=pools, host=hosts)
    def unmap_pool(self, number: int, pool: str, host: str) -> None:
        self.unlink(number, pool, host, "unmap_pool")

    @rule(number=which, volume=volumes, pool=pools)
    def unmap_volume(self, number: int, volume: str, pool: str) -> None:
        self.unlink(number, volume, pool, "unmap_volume")

    def unlink(self, number: int, child: str, parent: str, call: str) -> None:
        model, naive = self.pair(number).model, self.pair(number).naive
        if (child, parent) in naive.edges:
            getattr(model, call)(child, parent)
            naive.unlink(child, parent)
        else:
            with pytest.raises((x.NoSuchEdge, x.StorageResourceNotFound)):
                getattr(model, call)(child, parent)

    @rule(number=which, key=pools, values=drawing.pools)
    def write_pool(self, number: int, key: str, values: dict[str, Any]) -> None:
        pair = self.pair(number)
        if key in pair.naive.elements["pools"]:
            self.write(pair, "pools", pair.model.get_pool_by_pool_name(key), values)

    @rule(number=which, key=volumes, values=drawing.volumes)
    def write_volume(self, number: int, key: str, values: dict[str, Any]) -> None:
        pair = self.pair(number)
        if key in pair.naive.elements["volumes"]:
            self.write(pair, "volumes", pair.model.get_volume_by_uuid(key), values)

    def check(self, pair: Pair) -> None:
        model, naive = pair.model, pair.naive
        same_elements(model.get_all_storage_nodes(), naive.elements["nodes"])
        same_elements(model.get_all_volumes(), naive.elements["volumes"])
        for host in naive.elements["nodes"]:
            node = model.get_node_by_name(f"{host}#anything")
            assert [p.name for p in model.get_node_pools(node)] == naive.of(host)
        for name, values in naive.elements["pools"].items():
            pool = model.get_pool_by_pool_name(name)
            assert pool.as_dict() == values
            assert [v.uuid for v in model.get_pool_volumes(Pool(name=name))] == naive.of(name)
            if on := naive.on(name):
                assert model.get_node_by_pool_name(name).host == on[0]
            else:
                with pytest.raises(x.StorageNodeNotFound):
                    model.get_node_by_pool_name(name)
        for uuid in naive.elements["volumes"]:
            self.check_volume(model, naive, uuid)
        assert sorted(model.edges()) == sorted(naive.edges)

    def check_volume(self, model: TachyonStorageModel, naive: Naive, uuid: str) -> None:
        if on := naive.on(uuid):
            assert model.get_pool_by_volume(Volume(uuid=uuid)).name == on[0]
        else:
            with pytest.raises(x.PoolNotFound):
                model.get_pool_by_volume(Volume(uuid=uuid))
