"""Where services contradict each other it is counted, by kind, and shows in the account."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors.synchronisation import account
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.emulator.state.compute import Server
from tachyon.openstack.emulator.state.placement import Holder
from tests.collectors.clouds import collect, configuration, connected
from tests.collectors.test_compute import any_server, other_host


def hold(cloud: Cloud, server: Server, held: dict[str, dict[str, int]]) -> None:
    cloud.placement.write([Holder(server.uuid, server.project_id, server.user_id, held=held)])


def hold_elsewhere(emulator: Emulator) -> None:
    server = any_server(emulator)
    (held,) = emulator.cloud.placement.held_by(server.uuid).values()
    hold(emulator.cloud, server, {other_host(emulator, server).uuid: held})


def lose_allocations(emulator: Emulator) -> None:
    emulator.cloud.placement.delete(any_server(emulator).uuid)


def lose_server(emulator: Emulator) -> None:
    server = any_server(emulator)
    emulator.cloud.compute.remove_server(server)


def lose_inventory(emulator: Emulator) -> None:
    """A class of which something is held, and of which there is no inventory any more."""
    placement = emulator.cloud.placement
    (provider,) = placement.held_by(any_server(emulator).uuid)
    del placement.providers[provider].inventories["DISK_GB"]


def lose_provider(emulator: Emulator) -> None:
    empty_host(emulator)
    placement = emulator.cloud.placement
    host = next(h for h in emulator.cloud.compute.hosts.values() if not h.servers)
    del placement.providers[host.uuid]


def lose_host(emulator: Emulator) -> None:
    empty_host(emulator)
    compute = emulator.cloud.compute
    host = next(h for h in compute.hosts.values() if not h.servers)
    del compute.hosts[host.name], compute.hosts_by_node[host.hypervisor_hostname]
    del compute.hosts_by_uuid[host.uuid]


def empty_host(emulator: Emulator) -> None:
    cloud = emulator.cloud
    host = cloud.compute.hosts[any_server(emulator).host or ""]
    for server in list(host.servers.values()):
        cloud.placement.delete(server.uuid)
        cloud.compute.remove_server(server)


def lose_trait(emulator: Emulator) -> None:
    host = next(h for h in emulator.cloud.compute.hosts.values() if not h.disabled)
    host.disabled = True


def lose_volume_service(emulator: Emulator) -> None:
    storage = emulator.cloud.storage
    name = next(iter(storage.pools.values())).backend
    for pool in [p for p in storage.pools.values() if p.backend != name]:
        for volume in list(pool.volumes.values()):
            storage.move(volume, None)
    del storage.backends[name]


def lose_pool(emulator: Emulator) -> None:
    storage = emulator.cloud.storage
    pool = next(p for p in storage.pools.values() if len(p.volumes) == 1)
    del storage.pools[pool.name]


KINDS: dict[str, tuple[str, Callable[[Emulator], None]]] = {
    "server_elsewhere": ("compute", hold_elsewhere),
    "server_without_allocations": ("compute", lose_allocations),
    "allocations_without_server": ("compute", lose_server),
    "inventory_missing": ("compute", lose_inventory),
    "host_without_provider": ("compute", lose_provider),
    "provider_without_host": ("compute", lose_host),
    "status_differs": ("compute", lose_trait),
    "pool_without_service": ("storage", lose_volume_service),
    "volume_without_pool": ("storage", lose_pool),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_disagreement_is_counted_and_shown(
    emulator: Emulator, graph: GraphClient, kind: str
) -> None:
    model, happens = KINDS[kind]
    with connected(emulator) as cloud:
        with connect_graph("sqlite://") as before:
            assert not any(done.reading.disagreements for done in collect(cloud, before).values())
        with emulator.cloud.lock:
            happens(emulator)
        counted = collect(cloud, graph)[model].reading.disagreements
    assert counted[kind] >= 1
    assert set(counted) == {kind}
    found = account(graph.view(), model)
    assert found is not None
    assert found.extra["disagreements"] == dict(counted)


def test_capacities_that_nova_reckons_otherwise_are_counted_and_placements_are_kept(
    emulator: Emulator, graph: GraphClient
) -> None:
    conf = configuration(nova={"api_version": "2.87"})
    with connect(conf, cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud:

        def answered(response: requests.Response, *_: Any, **__: Any) -> None:
            if "/os-hypervisors/detail" in response.url:
                body = response.json()
                body["hypervisors"][0]["memory_mb"] += 1024
                response._content = json.dumps(body).encode()

        cloud.sdk.session.session.hooks["response"].append(answered)
        counted = collect(cloud, graph)["compute"].reading.disagreements
    assert counted == {"capacity_differs": 1}
    for host in graph.providers(type="compute"):
        wanted = emulator.cloud.placement.providers[host.uuid].inventories
        assert host.inventories["MEMORY_MB"].total == wanted["MEMORY_MB"]["total"]
