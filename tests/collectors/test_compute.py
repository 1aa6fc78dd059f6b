"""The compute model where services fail, contradict each other, or servers are on their way."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tachyon.errors import CloudError
from tachyon.graph.client import GraphClient
from tachyon.graph.entities import ResourceProvider
from tachyon.openstack.collectors.synchronisation import account
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.emulator.faults import RequestFault
from tachyon.openstack.emulator.state.compute import Host, Migration, Server
from tachyon.openstack.emulator.state.placement import Holder
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect


def busy_host(graph: GraphClient) -> ResourceProvider:
    return next(p for p in graph.providers(type="compute") if graph.provider_consumers(p.uuid))


def any_server(emulator: Emulator) -> Server:
    """A server that holds all it has on the one provider of its host."""
    placement = emulator.cloud.placement
    return next(
        s
        for s in emulator.cloud.compute.servers.values()
        if s.host is not None
        and placement.held_by(s.uuid).keys() == {emulator.cloud.compute.hosts[s.host].uuid}
    )


def other_host(emulator: Emulator, server: Server) -> Host:
    """Another host that has its CPUs in one provider."""
    placement = emulator.cloud.placement
    return next(
        host
        for host in emulator.cloud.compute.hosts.values()
        if host.name != server.host and "VCPU" in placement.providers[host.uuid].inventories
    )


def used(graph: GraphClient) -> dict[str, dict[str, int]]:
    """Usage by provider, as the graph reckons it."""
    view = graph.view()
    return {
        uuid: {name: int(view.used[row, column]) for name, column in view.class_index.items()}
        for uuid, row in view.providers.index.items()
        if view.providers.record[row] is not None
    }


def assert_usage_is_placements(emulator: Emulator, graph: GraphClient) -> None:
    found = used(graph)
    for uuid, provider in emulator.cloud.placement.providers.items():
        wanted = {name: amount for name, amount in provider.used.items() if amount}
        assert {name: amount for name, amount in found[uuid].items() if amount} == wanted


def test_a_host_that_cannot_be_had_keeps_its_last_known_state_and_is_stale(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    before = content(graph)
    host = busy_host(graph)
    with emulator.cloud.lock:
        emulator.cloud.placement.providers[host.uuid].generation += 1
    path = f".*/resource_providers/{host.uuid}/.*"
    emulator.arm(RequestFault(service="placement", path=path, status=500, times=None))
    done = collect(cloud, graph)
    assert done["compute"].reading.missing == [host.name]
    now = graph.provider(host.uuid)
    assert now.extra["stale"] is True
    assert now.inventories == host.inventories
    lines = differences(content(graph), before)
    assert lines == [f"/provider/{host.uuid}/extra/stale: True in place of None"]
    told = account(graph.view(), "compute")
    assert told is not None
    assert told.extra["missing_first"] == [host.name]
    emulator.faults.clear()
    collect(cloud, graph)
    assert differences(content(graph), before) == []


def test_a_failed_listing_of_servers_never_empties_a_host(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    before = content(graph)
    emulator.arm(RequestFault(service="nova", path=".*/servers/detail", status=400, times=None))
    with pytest.raises(CloudError, match="400"):
        collect(cloud, graph)
    assert differences(content(graph), before) == []


def test_hosts_of_similar_names_are_told_apart(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    with emulator.cloud.lock:
        compute = emulator.cloud.compute
        first, second = list(compute.hosts.values())[:2]
        members = {first.name: set(first.servers), second.name: set(second.servers)}
        for host, name in ((first, "cn1"), (second, "cn10")):
            members[name] = members.pop(host.name)
            for aggregate in compute.aggregates.values():
                aggregate.hosts = [name if h == host.name else h for h in aggregate.hosts]
            del compute.hosts[host.name], compute.hosts_by_node[host.hypervisor_hostname]
            host.name = host.hypervisor_hostname = name
            compute.add_host(host)
            for server in host.servers.values():
                server.host = server.node = name
    collect(cloud, graph)
    uuids = {p.name: p.uuid for p in graph.providers(type="compute")}
    view = graph.view()
    for name, wanted in members.items():
        row = view.provider_row(uuids[name])
        here = {u for u, r in view.consumers.index.items() if view.consumers.home[r] == row}
        assert here == wanted


def test_nodes_of_ironic_are_no_compute_hosts(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    with emulator.cloud.lock:
        host = next(h for h in emulator.cloud.compute.hosts.values() if h.servers)
        host.hypervisor_type = "ironic"
    done = collect(cloud, graph)
    providers = {p.uuid: p for p in graph.providers()}
    assert host.uuid not in providers
    assert host.uuid not in {p.parent_uuid for p in providers.values()}
    assert all(graph.consumer(uuid).allocations == {} for uuid in host.servers)
    assert done["compute"].reading.disagreements == {}


def test_a_server_that_placement_holds_nothing_for_is_counted_and_stays_on_its_host(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    server = any_server(emulator)
    with emulator.cloud.lock:
        emulator.cloud.placement.delete(server.uuid)
    for _ in range(2):
        done = collect(cloud, graph)
        assert done["compute"].reading.disagreements == {"server_without_allocations": 1}
        assert server.host is not None
        host = emulator.cloud.compute.hosts[server.host]
        assert graph.consumer(server.uuid).allocations.keys() == {host.uuid}


def test_allocations_that_belong_to_no_server_are_counted_and_take_their_room(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    server = any_server(emulator)
    with emulator.cloud.lock:
        held = emulator.cloud.placement.held_by(server.uuid)
        emulator.cloud.placement.delete(server.uuid)
        emulator.cloud.placement.write([Holder("orphan", "p", "u", held=held)])
        emulator.cloud.compute.remove_server(emulator.cloud.compute.servers[server.uuid])
    done = collect(cloud, graph)
    assert done["compute"].reading.disagreements == {"allocations_without_server": 1}
    orphan = graph.consumer("orphan")
    assert (orphan.type, orphan.locked, orphan.allocations) == ("unknown", True, held)
    assert_usage_is_placements(emulator, graph)
    with emulator.cloud.lock:
        emulator.cloud.placement.delete("orphan")
    assert collect(cloud, graph)["compute"].reading.disagreements == {}
    assert "orphan" not in {c.uuid for c in graph.consumers()}


def begin_migration(emulator: Emulator, server: Server, kind: str) -> tuple[Migration, Host, Host]:
    """Let the server hold a destination and its migration the source, as Nova does."""
    cloud = emulator.cloud
    assert server.host is not None
    source, target = cloud.compute.hosts[server.host], other_host(emulator, server)
    now = cloud.now()
    migration = Migration(
        1,
        "11111111-1111-4111-8111-111111111111",
        server,
        kind,
        source.name,
        now,
        now,
        target.name,
        "running",
    )
    cloud.compute.add_migration(migration)
    held = cloud.placement.held_by(server.uuid)[source.uuid]
    owner = {"project_id": server.project_id, "user_id": server.user_id}
    cloud.placement.write(
        [
            Holder(migration.uuid, **owner, held={source.uuid: held}),
            Holder(server.uuid, **owner, held={target.uuid: held}),
        ]
    )
    return migration, source, target


def test_during_a_live_migration_the_server_is_where_nova_says_and_both_hosts_are_used(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    server = any_server(emulator)
    with emulator.cloud.lock:
        migration, source, target = begin_migration(emulator, server, "live-migration")
        server.task_state = "migrating"
    done = collect(cloud, graph)
    assert graph.consumer(server.uuid).allocations.keys() == {source.uuid}
    assert graph.consumer(server.uuid).extra["task_state"] == "migrating"
    moving = graph.consumer(migration.uuid)
    assert (moving.type, moving.allocations.keys()) == ("migration", {target.uuid})
    assert_usage_is_placements(emulator, graph)
    assert done["compute"].reading.disagreements == {}
    # Read again with nothing changed, it stays so.
    before = content(graph)
    collect(cloud, graph)
    assert differences(content(graph), before) == []
    with emulator.cloud.lock:
        emulator.cloud.placement.delete(migration.uuid)
        emulator.cloud.compute.move(server, target)
        server.task_state = None
        migration.status = "completed"
    collect(cloud, graph)
    assert graph.consumer(server.uuid).allocations.keys() == {target.uuid}
    assert migration.uuid not in {c.uuid for c in graph.consumers()}
    assert_usage_is_placements(emulator, graph)


def test_until_a_resize_is_confirmed_the_migration_holds_the_source(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    server = any_server(emulator)
    with emulator.cloud.lock:
        migration, source, target = begin_migration(emulator, server, "resize")
        emulator.cloud.compute.move(server, target)
        server.vm_state, migration.status = "resized", "finished"
    collect(cloud, graph)
    assert graph.consumer(server.uuid).allocations.keys() == {target.uuid}
    assert graph.consumer(migration.uuid).allocations.keys() == {source.uuid}
    assert_usage_is_placements(emulator, graph)


def test_what_an_evacuation_left_behind_takes_its_room(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    server = any_server(emulator)
    with emulator.cloud.lock:
        placement = emulator.cloud.placement
        assert server.host is not None
        source, target = emulator.cloud.compute.hosts[server.host], other_host(emulator, server)
        held = placement.held_by(server.uuid)[source.uuid]
        both = Holder(
            server.uuid,
            server.project_id,
            server.user_id,
            held={source.uuid: held, target.uuid: held},
        )
        placement.write([both])
        emulator.cloud.compute.move(server, target)
    collect(cloud, graph)
    assert graph.consumer(server.uuid).allocations.keys() == {target.uuid}
    assert_usage_is_placements(emulator, graph)
    with emulator.cloud.lock:
        # The source's generation does not move, as it is not named any more.
        alone = Holder(server.uuid, server.project_id, server.user_id, held={target.uuid: held})
        placement.write([alone])
    collect(cloud, graph)
    assert_usage_is_placements(emulator, graph)


def take_down_cell(cloud: Connection, host: Host) -> None:
    """Let Nova answer as it does (2.69) when the cell of a host cannot be reached."""

    def stubs(body: Any) -> Any:
        for server in body.get("servers", ()):
            if server["OS-EXT-SRV-ATTR:host"] == host.name:
                kept = {name: server[name] for name in ("id", "tenant_id", "created", "links")}
                server.clear()
                server.update(kept, status="UNKNOWN")
        for service in body.get("services", ()):
            if service["host"] == host.name:
                service.clear()
                service.update(binary="nova-compute", host=host.name, status="UNKNOWN")
        if "hypervisors" in body:
            body["hypervisors"] = [
                h for h in body["hypervisors"] if h["service"]["host"] != host.name
            ]
        return body

    def answered(response: requests.Response, *_: Any, **__: Any) -> None:
        if "/compute/" in response.url and response.ok:
            response._content = json.dumps(stubs(response.json())).encode()

    cloud.sdk.session.session.hooks["response"].append(answered)


def test_a_host_in_a_cell_that_does_not_answer_keeps_what_is_known_of_it(
    emulator: Emulator, cloud: Connection, graph: GraphClient
) -> None:
    collect(cloud, graph)
    before = content(graph)
    host = next(h for h in emulator.cloud.compute.hosts.values() if h.servers)
    take_down_cell(cloud, host)
    done = collect(cloud, graph)
    assert host.name in done["compute"].reading.missing
    assert set(host.servers) <= set(done["compute"].reading.missing)
    place = f"/provider/{host.uuid}"
    assert differences(content(graph), before) == [
        f"{place}/extra/stale: True in place of None",
        f"{place}/state: 'down' in place of 'up'",
    ]
