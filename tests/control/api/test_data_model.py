"""The data model over HTTP (control plane contract, 2.17)."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.graph.client import GraphClient
from tachyon.graph.entities import AvailabilityZone, Flavor, Inventory, ResourceProvider
from tests.conformance.cluster import host, instance
from tests.control.api.conftest import Api
from tests.control.objects.examples import World

PATH = "/v1/data_model"


@pytest.fixture
def cluster(graph: GraphClient) -> GraphClient:
    """Two hosts in two zones, one of them empty; a pool with a volume; an Ironic node."""
    graph.put_record(Flavor(id="f", vcpus=2, memory_mb=1024, disk_gb=20, extra_specs={"a": "b"}))
    for zone in ("az1", "az2"):
        graph.put_record(AvailabilityZone(name=zone))
    inventories = {
        "VCPU": Inventory(total=16, reserved=2, allocation_ratio=4.0),
        "MEMORY_MB": Inventory(total=32768, reserved=512, allocation_ratio=1.5),
        "DISK_GB": Inventory(total=500, reserved=10),
    }
    full = {"name": "host-b", "availability_zone": "az1", "inventories": inventories}
    graph.put_provider(host("b", **full))
    graph.put_provider(
        host("a", availability_zone="az2", status="disabled", disabled_reason="repair")
    )
    more: dict[str, Any] = {"flavor_id": "f", "project_id": "p", "pinned_az": "az1"}
    graph.put_consumer(instance("vm", "b", metadata={"k": "v"}, locked=True, **more))
    graph.put_provider(
        ResourceProvider(
            uuid="h@lvm",
            name="h@lvm",
            type="storage",
            availability_zone="az1",
            extra={"volume_types": ["gold"]},
        )
    )
    graph.put_provider(
        ResourceProvider(
            uuid="h@lvm#pool",
            name="h@lvm#pool",
            type="pool",
            parent_uuid="h@lvm",
            inventories={"DISK_GB": Inventory(total=100)},
            extra={"total_volumes": 1, "free_capacity_gb": 90},
        )
    )
    held = {"h@lvm#pool": {"DISK_GB": 10}}
    graph.put_consumer(
        instance("vol", type="volume", allocations=held, status="in-use", bootable=True)
    )
    graph.put_provider(
        ResourceProvider(uuid="node", name="metal", type="baremetal", power_state="on")
    )
    return graph


def test_instances_are_listed_with_their_hosts(api: Api, cluster: GraphClient) -> None:
    """By the host's uuid; a host without instances has a row of its own."""
    empty, used = api.ok("GET", PATH, version="1.6")["context"]
    assert empty.keys() == {name for name in used if name.startswith("node_")}
    assert (empty["node_uuid"], empty["node_status"]) == ("a", "disabled")
    assert empty["node_disabled_reason"] == "repair"
    assert used == {
        **{"node_uuid": "b", "node_hostname": "host-b", "node_status": "enabled"},
        **{"node_disabled_reason": None, "node_state": "up"},
        **{"node_memory": 32768, "node_memory_mb_reserved": 512, "node_memory_ratio": 1.5},
        **{"node_disk": 500, "node_disk_gb_reserved": 10, "node_disk_ratio": 1.0},
        **{"node_vcpus": 16, "node_vcpu_reserved": 2, "node_vcpu_ratio": 4.0},
        **{"server_uuid": "vm", "server_name": "name-vm", "server_state": "active"},
        **{"server_memory": 1024, "server_disk": 20, "server_vcpus": 2},
        **{"server_metadata": {"k": "v"}, "server_project_id": "p", "server_locked": True},
        **{"server_watcher_exclude": False, "server_pinned_az": "az1"},
        "server_flavor_extra_specs": {"a": "b"},
    }
    older = api.ok("GET", PATH, version="1.3")["context"][1]
    assert used.keys() - older.keys() == {"server_pinned_az", "server_flavor_extra_specs"}


def test_what_a_server_lacks_is_not_taken_from_another(api: Api, graph: GraphClient) -> None:
    """Servers of a host are listed one after the other, each with what it has itself."""
    graph.put_provider(host("a"))
    graph.put_record(Flavor(id="f", extra_specs={"k": "v"}))
    more: dict[str, Any] = {"metadata": {"k": "v"}, "project_id": "p", "flavor_id": "f"}
    graph.put_consumer(instance("vm-1", "a", locked=True, name="first", **more))
    graph.put_consumer(instance("vm-2", "a", name=""))
    _, bare = api.ok("GET", PATH, version="1.6")["context"]
    assert (bare["server_uuid"], bare["server_locked"], bare["server_name"]) == ("vm-2", False, "")
    assert (bare["server_metadata"], bare["server_flavor_extra_specs"]) == ({}, {})
    assert bare["server_project_id"] is None


def test_an_audit_shows_its_scope(api: Api, cluster: GraphClient, here: World) -> None:
    """Its hosts, and its excluded instances marked."""
    scope = [
        {
            "compute": [
                {"availability_zones": [{"name": "az1"}]},
                {"exclude": [{"instances": [{"uuid": "vm"}]}]},
            ]
        }
    ]
    template = api.ok("POST", "/v1/audit_templates", {"name": "t", "goal": "dummy", "scope": scope})
    audit = api.ok(
        "POST",
        "/v1/audits",
        {"audit_type": "EVENT", "audit_template_uuid": template["uuid"]},
    )
    (row,) = api.ok("GET", f"{PATH}?audit_uuid={audit['uuid']}")["context"]
    assert (row["node_uuid"], row["server_watcher_exclude"]) == ("b", True)
    assert len(api.ok("GET", f"{PATH}?audit_uuid={here.audit.uuid}")["context"]) == 2
    api.fails(400, "GET", f"{PATH}?audit_uuid=00000000-0000-4000-8000-000000000000")
    api.fails(400, "GET", f"{PATH}?audit_uuid=x")


def test_storage_and_baremetal_came_with_1_8(api: Api, cluster: GraphClient) -> None:
    """Below they are not found, as what is no model at all."""
    (row,) = api.ok("GET", f"{PATH}?data_model_type=storage")["context"]
    assert (row["node_host"], row["pool_name"]) == ("h@lvm", "h@lvm#pool")
    assert (row["volume_uuid"], row["volume_size"], row["volume_status"]) == ("vol", 10, "in-use")
    assert (row["pool_free_capacity_gb"], row["volume_bootable"]) == (90, True)
    (row,) = api.ok("GET", f"{PATH}?data_model_type=baremetal")["context"]
    assert (row["node_uuid"], row["node_name"], row["node_power_state"]) == ("node", "metal", "on")
    for kind in ("storage", "baremetal", "other", "", "__class__"):
        version = "1.7" if kind in ("storage", "baremetal") else "1.8"
        api.fails(404, "GET", f"{PATH}?data_model_type={kind}", version=version)


def test_an_empty_graph_is_an_empty_list(api: Api, graph: GraphClient) -> None:
    """No model yet is no error."""
    for kind in ("compute", "storage", "baremetal"):
        assert api.ok("GET", f"{PATH}?data_model_type={kind}") == {"context": []}
