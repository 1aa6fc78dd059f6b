"""What no service sends an event of is found by the next poll, which costs little."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.errors import CloudUnavailable
from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator.faults import RequestFault
from tachyon.openstack.emulator.state.storage import Volume
from tachyon.openstack.notifications.polling import Poller
from tests.collectors.agreement import content
from tests.collectors.clouds import collect, configuration
from tests.notifications.scenes import MODELS, Scene, assert_agrees
from tests.notifications.scenes import scene as open_scene


def present_scene() -> AbstractContextManager[Scene]:
    """A cloud whose clock shows the present, as Cinder is asked for changes by time.

    It goes a minute ahead: its clock stands still, and a synchronisation that came long after its
    moment, on a busy machine, would count what changes then as old.
    """
    return open_scene(start=datetime.now(UTC) + timedelta(minutes=1))


@pytest.fixture
def scene() -> Iterator[Scene]:
    with present_scene() as scene:
        yield scene


def poller(graph: GraphClient, scene: Scene) -> Poller:
    return Poller(graph, scene.cloud, MODELS, interval=10.0)


def a_free_volume(scene: Scene) -> Volume:
    volumes = scene.emulator.cloud.storage.volumes.values()
    return next(v for v in volumes if not v.attachments)


def move_silently(scene: Scene, volume: Volume, target: str) -> None:
    """As a driver does it: Cinder changes its record, and no event is sent."""
    storage = scene.emulator.cloud.storage
    with scene.emulator.cloud.lock:
        storage.move(volume, target)
        volume.updated = scene.emulator.cloud.now()


def test_a_volume_that_its_driver_moved_is_found(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    polling = poller(graph, scene)
    volume = a_free_volume(scene)
    for target in [name for name in scene.emulator.cloud.storage.pools if name != volume.pool]:
        move_silently(scene, volume, target)
        assert polling.poll() > 0
        assert graph.consumer(volume.id).allocations.keys() == {target}
        assert_agrees(graph, scene)


def test_a_poll_asks_four_times_and_writes_nothing_while_nothing_happens(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    polling = poller(graph, scene)
    move_silently(scene, a_free_volume(scene), next(iter(scene.emulator.cloud.storage.pools)))
    polling.poll()
    generation, before = graph.view().generation, scene.cloud.requests
    for _ in range(3):
        assert polling.poll() == 0
    assert graph.view().generation == generation
    assert sum((scene.cloud.requests - before).values()) == 3 * 4


def test_services_that_stop_reporting_and_come_back_are_found(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    polling = poller(graph, scene)
    cloud = scene.emulator.cloud
    host = next(h for h in cloud.compute.hosts.values() if not h.disabled)
    backend = next(iter(cloud.storage.backends.values()))
    for alive in (False, True):
        with cloud.lock:
            host.alive = backend.alive = alive
        polling.poll()
        assert graph.provider(host.uuid).state == ("up" if alive else "down")
        assert graph.provider(backend.name).state == ("up" if alive else "down")
        assert_agrees(graph, scene)


def test_a_volume_service_that_is_disabled_is_found(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    backend = next(iter(scene.emulator.cloud.storage.backends.values()))
    with scene.emulator.cloud.lock:
        backend.disabled, backend.disabled_reason = True, "to be replaced"
    poller(graph, scene).poll()
    assert graph.provider(backend.name).disabled_reason == "to be replaced"
    assert_agrees(graph, scene)


def test_what_could_not_be_had_is_asked_for_again(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    polling = poller(graph, scene)
    volume = a_free_volume(scene)
    target = next(name for name in scene.emulator.cloud.storage.pools if name != volume.pool)
    move_silently(scene, volume, target)
    scene.emulator.arm(RequestFault(service="cinder", path=".*get_pools", status=503, times=None))
    with pytest.raises(CloudUnavailable):
        polling.poll()
    scene.emulator.faults.clear()
    # Much else happens before the next poll.
    with scene.emulator.cloud.lock:
        scene.emulator.advance(3600.0)
        other = next(v for v in scene.emulator.cloud.storage.volumes.values() if v != volume)
        other.updated = scene.emulator.cloud.now()
    polling.poll()
    assert_agrees(graph, scene)


def test_before_the_first_synchronisation_nothing_is_asked(
    scene: Scene, graph: GraphClient
) -> None:
    assert poller(graph, scene).poll() == 0
    assert not scene.cloud.requests
    assert content(graph)["provider"] == {}


def test_a_cinder_that_cannot_be_asked_for_changes_is_not(graph: GraphClient) -> None:
    with present_scene() as scene:
        conf = configuration(cinder={"api_version": "3.59"})
        emulator = scene.emulator
        with connect(conf, cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud:
            collect(cloud, graph)
            # It names types of volumes by name alone.
            assert_agrees(graph, scene)
            before = cloud.requests
            Poller(graph, cloud, MODELS, interval=10.0).poll()
            # No volumes: this Cinder would answer with all of them.
            assert sum((cloud.requests - before).values()) == 3


moves = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 3), st.booleans(), st.booleans()), max_size=6
)


@settings(max_examples=4)
@given(moves)
def test_any_silent_changes_are_found(taken: list[tuple[int, int, bool, bool]]) -> None:
    with present_scene() as scene, connect_graph("sqlite://") as graph:
        collect(scene.cloud, graph)
        polling = poller(graph, scene)
        storage = scene.emulator.cloud.storage
        for number, pool, poll, renamed in taken:
            volume = list(storage.volumes.values())[number]
            scene.emulator.advance(7.0)
            if renamed:
                volume.name = f"renamed-{pool}"
            move_silently(scene, volume, list(storage.pools)[pool])
            if poll:
                polling.poll()
        polling.poll()
        assert_agrees(graph, scene)
