"""Hosts, aggregates, groups, flavors, volumes, pools and nodes after their events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tachyon.errors import CloudError
from tachyon.graph.client import GraphClient
from tachyon.graph.entities import ResourceProvider
from tachyon.openstack.emulator.faults import RequestFault, WorkFault
from tachyon.openstack.emulator.state.storage import Volume
from tachyon.openstack.notifications.events import Event
from tests.collectors.clouds import collect, small_cluster
from tests.notifications.scenes import DAWN, Scene, applier, apply, assert_agrees
from tests.notifications.scenes import scene as open_scene


def event(kind: str, payload: dict[str, Any], seconds: float = 0.0) -> Event:
    return Event(type=kind, publisher="test", at=DAWN + timedelta(seconds=seconds), payload=payload)


def a_host(scene: Scene) -> Any:
    hosts = scene.emulator.cloud.compute.hosts.values()
    return next(h for h in hosts if not h.disabled and h.servers)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "disabled", "disabled_reason": "watcher_maintaining"},
        {"status": "disabled"},
        {"forced_down": True},
    ],
    ids=["disabled with a reason", "disabled", "forced down"],
)
def test_a_compute_service_changes_its_host(
    scene: Scene, graph: GraphClient, change: dict[str, Any]
) -> None:
    collect(scene.cloud, graph)
    path = f"/os-services/{a_host(scene).service_id}"
    scene.do(lambda cloud: cloud.nova.put(path, change))
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
    undone = {"status": "enabled"} if "status" in change else {"forced_down": False}
    scene.do(lambda cloud: cloud.nova.put(path, undone))
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)


@pytest.mark.parametrize("kind", ["service.update", "service.delete", "service.create"])
@pytest.mark.parametrize("binary", ["nova-conductor", "nova-scheduler"])
def test_services_that_are_not_nova_compute_change_nothing(
    scene: Scene, graph: GraphClient, kind: str, binary: str
) -> None:
    collect(scene.cloud, graph)
    before = scene.cloud.requests
    told = {"binary": binary, "host": a_host(scene).name, "disabled": True, "forced_down": True}
    applied = applier(graph, scene.cloud).apply([event(kind, told)])
    assert applied.outcomes == {(kind, "ignored"): 1}
    assert applied.changed == 0
    assert scene.cloud.requests == before


def test_an_event_without_a_host_breaks_nothing(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    told = {"binary": "nova-compute", "host": None}
    applied = applier(graph, scene.cloud).apply([event("service.update", told)])
    assert applied.outcomes == {("service.update", "ignored"): 1}
    assert_agrees(graph, scene)


def test_a_host_comes_when_its_service_is_created_and_goes_when_it_is_deleted(
    scene: Scene, graph: GraphClient
) -> None:
    compute = scene.emulator.cloud.compute
    host = next(h for h in compute.hosts.values() if h.servers)
    indexes = (compute.hosts, compute.hosts_by_uuid, compute.hosts_by_node)
    keys = (host.name, host.uuid, host.hypervisor_hostname)
    for server in list(host.servers.values()):
        compute.move(server, None)
        scene.emulator.cloud.placement.delete(server.uuid)
    for index, key in zip(indexes, keys, strict=True):
        del index[key]
    collect(scene.cloud, graph)
    assert host.uuid not in {p.uuid for p in graph.providers()}
    for index, key in zip(indexes, keys, strict=True):
        index[key] = host
    told = {"binary": "nova-compute", "host": host.name}
    apply(graph, scene.cloud, [[event("service.create", told)]])
    assert_agrees(graph, scene)
    for index, key in zip(indexes, keys, strict=True):
        del index[key]
    apply(graph, scene.cloud, [[event("service.delete", told, 1)]])
    assert host.uuid not in {p.uuid for p in graph.providers()}


def test_a_host_whose_provider_comes_after_its_service_is_looked_for_again(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    host = a_host(scene)
    graph.remove_provider(host.uuid, cascade=True)
    path = f".*/resource_providers/{host.uuid}/inventories"
    scene.emulator.arm(RequestFault(service="placement", path=path, status=404))
    time = [0.0]
    applying = applier(graph, scene.cloud, clock=lambda: time[0])
    applying.apply([event("service.create", {"binary": "nova-compute", "host": host.name})])
    assert host.uuid not in {p.uuid for p in graph.providers()}
    assert applying.due_in == 0.5
    time[0] = 0.6
    applying.settle()
    assert host.uuid in {p.uuid for p in graph.providers()}
    assert applying.due_in is None


def test_a_trait_that_comes_after_its_event_is_looked_for_again(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    host = a_host(scene)
    provider = scene.emulator.cloud.placement.providers[host.uuid]
    path = f"/os-services/{host.service_id}"
    scene.do(lambda cloud: cloud.nova.put(path, {"status": "disabled"}))
    traits, provider.traits = provider.traits, sorted(graph.provider(host.uuid).traits)
    time = [0.0]
    applying = applier(graph, scene.cloud, clock=lambda: time[0])
    applying.apply(scene.events)
    assert graph.provider(host.uuid).status == "disabled"
    assert "COMPUTE_STATUS_DISABLED" not in graph.provider(host.uuid).traits
    provider.traits = traits
    time[0] = 0.6
    applying.settle()
    assert "COMPUTE_STATUS_DISABLED" in graph.provider(host.uuid).traits
    assert applying.due_in is None
    assert_agrees(graph, scene)


def test_a_host_that_calls_its_hypervisor_otherwise_is_found(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    host = a_host(scene)
    graph.remove_provider(host.uuid, cascade=True)
    host.hypervisor_hostname = "quite.another.name"
    apply(
        graph,
        scene.cloud,
        [[event("service.create", {"binary": "nova-compute", "host": host.name})]],
    )
    assert graph.provider(host.uuid).extra["hypervisor_hostname"] == "quite.another.name"


def test_an_ironic_service_makes_no_host(scene: Scene, graph: GraphClient) -> None:
    host = a_host(scene)
    host.hypervisor_type = "ironic"
    collect(scene.cloud, graph)
    applying = applier(graph, scene.cloud)
    applying.apply([event("service.update", {"binary": "nova-compute", "host": host.name})])
    assert host.uuid not in {p.uuid for p in graph.providers()}
    assert applying.due_in is None


def test_aggregates_and_the_zones_that_they_make(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    name = a_host(scene).name
    nova = scene.cloud.nova

    def check() -> None:
        apply(graph, scene.cloud, [scene.events])
        assert_agrees(graph, scene)

    made = nova.post("/os-aggregates", {"aggregate": {"name": "new", "availability_zone": None}})
    check()
    path = f"/os-aggregates/{made['aggregate']['id']}"
    nova.post(f"{path}/action", {"add_host": {"host": name}})
    check()
    assert "new" in next(p for p in graph.providers(name=name)).aggregates
    nova.post(f"{path}/action", {"remove_host": {"host": name}})
    nova.delete(path)
    check()


def test_server_groups_come_and_go(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    body = {"server_group": {"name": "new", "policy": "anti-affinity"}}
    made = scene.cloud.nova.post("/os-server-groups", body)["server_group"]["id"]
    apply(graph, scene.cloud, [[event("server_group.create", {"uuid": made})]])
    assert_agrees(graph, scene)
    scene.cloud.nova.delete(f"/os-server-groups/{made}")
    gone = event("server_group.delete", {"uuid": made}, 1)
    apply(graph, scene.cloud, [[gone], [event("server_group.create", {"uuid": made})]])
    assert_agrees(graph, scene)


def test_flavors_come_change_and_go(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    flavors = scene.emulator.cloud.compute.flavors
    first = next(iter(flavors.values()))
    first.extra_specs["trait:CUSTOM_NEW"] = "required"
    apply(graph, scene.cloud, [[event("flavor.update", {"flavorid": first.id})]])
    assert_agrees(graph, scene)
    used = {s.flavor.id for s in scene.emulator.cloud.compute.servers.values()}
    unused = next(iter(flavors.keys() - used))
    del flavors[unused]
    apply(graph, scene.cloud, [[event("flavor.delete", {"flavorid": unused}, 1)]])
    assert_agrees(graph, scene)


def volumes(scene: Scene) -> list[Volume]:
    return list(scene.emulator.cloud.storage.volumes.values())


def test_a_volume_through_its_life(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    cinder = scene.cloud.cinder
    kind = next(iter(scene.emulator.cloud.storage.types.values()))

    def do(call: Any) -> Any:
        answer = call()
        scene.emulator.settle()
        apply(graph, scene.cloud, [scene.events])
        assert_agrees(graph, scene)
        return answer

    body = {"volume": {"name": "new", "size": 3, "volume_type": kind.name}}
    made = do(lambda: cinder.post("/volumes", body))["volume"]["id"]
    assert graph.consumer(made).type == "volume"
    other = next(t for t in scene.emulator.cloud.storage.types.values() if t.id != kind.id)
    retype = {"os-retype": {"new_type": other.name, "migration_policy": "on-demand"}}
    do(lambda: cinder.post(f"/volumes/{made}/action", retype))
    do(lambda: cinder.delete(f"/volumes/{made}"))
    assert made not in {c.uuid for c in graph.consumers()}


def test_snapshots_of_a_volume_are_counted_as_they_come_and_go(
    scene: Scene, graph: GraphClient
) -> None:
    """Cinder moves no volume that has any, and strategies plan it for none."""
    volume = next(v for v in volumes(scene) if not v.attachments)
    others = [p for p in scene.emulator.cloud.storage.pools if p != volume.pool]
    cinder = scene.cloud.cinder
    collect(scene.cloud, graph)
    taken = []

    def told(count: int | None) -> None:
        apply(graph, scene.cloud, [scene.events])
        assert graph.consumer(volume.id).extra.get("snapshots") == count
        assert_agrees(graph, scene)

    for count in (1, 2):
        body = {"snapshot": {"volume_id": volume.id, "name": f"of day {count}"}}
        taken.append(cinder.post("/snapshots", body)["snapshot"]["id"])
        told(count)
    with pytest.raises(CloudError, match="must not have snapshots"):
        cinder.post(f"/volumes/{volume.id}/action", {"os-migrate_volume": {"host": others[0]}})
    # Whatever else is told of the volume, its snapshots are not forgotten.
    cinder.put(f"/volumes/{volume.id}", {"volume": {"name": "renamed"}})
    told(2)
    for uuid, count in zip(taken, (1, None), strict=True):
        cinder.delete(f"/snapshots/{uuid}")
        told(count)


def test_a_migration_that_has_failed_is_known_until_it_is_reset(
    scene: Scene, graph: GraphClient
) -> None:
    """Strategies leave such a volume alone."""
    volume = next(v for v in volumes(scene) if not v.attachments)
    other = next(p for p in scene.emulator.cloud.storage.pools if p != volume.pool)
    path, cinder = f"/volumes/{volume.id}", scene.cloud.cinder
    scene.emulator.arm(WorkFault(kind="volume-migrate", resource=volume.id))
    scene.do(lambda _: cinder.post(f"{path}/action", {"os-migrate_volume": {"host": other}}))
    collect(scene.cloud, graph)
    assert graph.consumer(volume.id).extra["migration_status"] == "error"
    cinder.put(path, {"volume": {"name": "renamed"}})
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
    cinder.post(f"{path}/action", {"os-reset_status": {"migration_status": "none"}})
    collect(scene.cloud, graph)
    assert "migration_status" not in graph.consumer(volume.id).extra


def test_a_late_event_does_not_bring_back_a_deleted_volume(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    volume = next(v for v in volumes(scene) if not v.attachments)
    told = {"volume_id": volume.id, "host": volume.pool}
    scene.do(lambda cloud: cloud.cinder.delete(f"/volumes/{volume.id}"))
    gone = event("volume.delete.end", told, 1)
    apply(graph, scene.cloud, [[gone], [event("volume.attach.end", told)], [gone]])
    assert volume.id not in {c.uuid for c in graph.consumers()}
    assert_agrees(graph, scene)


def capacity(pool: str, seconds: float = 0.0, **numbers: Any) -> Event:
    at = (DAWN + timedelta(seconds=seconds)).isoformat()
    return event("capacity.pool", {"name_to_id": pool, "reported_at": at, **numbers}, seconds)


def test_a_pool_tells_its_capacities_and_only_news_count(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    pool = next(p for p in graph.providers(type="pool"))
    allocated = pool.extra["allocated_capacity_gb"]
    provisioned = pool.extra["provisioned_capacity_gb"]
    numbers = {"total": 5000.0, "free": 9.0, "provisioned": provisioned, "virtual_free": 3900.0}
    first = capacity(pool.uuid, 1, allocated=allocated, **numbers)
    late = capacity(pool.uuid, 0, allocated=allocated, **{**numbers, "total": 1.0})
    before = scene.cloud.requests
    apply(graph, scene.cloud, [[first], [late], [first]])
    now = graph.provider(pool.uuid)
    assert now.extra["total_capacity_gb"] == 5000.0
    assert now.extra["virtual_free"] == 3900.0
    assert now.inventories["DISK_GB"].total == 5000
    assert scene.cloud.requests == before


def test_a_volume_that_its_driver_moved_is_found_by_the_next_report_of_its_pool(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    storage = scene.emulator.cloud.storage
    volume = volumes(scene)[0]
    target = next(name for name in storage.pools if name != volume.pool)
    storage.move(volume, target)
    found = storage.pools[target]
    told = capacity(target, allocated=found.allocated, free=found.free)
    apply(graph, scene.cloud, [[told]])
    assert graph.consumer(volume.id).allocations.keys() == {target}


@pytest.mark.parametrize("total", ["infinite", "unknown"])
def test_a_pool_without_a_number_is_a_pool_all_the_same(
    scene: Scene, graph: GraphClient, total: str
) -> None:
    found = next(iter(scene.emulator.cloud.storage.pools.values()))
    found.total = total
    collect(scene.cloud, graph)
    apply(graph, scene.cloud, [[capacity(found.name, total=total, free=total, allocated=None)]])
    assert graph.provider(found.name).extra["total_capacity_gb"] == total
    assert graph.provider_usages(found.name).keys() == {"DISK_GB"}
    assert_agrees(graph, scene)


def test_nodes_of_ironic_follow_their_events(graph: GraphClient) -> None:
    cluster = small_cluster().cluster
    node = ResourceProvider(
        uuid="22222222-2222-4222-8222-222222222222",
        name="node-1",
        type="baremetal",
        power_state="power on",
        extra={"compute_node_id": "33333333-3333-4333-8333-333333333333", "rack": {"row": 7}},
    )
    cluster.providers.append(node)
    with open_scene(cluster) as scene:
        collect(scene.cloud, graph)
        assert graph.provider(node.uuid).extra == node.extra
        ironic = scene.cloud.ironic
        scene.do(lambda _: ironic.put(f"/nodes/{node.uuid}/states/power", {"target": "power off"}))
        scene.do(lambda _: ironic.put(f"/nodes/{node.uuid}/maintenance", {"reason": "broken"}))
        apply(graph, scene.cloud, [list(reversed(scene.events))])
        assert_agrees(graph, scene)
        now = graph.provider(node.uuid)
        assert (now.power_state, now.maintenance_reason) == ("power off", "broken")
        baremetal = scene.emulator.cloud.baremetal
        del baremetal.nodes[node.uuid]
        gone = event("baremetal.node.delete.end", {"uuid": node.uuid}, 60)
        apply(graph, scene.cloud, [[gone]])
        assert node.uuid not in {p.uuid for p in graph.providers()}
