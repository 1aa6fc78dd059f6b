"""Events late, twice, in any order, in any batches or around a synchronisation: the same graph."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.notifications.events import Event
from tests.collectors.clouds import collect
from tests.notifications.scenes import Scene, applier, apply, assert_agrees
from tests.notifications.scenes import scene as open_scene

ACTIONS: dict[str, Any] = {
    "os-migrateLive": {"host": None, "block_migration": "auto"},
    "migrate": None,
    "confirmResize": None,
    "revertResize": None,
    "os-stop": None,
    "os-start": None,
    "pause": None,
    "unpause": None,
    "suspend": None,
    "resume": None,
    "lock": {},
    "unlock": None,
    "shelve": None,
    "unshelve": None,
    "reboot": {"type": "HARD"},
}
#: Few servers, so that many things happen to each of them.
steps = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from([*ACTIONS, "resize", "delete", "boot", "service"])
    ),
    min_size=1,
    max_size=8,
)


def take(scene: Scene, step: tuple[int, str]) -> None:
    """Do a step, if the cloud allows it."""
    number, action = step
    servers = scene.servers()
    if not servers:
        return
    server = servers[number % len(servers)]
    nova = scene.cloud.nova
    if action == "delete":
        scene.do(lambda _: nova.delete(f"/servers/{server}"))
    elif action == "boot":
        flavor = next(iter(scene.emulator.cloud.compute.flavors))
        body = {"server": {"name": "new", "flavorRef": flavor, "networks": "none"}}
        scene.do(lambda _: nova.post("/servers", body))
    elif action == "service":
        host = sorted(scene.emulator.cloud.compute.hosts.values(), key=lambda h: h.name)[number]
        status = {"status": "enabled" if host.disabled else "disabled"}
        scene.do(lambda _: nova.put(f"/os-services/{host.service_id}", status))
    elif action == "resize":
        flavors = sorted(scene.emulator.cloud.compute.flavors)
        scene.act(server, "resize", {"flavorRef": flavors[number % len(flavors)]})
    else:
        scene.act(server, action, ACTIONS[action])


@st.composite
def deliveries(draw: st.DrawFn, events: list[Event]) -> list[list[Event]]:
    """Draw an order of events, some of them twice, cut into batches."""
    repeated = draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    order = draw(st.permutations([*events, *repeated]))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=4)))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def check(taken: list[tuple[int, str]], data: st.DataObject) -> None:
    with open_scene() as scene, connect_graph("sqlite://") as graph:
        collect(scene.cloud, graph)
        half = data.draw(st.integers(0, len(taken)))
        for step in taken[:half]:
            take(scene, step)
        early = scene.events
        synchronised = data.draw(st.booleans())
        if synchronised:
            apply(graph, scene.cloud, data.draw(deliveries(early)))
            collect(scene.cloud, graph)
        for step in taken[half:]:
            take(scene, step)
        # What was applied before a synchronisation may come again behind it.
        for batch in data.draw(deliveries(scene.events)):
            applier(graph, scene.cloud).apply(batch)
        assert_agrees(graph, scene)


@settings(max_examples=4)
@given(steps, st.data())
def test_any_delivery_ends_where_the_cloud_is(
    taken: list[tuple[int, str]], data: st.DataObject
) -> None:
    check(taken, data)


@pytest.mark.integration
@settings(max_examples=int(os.environ.get("TACHYON_EXAMPLES", "40")))
@given(steps, st.data())
def test_any_delivery_of_many_scenes_ends_where_the_cloud_is(
    taken: list[tuple[int, str]], data: st.DataObject
) -> None:
    check(taken, data)
