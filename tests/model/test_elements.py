"""Elements hold typed fields, whatever is written to them, and compare by content."""

from __future__ import annotations

import copy
import enum
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from tachyon.optimize.model import TachyonClusterModel
from tachyon.optimize.model.elements import (
    ComputeNode,
    Element,
    Instance,
    IronicNode,
    Pool,
    StorageNode,
    Volume,
)


class ServiceState(enum.Enum):
    OFFLINE = "down"


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (
            ComputeNode,
            "hostname status disabled_reason state memory memory_mb_reserved disk "
            "disk_gb_reserved vcpus vcpu_reserved memory_ratio vcpu_ratio disk_ratio uuid",
        ),
        (
            Instance,
            "watcher_exclude name state memory disk vcpus metadata project_id locked host "
            "hypervisor_hostname created pinned_az flavor_extra_specs uuid",
        ),
        (StorageNode, "host zone status state volume_type uuid human_id"),
        (
            Pool,
            "name total_volumes total_capacity_gb free_capacity_gb provisioned_capacity_gb "
            "allocated_capacity_gb virtual_free uuid human_id",
        ),
        (
            Volume,
            "size status attachments name multiattach snapshot_id project_id metadata bootable "
            "volume_type created_at host uuid human_id",
        ),
        (IronicNode, "power_state maintenance maintenance_reason extra uuid human_id"),
    ],
)
def test_fields_are_those_of_watcher_in_its_order(cls: type[Element], fields: str) -> None:
    assert list(cls.fields) == fields.split()


@pytest.mark.parametrize(
    ("cls", "defaults"),
    [
        (ComputeNode, {"status": "enabled", "state": "up"}),
        (
            Instance,
            {
                "watcher_exclude": False,
                "state": "active",
                "locked": False,
                "pinned_az": "",
                "flavor_extra_specs": {},
            },
        ),
        (StorageNode, {"status": "enabled", "state": "up", "uuid": "", "human_id": ""}),
        (Pool, {"virtual_free": 0, "uuid": "", "human_id": ""}),
        (Volume, {"status": "available", "uuid": "", "human_id": ""}),
        (IronicNode, {"human_id": ""}),
    ],
)
def test_an_element_made_of_nothing_has_the_defaults(
    cls: type[Element], defaults: dict[str, Any]
) -> None:
    assert cls().as_dict() == defaults


@pytest.mark.parametrize(
    ("cls", "name", "written", "read"),
    [
        (Instance, "vcpus", "10", 10),
        (Instance, "disk", 3.0, 3),
        (ComputeNode, "vcpu_ratio", "16", 16.0),
        (ComputeNode, "hostname", 5, "5"),
        (ComputeNode, "disabled_reason", None, None),
        (ComputeNode, "state", ServiceState.OFFLINE, ServiceState.OFFLINE),
        (Instance, "locked", "False", False),
        (Instance, "locked", "True", True),
        (Instance, "watcher_exclude", 1, True),
        (Instance, "metadata", '{"optimize": true}', {"optimize": True}),
        (Instance, "flavor_extra_specs", None, {}),
        (Instance, "created", "2026-02-09T18:55:13Z", datetime(2026, 2, 9, 18, 55, 13, tzinfo=UTC)),
        (
            Instance,
            "created",
            datetime(2026, 2, 9, 18, 55, 13),
            datetime(2026, 2, 9, 18, 55, 13, tzinfo=UTC),
        ),
        (Volume, "snapshot_id", "", None),
        (Volume, "attachments", "[{'server_id': 'a'}]", [{"server_id": "a"}]),
        (StorageNode, "volume_type", "lvm", ["lvm"]),
        (StorageNode, "volume_type", "['lvm', 'ceph']", ["lvm", "ceph"]),
        (StorageNode, "volume_type", ("lvm",), ["lvm"]),
        (IronicNode, "extra", {"compute_node_id": 1}, {"compute_node_id": 1}),
        (IronicNode, "maintenance", "false", False),
    ],
)
def test_what_is_written_takes_the_fields_type(
    cls: type[Element], name: str, written: Any, read: Any
) -> None:
    made, changed, keyed = cls(**{name: written}), cls(), cls()
    setattr(changed, name, written)
    keyed[name] = written
    assert made[name] == changed.get(name) == getattr(keyed, name) == read
    assert type(made[name]) is type(read)


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Instance, "vcpus", -1),
        (Instance, "vcpus", "many"),
        (ComputeNode, "vcpu_ratio", -0.5),
        (ComputeNode, "hostname", None),
        (ComputeNode, "hostname", ["a"]),
        (Instance, "metadata", "{"),
        (Instance, "project_id", ""),
        (Instance, "created", "yesterday"),
        (IronicNode, "extra", 7),
    ],
)
def test_what_a_field_cannot_hold_is_refused_with_its_name(
    cls: type[Element], name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=name):
        cls(**{name: value})
    element = cls()
    with pytest.raises(ValueError, match=name):
        element[name] = value
    assert not element.obj_attr_is_set(name)


def test_a_field_that_is_not_set_cannot_be_read() -> None:
    node = ComputeNode(uuid="n")
    with pytest.raises(NotImplementedError, match="Cannot load 'vcpus' in the base class"):
        _ = node.vcpus
    with pytest.raises(NotImplementedError):
        _ = node["vcpus"]
    with pytest.raises(NotImplementedError):
        _ = node.vcpu_capacity
    assert not node.obj_attr_is_set("vcpus")
    assert node.get("vcpus", 7) == 7
    assert "vcpus" not in node.as_dict()


def test_what_is_no_field_is_no_field() -> None:
    node = ComputeNode(uuid="n", id=1)
    assert node.id == 1
    assert "id" not in node.as_dict()
    for ask in (lambda: node.nothing, lambda: node.get("id"), lambda: node.obj_attr_is_set("id")):
        with pytest.raises(AttributeError):
            ask()
    with pytest.raises(AttributeError):
        node.vcpu_capacity = 3  # type: ignore[misc]


def test_capacity_is_total_less_reserve_times_ratio() -> None:
    node = ComputeNode(
        vcpus=40, vcpu_reserved=2, vcpu_ratio=16, memory=100, memory_mb_reserved=10, memory_ratio=1,
        disk=250, disk_gb_reserved=50, disk_ratio=1.5,
    )  # fmt: skip
    assert (node.vcpu_capacity, node.memory_mb_capacity, node.disk_gb_capacity) == (608, 90, 300)


def test_an_element_is_a_mapping_of_what_is_set() -> None:
    node = StorageNode(host="h@b", zone="nova")
    assert dict(node.items()) == node.as_dict()
    assert (
        list(node) == list(node.keys()) == ["host", "zone", "status", "state", "uuid", "human_id"]
    )
    assert list(node.values())[:2] == ["h@b", "nova"]
    assert "zone" in node
    assert "volume_type" not in node
    node.update({"zone": "az-1", "hostname": "extra"})
    assert (node.zone, node.hostname) == ("az-1", "extra")


def test_elements_are_equal_by_class_and_content_and_hashed_by_identity() -> None:
    one, other = Instance(uuid="i", vcpus=1), Instance(uuid="i", vcpus=1)
    assert one == other
    assert one != Instance(uuid="i", vcpus=2)
    assert one != Instance(uuid="i")
    assert one != Instance(uuid="j", vcpus=1)
    assert one != ComputeNode(uuid="i")
    assert len({one, other}) == 2
    assert [other].index(one) == 0


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_a_copy_is_detached_and_equal(again: Any) -> None:
    model = TachyonClusterModel()
    model.add_instance(Instance(uuid="i", metadata={"a": {"b": 1}}, note="kept"))
    live = model.get_instance_by_uuid("i")
    made = again(live)
    assert made == live
    assert made.note == "kept"
    made.name = "other"
    assert not live.obj_attr_is_set("name")


def test_a_deep_copy_shares_nothing() -> None:
    instance = Instance(uuid="i", metadata={"a": {"b": 1}})
    made = copy.deepcopy(instance)
    made.metadata["a"]["b"] = 2
    assert instance.metadata == {"a": {"b": 1}}


def test_xml_has_the_fields_that_are_set_as_text() -> None:
    node = ComputeNode(uuid="n", vcpus=4, state=ServiceState.OFFLINE, disabled_reason=None)
    element = node.as_xml_element()
    assert element.tag == "ComputeNode"
    assert dict(element.attrib) == {
        "status": "enabled",
        "disabled_reason": "None",
        "state": "down",
        "vcpus": "4",
        "uuid": "n",
    }


def test_a_field_can_be_unset_again() -> None:
    model = TachyonClusterModel()
    model.add_node(ComputeNode(uuid="n", hostname="a"))
    node = model.get_node_by_uuid("n")
    del node.hostname
    assert not node.obj_attr_is_set("hostname")
    with pytest.raises(AttributeError):
        del node.hostname


def test_defaults_are_nobody_elses() -> None:
    one, other = Instance(), Instance()
    one.flavor_extra_specs["a"] = 1
    assert other.flavor_extra_specs == {}


def test_repr_tells_what_is_set_and_what_is_not() -> None:
    assert repr(Pool(name="p")).startswith("Pool(name='p',total_volumes=<?>")
