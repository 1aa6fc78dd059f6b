"""After an operation on a cloud, its notifications have brought the graph to where it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tachyon.graph.client import GraphClient
from tachyon.openstack.emulator.notifications.nova import instance
from tachyon.openstack.emulator.state.placement import Holder
from tachyon.openstack.notifications.events import Event, plain
from tests.collectors.clouds import collect
from tests.notifications.scenes import DAWN, Scene, apply, assert_agrees


def an_active_server(scene: Scene) -> str:
    servers = scene.emulator.cloud.compute.servers
    return next(
        u for u in sorted(servers) if servers[u].vm_state == "active" and not servers[u].group
    )


STEPS = {
    "live migration": [("os-migrateLive", {"host": None, "block_migration": "auto"})],
    "cold migration, confirmed": [("migrate", None), ("confirmResize", None)],
    "cold migration, not confirmed": [("migrate", None)],
    "cold migration, reverted": [("migrate", None), ("revertResize", None)],
    "stop": [("os-stop", None)],
    "stop and start": [("os-stop", None), ("os-start", None)],
    "cold migration of a stopped server": [
        ("os-stop", None),
        ("migrate", None),
        ("confirmResize", None),
    ],
    "pause": [("pause", None)],
    "pause and unpause": [("pause", None), ("unpause", None)],
    "suspend": [("suspend", None)],
    "suspend and resume": [("suspend", None), ("resume", None)],
    "lock": [("lock", {"locked_reason": "mine"})],
    "lock and unlock": [("lock", {}), ("unlock", None)],
    "shelve": [("shelve", None)],
    "shelve and unshelve": [("shelve", None), ("unshelve", None)],
    "reboot": [("reboot", {"type": "SOFT"}), ("reboot", {"type": "HARD"})],
}


@pytest.mark.integration
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
def test_an_operation_on_a_server(
    scene: Scene, graph: GraphClient, steps: list[tuple[str, object]]
) -> None:
    collect(scene.cloud, graph)
    server = an_active_server(scene)
    for action, arguments in steps:
        assert scene.act(server, action, arguments)
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)


def another_flavor(scene: Scene, server: str) -> str:
    """Return a smaller flavor than the server's."""
    compute = scene.emulator.cloud.compute
    mine = compute.servers[server].flavor
    smaller = [
        f
        for f in compute.flavors.values()
        if f.id != mine.id and f.vcpus <= mine.vcpus and f.ram <= mine.ram and f.disk <= mine.disk
    ]
    return (smaller or [f for f in compute.flavors.values() if f.id != mine.id])[0].id


@pytest.mark.parametrize("ending", ["confirmResize", "revertResize", None])
def test_a_resize(scene: Scene, graph: GraphClient, ending: str | None) -> None:
    collect(scene.cloud, graph)
    server = an_active_server(scene)
    assert scene.act(server, "resize", {"flavorRef": another_flavor(scene, server)})
    assert ending is None or scene.act(server, ending)
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)


@pytest.mark.parametrize("end", ["abort", "force"])
def test_a_live_migration_that_is_cut_short(scene: Scene, graph: GraphClient, end: str) -> None:
    collect(scene.cloud, graph)
    server, nova = an_active_server(scene), scene.cloud.nova
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    nova.post(f"/servers/{server}/action", body)
    scene.emulator.advance(0.3)
    (running,) = nova.get(f"/servers/{server}/migrations")["migrations"]
    # While it runs both hosts are used.
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
    path = f"/servers/{server}/migrations/{running['id']}"
    if end == "abort":
        scene.do(lambda _: nova.delete(path))
    else:
        scene.do(lambda _: nova.post(f"{path}/action", {"force_complete": None}))
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)


def test_a_server_that_is_built_and_deleted(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    before = {c.uuid for c in graph.consumers()}
    flavor = next(iter(scene.emulator.cloud.compute.flavors))
    body = {"server": {"name": "new", "flavorRef": flavor, "networks": "none"}}
    scene.do(lambda cloud: cloud.nova.post("/servers", body))
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
    (made,) = {c.uuid for c in graph.consumers()} - before
    scene.do(lambda cloud: cloud.nova.delete(f"/servers/{made}"))
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
    assert {c.uuid for c in graph.consumers()} == before


def test_an_evacuation_until_its_source_is_back(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    server, compute = an_active_server(scene), scene.emulator.cloud.compute
    source = compute.hosts[compute.servers[server].host or ""]
    path = f"/os-services/{source.service_id}"
    scene.do(lambda cloud: cloud.nova.put(path, {"forced_down": True}))
    assert scene.act(server, "evacuate", {})
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
    # As nova-compute does when it starts again on the source.
    placement = scene.emulator.cloud.placement
    held = placement.held_by(server)
    owner = compute.servers[server]
    left = {uuid: amounts for uuid, amounts in held.items() if uuid != source.uuid}
    placement.write([Holder(server, owner.project_id, owner.user_id, held=left)])
    scene.do(lambda cloud: cloud.nova.put(path, {"forced_down": False}))
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)


def test_a_server_that_is_deleted_softly_keeps_its_room_and_may_come_back(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    uuid = an_active_server(scene)
    server = scene.emulator.cloud.compute.servers[uuid]
    held = graph.consumer(uuid).allocations

    def told(kind: str, state: str, seconds: float) -> Event:
        server.vm_state = state
        at = DAWN + timedelta(seconds=seconds)
        payload = {**instance(server), "state": state, "task_state": None}
        return Event(type=kind, publisher="nova", at=at, payload=plain(payload))

    gone = told("instance.soft_delete.end", "soft-delete", 1)
    apply(graph, scene.cloud, [[gone]])
    assert (graph.consumer(uuid).type, graph.consumer(uuid).allocations) == ("unknown", held)
    assert_agrees(graph, scene)
    back = told("instance.restore.end", "active", 2)
    apply(graph, scene.cloud, [[back], [gone]])
    assert graph.consumer(uuid).type == "instance"
    assert_agrees(graph, scene)
