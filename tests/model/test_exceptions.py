"""A model raises the classes that it was given, and Tachyon's own otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from tachyon.errors import InvalidInput, NotFound, TachyonError
from tachyon.optimize.model import (
    OWN,
    TachyonBaremetalModel,
    TachyonClusterModel,
    TachyonStorageModel,
)
from tachyon.optimize.model.elements import (
    ComputeNode,
    Instance,
    IronicNode,
    Pool,
    StorageNode,
    Volume,
)


class Theirs(Exception):
    def __init__(self, *_: object, **facts: Any) -> None:
        super().__init__(facts)


CASES: list[tuple[str, type, Callable[[Any], Any]]] = [
    ("ComputeNodeNotFound", TachyonClusterModel, lambda m: m.get_node_by_uuid("n")),
    ("ComputeNodeNotFound", TachyonClusterModel, lambda m: m.get_node_by_name("n")),
    ("ComputeNodeNotFound", TachyonClusterModel, lambda m: m.remove_node(ComputeNode(uuid="n"))),
    ("InstanceNotFound", TachyonClusterModel, lambda m: m.get_instance_by_uuid("i")),
    ("InstanceNotFound", TachyonClusterModel, lambda m: m.delete_instance(Instance(uuid="i"))),
    ("InstanceNotFound", TachyonClusterModel, lambda m: m.map_instance("i", "n")),
    ("ComputeResourceNotFound", TachyonClusterModel, lambda m: m.get_node_by_instance_uuid("i")),
    ("NetworkXError", TachyonClusterModel, lambda m: m.get_node_instances(ComputeNode(uuid="n"))),
    ("NetworkXError", TachyonClusterModel, lambda m: m.predecessors("n")),
    ("IllegalArgumentException", TachyonClusterModel, lambda m: m.assert_node("n")),
    ("IllegalArgumentException", TachyonClusterModel, lambda m: m.assert_instance(Pool())),
    ("IllegalArgumentException", TachyonClusterModel, lambda m: m.add_node(Instance(uuid="i"))),
    ("StorageNodeNotFound", TachyonStorageModel, lambda m: m.get_node_by_name("h@b#p")),
    ("StorageResourceNotFound", TachyonStorageModel, lambda m: m.get_node_by_pool_name("p")),
    ("PoolNotFound", TachyonStorageModel, lambda m: m.get_pool_by_pool_name("p")),
    ("PoolNotFound", TachyonStorageModel, lambda m: m.remove_pool(Pool(name="p"))),
    ("VolumeNotFound", TachyonStorageModel, lambda m: m.get_volume_by_uuid("v")),
    ("NetworkXError", TachyonStorageModel, lambda m: m.get_pool_volumes(Pool(name="p"))),
    ("NetworkXError", TachyonStorageModel, lambda m: m.get_node_pools(StorageNode(host="h"))),
    ("IllegalArgumentException", TachyonStorageModel, lambda m: m.assert_volume("v")),
    ("IllegalArgumentException", TachyonStorageModel, lambda m: m.assert_pool(Volume())),
    ("IronicNodeNotFound", TachyonBaremetalModel, lambda m: m.get_node_by_uuid("n")),
    ("IronicNodeNotFound", TachyonBaremetalModel, lambda m: m.remove_node(IronicNode(uuid="n"))),
    ("IllegalArgumentException", TachyonBaremetalModel, lambda m: m.assert_node(None)),
]


@pytest.mark.parametrize(("name", "model", "call"), CASES)
def test_a_model_raises_what_it_was_told_to(
    name: str, model: type, call: Callable[[Any], Any]
) -> None:
    class Told(model):  # type: ignore[misc]
        exceptions = replace(OWN, **{name: Theirs})

    with pytest.raises(getattr(OWN, name)) as raised:
        call(model())
    assert isinstance(raised.value, TachyonError)
    with pytest.raises(Theirs):
        call(Told())


def test_their_families_are_watchers() -> None:
    compute, storage = OWN.ComputeResourceNotFound, OWN.StorageResourceNotFound
    for name in ("InstanceNotFound", "InstanceNotMapped", "ComputeNodeNotFound"):
        assert issubclass(getattr(OWN, name), compute)  # type: ignore[arg-type]
    for name in ("StorageNodeNotFound", "PoolNotFound", "VolumeNotFound"):
        assert issubclass(getattr(OWN, name), storage)  # type: ignore[arg-type]
    assert issubclass(OWN.IronicNodeNotFound, OWN.BaremetalResourceNotFound)  # type: ignore[arg-type]
    missing = [f.name for f in fields(OWN) if f.name.endswith(("NotFound", "NotMapped"))]
    assert len(missing) == 10
    assert all(issubclass(getattr(OWN, name), NotFound) for name in missing)
    assert issubclass(OWN.IllegalArgumentException, InvalidInput)  # type: ignore[arg-type]


def test_a_message_names_what_is_missing() -> None:
    with pytest.raises(NotFound, match="The instance i-7 could not be found"):
        TachyonClusterModel().get_instance_by_uuid("i-7")
