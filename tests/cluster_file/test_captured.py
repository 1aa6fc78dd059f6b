"""Captured answers of a cloud become the cluster that the cloud is."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachyon.errors import ClusterFileError
from tachyon.graph.cluster_file import ClusterFile, encode_cluster_file, read_cluster_file
from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.openstack.captured import read_captured
from tests.cluster_file.shared import DATA

CAPTURE = DATA / "openstack-capture" / "http"
#: The answers that a cluster is made of, one of each; the others repeat them in part.
NEEDED = (
    "cinder-pools-detail",
    "cinder-services",
    "cinder-types",
    "cinder-volumes-detail-all",
    "keystone-projects",
    "nova-aggregates",
    "nova-flavors-detail",
    "nova-hypervisors-detail",
    "nova-hypervisors-detail-2.56",
    "nova-server-groups",
    "nova-server-not-found",
    "nova-servers-detail-all",
    "nova-servers-detail-all-2.56",
    "nova-services",
    "placement-allocations",
    "placement-inventories",
    "placement-provider-allocations",
    "placement-resource-providers",
    "placement-traits",
)
WITH_INVENTORY = "56bdc6de-222c-43cf-8759-861cc115bf15"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "capture"
    copied.mkdir()
    for name in NEEDED:
        shutil.copy(CAPTURE / f"{name}.json", copied)
    return copied


def edit(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    path = folder / f"{name}.json"
    answer = json.loads(path.read_text())
    change(answer["body"])
    path.write_text(json.dumps(answer))


def provider(content: ClusterFile, name: str) -> ResourceProvider:
    return next(p for p in content.cluster.providers if p.name == name)


def consumer(content: ClusterFile, name: str) -> Consumer:
    return next(c for c in content.cluster.consumers if c.name == name)


def test_hosts_are_those_of_nova_with_the_inventories_of_placement() -> None:
    content = read_captured(CAPTURE)
    hosts = [p for p in content.cluster.providers if p.type == "compute"]
    assert sorted(h.name for h in hosts) == [f"compute-{n}" for n in range(1, 7)]
    first = provider(content, "compute-1")
    assert first.uuid == WITH_INVENTORY
    assert first.aggregates == ("rack-1",)
    assert (first.availability_zone, first.status, first.state) == ("nova", "enabled", "up")
    assert "COMPUTE_NODE" in first.traits
    assert first.inventories == {
        "VCPU": Inventory(total=16, allocation_ratio=4.0, max_unit=16),
        "MEMORY_MB": Inventory(total=32768, reserved=512, max_unit=32768),
        "DISK_GB": Inventory(total=500, max_unit=500),
    }


def test_a_host_without_captured_inventories_is_like_one_with(folder: Path) -> None:
    def grow(body: Any) -> None:
        for hypervisor in body["hypervisors"]:
            if hypervisor["hypervisor_hostname"] == "compute-2":
                hypervisor.update(vcpus=32, memory_mb=65536)

    edit(folder, "nova-hypervisors-detail-2.56", grow)
    content = read_captured(folder)
    grown = provider(content, "compute-2").inventories
    assert grown["VCPU"] == Inventory(total=32, allocation_ratio=4.0, max_unit=32)
    assert grown["MEMORY_MB"] == Inventory(total=65536, reserved=512, max_unit=65536)
    assert provider(content, "compute-2").traits == provider(content, "compute-1").traits
    (folder / "nova-hypervisors-detail-2.56.json").unlink()
    content = read_captured(folder)
    alike = {str(p.inventories) for p in content.cluster.providers if p.type == "compute"}
    assert len(alike) == 1


def test_instances_hold_what_placement_or_else_their_flavor_says() -> None:
    content = read_captured(CAPTURE)
    instances = [c for c in content.cluster.consumers if c.type == "instance"]
    counts = Counter(uuid for c in instances for uuid in c.allocations)
    assert sorted(counts.values()) == [1, 2, 2, 3, 4]
    first = consumer(content, "vm-01")
    assert first.allocations == {WITH_INVENTORY: {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 40}}
    elsewhere = consumer(content, "vm-10")
    assert elsewhere.allocations == {
        provider(content, "compute-4").uuid: {"VCPU": 2, "MEMORY_MB": 4096, "DISK_GB": 20}
    }
    assert (first.state, first.status, first.flavor_id) == ("active", "ACTIVE", "4")
    assert first.metadata == {"seed": "yes"}
    assert first.created_at is not None
    assert first.created_at.utcoffset() is not None
    assert first.project_id in {p.external_id for p in content.cluster.projects}


def test_root_disk_swap_and_extra_resources_count_as_in_nova(folder: Path) -> None:
    def change(body: Any) -> None:
        for server in body["servers"]:
            if server["name"] == "vm-10":
                server["image"] = ""
                server["flavor"].update(ephemeral=5, swap=1025)
            if server["name"] == "vm-11":
                server["image"] = ""
                server["flavor"]["extra_specs"] = {"resources:MEMORY_MB": "99"}
            if server["name"] == "vm-12":
                server["OS-EXT-STS:vm_state"] = "deleted"
            if server["name"] == "vm-09":
                server["OS-EXT-SRV-ATTR:host"] = None
                server["pinned_availability_zone"] = "nova"
                server["locked"] = True

    edit(folder, "nova-servers-detail-all", change)
    content = read_captured(folder)
    (held,) = consumer(content, "vm-10").allocations.values()
    assert held == {"VCPU": 2, "MEMORY_MB": 4096, "DISK_GB": 7}
    (held,) = consumer(content, "vm-11").allocations.values()
    assert held == {"VCPU": 1, "MEMORY_MB": 99}
    assert "vm-12" not in {c.name for c in content.cluster.consumers}
    offloaded = consumer(content, "vm-09")
    assert (offloaded.allocations, offloaded.pinned_az, offloaded.locked) == ({}, "nova", True)


def test_a_disabled_service_of_another_name_than_its_hypervisor(folder: Path) -> None:
    def service(body: Any) -> None:
        for entry in body["services"]:
            if entry["host"] == "compute-6":
                entry.update(status="disabled", state="down", host="six")

    def hypervisor(body: Any) -> None:
        for entry in body["hypervisors"]:
            if entry["hypervisor_hostname"] == "compute-6":
                entry["service"].update(host="six", disabled_reason="broken")

    edit(folder, "nova-services", service)
    edit(folder, "nova-hypervisors-detail", hypervisor)
    six = provider(read_captured(folder), "six")
    assert (six.status, six.state, six.disabled_reason) == ("disabled", "down", "broken")
    assert six.extra["hypervisor_hostname"] == "compute-6"


def test_storage_pools_hold_volumes_that_are_attached_to_instances(folder: Path) -> None:
    content = read_captured(folder)
    backend = provider(content, "storage@hdd")
    assert (backend.type, backend.extra["volume_types"]) == ("storage", ["hdd"])
    pool = provider(content, "storage@hdd#hdd-2")
    assert pool.parent_uuid == backend.uuid
    assert pool.inventories["DISK_GB"].capacity == 500
    assert pool.extra["total_volumes"] == 2
    volume = consumer(content, "data-4")
    assert volume.type == "volume"
    assert volume.allocations == {pool.uuid: {"DISK_GB": 5}}
    assert volume.attachments[0].consumer_uuid == consumer(content, "vm-01").uuid
    assert (volume.status, volume.bootable) == ("in-use", False)
    assert volume.flavor_id in {f.id for f in content.cluster.flavors}


def test_thin_and_boundless_pools_take_more(folder: Path) -> None:
    def change(body: Any) -> None:
        first, second, third, fourth = (p["capabilities"] for p in body["pools"])
        first.update(thin_provisioning_support=True, reserved_percentage=10)
        second["total_capacity_gb"] = "infinite"
        third["total_capacity_gb"] = None
        fourth.update(thin_provisioning_support=True, max_over_subscription_ratio="auto")

    edit(folder, "cinder-pools-detail", change)
    content = read_captured(folder)
    thin = provider(content, "storage@ssd#ssd-1").inventories["DISK_GB"]
    assert (thin.total, thin.reserved, thin.capacity) == (200, 20, 3600)
    assert provider(content, "storage@ssd#ssd-2").inventories["DISK_GB"].total == 2**40
    assert provider(content, "storage@hdd#hdd-1").inventories["DISK_GB"].total == 2**40
    assert provider(content, "storage@hdd#hdd-2").inventories["DISK_GB"].capacity == 500


def test_server_groups_and_aggregates_are_kept(folder: Path) -> None:
    member = consumer(read_captured(folder), "vm-01").uuid

    def group(body: Any) -> None:
        body["server_groups"].append(
            {
                "id": "g", "name": "web", "policy": "anti-affinity",
                "rules": {"max_server_per_host": 2}, "members": [member],
            }
        )  # fmt: skip

    edit(folder, "nova-server-groups", group)
    content = read_captured(folder)
    assert content.cluster.server_groups[0].rules == {"max_server_per_host": 2}
    assert consumer(content, "vm-01").server_group == "g"
    assert [a.name for a in content.cluster.host_aggregates] == ["rack-1", "rack-2"]
    assert [z.name for z in content.cluster.availability_zones] == ["nova"]


def test_providers_that_only_placement_knows_are_kept(folder: Path) -> None:
    def add(body: Any) -> None:
        body["resource_providers"].append(
            {"uuid": "numa", "name": "numa0", "parent_provider_uuid": WITH_INVENTORY}
        )

    edit(folder, "placement-resource-providers", add)
    child = provider(read_captured(folder), "numa0")
    assert (child.type, child.parent_uuid) == ("nested", WITH_INVENTORY)


def test_the_whole_capture_gives_the_same_cluster_as_the_needed_part(folder: Path) -> None:
    whole = read_captured(CAPTURE)
    part = read_captured(folder)
    assert encode_cluster_file(whole).split(b"\n")[3:] == encode_cluster_file(part).split(b"\n")[3:]
    assert read_cluster_file(encode_cluster_file(part)).cluster.consumers


def test_a_bad_capture_is_refused_with_its_place(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ClusterFileError, match="cannot be read: No such file"):
        read_captured(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClusterFileError, match="no answer to GET /os-hypervisors/detail"):
        read_captured(tmp_path / "empty")
    edit(folder, "nova-flavors-detail", lambda body: body["flavors"][0].pop("ram"))
    with pytest.raises(ClusterFileError, match=r"nova flavors 1: has not.*KeyError\('ram'\)"):
        read_captured(folder)
    (folder / "nova-flavors-detail.json").write_text("{}")
    with pytest.raises(ClusterFileError, match=r"nova-flavors-detail\.json: is no captured answer"):
        read_captured(folder)


@pytest.mark.parametrize(
    ("name", "change", "place"),
    [
        ("nova-aggregates", lambda body: body.pop("aggregates"), "nova GET /os-aggregates"),
        ("nova-aggregates", lambda body: body["aggregates"][0].pop("hosts"), "an answer"),
        (
            "cinder-volumes-detail-all",
            lambda body: body["volumes"][0].update(size="big"),
            "consumers",
        ),
        (
            "placement-inventories",
            lambda body: body["inventories"]["VCPU"].update(total=-1),
            "nova hypervisors",
        ),
        (
            "nova-servers-detail-all",
            lambda body: body["servers"][0].update(created="noon"),
            "nova servers 1ff5823c",
        ),
    ],
)
def test_an_answer_of_another_form_is_named(
    folder: Path, name: str, change: Callable[[Any], Any], place: str
) -> None:
    edit(folder, name, change)
    with pytest.raises(ClusterFileError, match=place):
        read_captured(folder)
