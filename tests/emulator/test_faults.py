"""Faults on demand go off where and as often as they are armed for."""

from __future__ import annotations

import time

import pytest
import requests

from tachyon import conf as options
from tachyon.errors import CloudUnavailable
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import (
    Emulator,
    NotificationFault,
    RequestFault,
    WorkFault,
)


@pytest.fixture
def impatient(emulator: Emulator) -> Connection:
    conf = options.load()
    conf.set_override("http_retries", 0, group="nova")
    connection = connect(conf, cloud=emulator.name, clouds_file=emulator.clouds_yaml)
    assert connection.nova.microversion
    return connection


def first_server(emulator: Emulator) -> str:
    return next(s.uuid for s in emulator.cloud.compute.servers.values() if s.host == "compute-1")


def migrate(emulator: Emulator, cloud: Connection, uuid: str, host: str | None) -> None:
    body = {"os-migrateLive": {"host": host, "block_migration": "auto"}}
    cloud.nova.post(f"/servers/{uuid}/action", body)
    emulator.settle()


def test_a_request_fault_goes_off_as_often_as_it_is_armed(
    emulator: Emulator, impatient: Connection
) -> None:
    emulator.arm(RequestFault(service="nova", path="/v2.1/os-services", status=503, times=2))
    impatient.nova.get("/os-aggregates")
    for _ in range(2):
        with pytest.raises(CloudUnavailable):
            impatient.nova.get("/os-services")
    assert impatient.nova.get("/os-services")["services"]
    ((_, times),) = emulator.faults.armed()
    assert times == 2


def test_a_lost_answer_leaves_its_effect_and_a_reset_does_not(
    emulator: Emulator, impatient: Connection
) -> None:
    uuid = first_server(emulator)
    lock = {"lock": None}
    emulator.arm(RequestFault(method="POST", reset="before"))
    with pytest.raises(CloudUnavailable):
        impatient.nova.post(f"/servers/{uuid}/action", lock)
    assert not emulator.cloud.compute.servers[uuid].locked
    emulator.arm(RequestFault(method="POST", reset="after"))
    with pytest.raises(CloudUnavailable):
        impatient.nova.post(f"/servers/{uuid}/action", lock)
    assert emulator.cloud.compute.servers[uuid].locked


def test_latency_holds_back_the_request_that_it_is_armed_for(
    emulator: Emulator, impatient: Connection
) -> None:
    emulator.arm(RequestFault(service="nova", latency=0.3))
    began = time.monotonic()
    impatient.nova.get("/os-services")
    assert time.monotonic() - began >= 0.3


def test_a_failed_live_migration_leaves_the_server_and_its_allocations_where_they_were(
    emulator: Emulator, cloud: Connection
) -> None:
    uuid = first_server(emulator)
    before = emulator.cloud.placement.held_by(uuid)
    emulator.arm(WorkFault(kind="live-migration", resource=uuid, host="compute-6"))
    migrate(emulator, cloud, uuid, "compute-6")
    server = emulator.cloud.compute.servers[uuid]
    assert (server.host, server.status, server.task_state) == ("compute-1", "ACTIVE", None)
    assert emulator.cloud.placement.held_by(uuid) == before
    assert emulator.cloud.compute.migrations_of[uuid][0].status == "failed"
    kinds = [n.event_type for n in emulator.notifications]
    assert "instance.live_migration_rollback.end" in kinds
    migrate(emulator, cloud, uuid, "compute-6")
    assert server.host == "compute-6"


def test_a_failed_cold_migration_ends_in_error_with_a_fault(
    emulator: Emulator, cloud: Connection
) -> None:
    uuid = first_server(emulator)
    emulator.arm(WorkFault(kind="migration"))
    cloud.nova.post(f"/servers/{uuid}/action", {"migrate": None})
    emulator.settle()
    body = cloud.nova.get(f"/servers/{uuid}")["server"]
    assert (body["status"], body["fault"]["code"]) == ("ERROR", 500)
    assert body["OS-EXT-SRV-ATTR:host"] == "compute-1"


@pytest.mark.parametrize("reason", ["disabled", "down", "full", "unknown to the scheduler"])
def test_a_destination_that_does_not_qualify_ends_the_migration_in_error(
    emulator: Emulator, cloud: Connection, reason: str
) -> None:
    uuid = first_server(emulator)
    host = emulator.cloud.compute.hosts["compute-6"]
    if reason == "disabled":
        host.disabled = True
    elif reason == "down":
        host.alive = False
    elif reason == "full":
        emulator.cloud.placement.providers[host.uuid].used["MEMORY_MB"] = 32_000
    else:
        emulator.cloud.compute.servers[uuid].pinned_zone = "elsewhere"
    migrate(emulator, cloud, uuid, "compute-6")
    server = emulator.cloud.compute.servers[uuid]
    assert (server.host, server.status, server.task_state) == ("compute-1", "ACTIVE", None)
    assert emulator.cloud.compute.migrations_of[uuid][0].status == "error"


def test_notifications_are_lost_and_repeated_on_demand(
    emulator: Emulator, cloud: Connection
) -> None:
    uuid = first_server(emulator)
    emulator.arm(
        NotificationFault(event_type=r"instance\.power_off\.end"),
        NotificationFault(event_type=r"instance\.power_off\.start", action="repeat"),
    )
    cloud.nova.post(f"/servers/{uuid}/action", {"os-stop": None})
    emulator.settle()
    kinds = [n.event_type for n in emulator.notifications]
    assert kinds.count("instance.power_off.start") == 2
    assert "instance.power_off.end" not in kinds


def test_faults_are_armed_shown_and_cleared_over_http(emulator: Emulator) -> None:
    url = f"{emulator.url}/_emulator/faults"
    fault = {"type": "request", "service": "cinder", "status": 500}
    assert requests.post(url, json=fault, timeout=10).status_code == 201
    (shown,) = requests.get(url, timeout=10).json()["faults"]
    assert (shown["service"], shown["status"], shown["gone_off"]) == ("cinder", 500, 0)
    assert requests.get(f"{emulator.url}/volume/", timeout=10).status_code == 500
    assert requests.delete(url, timeout=10).status_code == 204
    assert requests.get(f"{emulator.url}/volume/", timeout=10).status_code == 300
    wrong = requests.post(url, json={"type": "request", "statu": 500}, timeout=10)
    assert wrong.status_code == 400
    assert "statu" in wrong.json()["error"]["message"]


def test_time_passes_over_http(emulator: Emulator, cloud: Connection) -> None:
    uuid = first_server(emulator)
    cloud.nova.post(f"/servers/{uuid}/action", {"os-stop": None})
    url = f"{emulator.url}/_emulator"
    assert not requests.get(url, timeout=10).json()["idle"]
    requests.post(f"{url}/clock", json={"seconds": 10}, timeout=10).raise_for_status()
    assert requests.get(url, timeout=10).json()["idle"]
    assert emulator.cloud.compute.servers[uuid].status == "SHUTOFF"


def test_a_host_that_is_killed_is_down_until_it_is_revived(
    emulator: Emulator, cloud: Connection
) -> None:
    def state() -> str:
        params = {"host": "compute-2"}
        found: str = cloud.nova.get("/os-services", params)["services"][0]["state"]
        return found

    url = f"{emulator.url}/_emulator/hosts/compute-2"
    requests.post(f"{url}/kill", timeout=10).raise_for_status()
    assert state() == "down"
    requests.post(f"{url}/revive", timeout=10).raise_for_status()
    assert state() == "up"


def test_a_volume_is_not_migrated_to_a_pool_that_does_not_offer_its_type(
    emulator: Emulator, cloud: Connection
) -> None:
    """Cinder's API accepts it; the scheduler refuses, and the volume is as it was."""
    storage = emulator.cloud.storage
    volume = next(v for v in storage.volumes.values() if not v.attachments)
    kind, source = storage.types[volume.type_id or ""], volume.pool
    target = next(name for name in storage.pools if name != source)
    kind.extra_specs["volume_backend_name"] = "elsewhere"
    cloud.cinder.post(f"/volumes/{volume.id}/action", {"os-migrate_volume": {"host": target}})
    emulator.settle()
    assert (volume.pool, volume.status) == (source, "available")
    assert volume.migration_status == "error"
