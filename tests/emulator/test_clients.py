"""openstacksdk's own calls find here what they find in a cloud."""

from __future__ import annotations

import pytest

from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator import Emulator


def test_lists_of_every_service(emulator: Emulator, cloud: Connection) -> None:
    sdk, state = cloud.sdk, emulator.cloud
    assert {s.id for s in sdk.compute.servers(all_projects=True, limit=5)} == set(
        state.compute.servers
    )
    hypervisors = list(sdk.compute.hypervisors(details=True, with_servers=True))
    assert {h.name for h in hypervisors} == set(state.compute.hosts)
    assert sum(len(h.servers) for h in hypervisors) == len(state.compute.servers)
    assert {f.name for f in sdk.compute.flavors(get_extra_specs=True)} >= {"tiny", "large"}
    assert {a.name for a in sdk.compute.aggregates()} == {"rack-1", "rack-2"}
    assert {z.name for z in sdk.compute.availability_zones(details=True)} == {"internal", "nova"}
    assert list(sdk.compute.server_groups(all_projects=True)) == []
    assert {p.id for p in sdk.placement.resource_providers()} == set(state.placement.providers)
    assert {v.id for v in sdk.block_storage.volumes(all_projects=True, limit=2)} == set(
        state.storage.volumes
    )
    assert {p.name for p in sdk.block_storage.backend_pools()} == set(state.storage.pools)
    assert {t.name for t in sdk.block_storage.types()} >= {"ssd", "hdd"}
    assert {p.name for p in sdk.identity.projects()} >= {"admin", "service"}


def test_a_server_is_moved_stopped_and_resized(emulator: Emulator, cloud: Connection) -> None:
    compute = cloud.sdk.compute
    server = next(s for s in compute.servers(all_projects=True) if s.compute_host == "compute-2")
    compute.live_migrate_server(server, host="compute-6", block_migration="auto")
    emulator.settle()
    assert compute.get_server(server).compute_host == "compute-6"
    compute.migrate_server(server)
    emulator.settle()
    assert compute.get_server(server).status == "VERIFY_RESIZE"
    compute.confirm_server_resize(server)
    emulator.settle()
    compute.stop_server(server)
    emulator.settle()
    assert compute.get_server(server).status == "SHUTOFF"
    flavor = compute.find_flavor("large")
    compute.resize_server(server, flavor.id)
    emulator.settle()
    compute.revert_server_resize(server)
    emulator.settle()
    assert compute.get_server(server).status == "SHUTOFF"
    kinds = [m.migration_type for m in compute.migrations(instance_uuid=server.id)]
    assert kinds == ["resize", "migration", "live-migration"]


def test_a_service_is_disabled_and_enabled(cloud: Connection) -> None:
    compute = cloud.sdk.compute
    (service,) = compute.services(host="compute-3", binary="nova-compute")
    compute.disable_service(service, disabled_reason="maintenance")
    (found,) = compute.services(host="compute-3", binary="nova-compute")
    assert (found.status, found.disabled_reason) == ("disabled", "maintenance")
    compute.enable_service(service)
    (found,) = compute.services(host="compute-3", binary="nova-compute")
    assert (found.status, found.disabled_reason) == ("enabled", None)


def test_a_volume_is_moved_and_retyped(emulator: Emulator, cloud: Connection) -> None:
    storage = cloud.sdk.block_storage
    volume = next(v for v in storage.volumes(all_projects=True) if v.name == "data-1")
    storage.migrate_volume(volume, host="storage@ssd#ssd-2")
    emulator.settle()
    assert storage.get_volume(volume).host == "storage@ssd#ssd-2"
    storage.retype_volume(volume, "hdd", migration_policy="on-demand")
    emulator.settle()
    assert storage.get_volume(volume).host.startswith("storage@hdd#")


@pytest.mark.parametrize("version", ["2.46", "2.56", "2.72", "2.88", "2.96", "2.100"])
def test_fields_come_with_the_microversion_that_brought_them(
    emulator: Emulator, cloud: Connection, version: str
) -> None:
    uuid = next(iter(emulator.cloud.compute.servers))
    server = cloud.nova.request("GET", f"/servers/{uuid}", microversion=version)["server"]
    minor = int(version.partition(".")[2])
    assert ("original_name" in server["flavor"]) == (minor >= 47)
    assert ("locked_reason" in server) == (minor >= 73)
    assert ("pinned_availability_zone" in server) == (minor >= 96)
    assert ("scheduler_hints" in server) == (minor >= 100)
    path = "/os-hypervisors/detail"
    hypervisor = cloud.nova.request("GET", path, microversion=version)["hypervisors"][0]
    assert ("vcpus" in hypervisor) == (minor < 88)
