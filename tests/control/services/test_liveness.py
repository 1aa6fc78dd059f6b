"""Signs of life: who is there, and who is told of changes."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from tachyon.control.objects.service import APPLIER
from tachyon.control.services import Heartbeat, Liveness
from tests.control.world import DOWN_TIME, World
from tests.waiting import PATIENCE


def heartbeat(world: World, host: str) -> Heartbeat:
    liveness = Liveness(world.objects, APPLIER, DOWN_TIME)
    return Heartbeat(liveness, host, 60, world.events)


def told(world: World) -> list[tuple[str, str, str]]:
    found = [
        (
            data["service_host"],
            data["status_update"]["watcher_object.data"]["old_state"],
            data["status_update"]["watcher_object.data"]["state"],
        )
        for event, _, data in world.events.sent
        if event == "service.update"
    ]
    world.events.sent.clear()
    return found


def test_a_service_is_alive_until_it_is_silent_for_too_long(world: World) -> None:
    liveness = Liveness(world.objects, APPLIER, DOWN_TIME)
    heartbeat(world, "a").beat()
    world.clock.advance(DOWN_TIME)
    heartbeat(world, "b").beat()
    assert liveness.alive() == {"a", "b"}
    world.clock.advance(1)
    assert liveness.alive() == {"b"}
    heartbeat(world, "a").beat()
    assert liveness.alive() == {"a", "b"}
    assert world.objects.services.count({"name": APPLIER}) == 2


def test_good_bye_is_not_waited_for(world: World) -> None:
    liveness = Liveness(world.objects, APPLIER, DOWN_TIME)
    leaving = heartbeat(world, "a")
    leaving.beat()
    leaving.stop()
    assert liveness.alive() == set()


def test_no_sign_of_life_comes_after_the_good_bye(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = world.objects.database
    clock, begun, on = database.clock, threading.Event(), threading.Event()

    def slow() -> datetime:
        moment = clock()
        if not begun.is_set():
            begun.set()
            assert on.wait(PATIENCE)
        return moment

    monkeypatch.setattr(database, "clock", slow)
    leaving = heartbeat(world, "a")
    threads = [threading.Thread(target=call) for call in (leaving.run, leaving.stop)]
    threads[0].start()
    assert begun.wait(PATIENCE)
    threads[1].start()
    threads[1].join(0.2)
    on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert Liveness(world.objects, APPLIER, DOWN_TIME).alive() == set()


def test_the_first_living_service_tells_of_changes(world: World) -> None:
    one, two = heartbeat(world, "a"), heartbeat(world, "b")
    for beats in (one, two):
        beats.beat()
    for beats in (one, two):
        beats.watch()
    assert told(world) == []
    world.clock.advance(DOWN_TIME + 1)
    one.beat()
    for beats in (one, two):
        beats.watch()
    assert told(world) == [("b", "ACTIVE", "FAILED")]
    two.beat()
    for beats in (one, two):
        beats.watch()
    assert told(world) == [("b", "FAILED", "ACTIVE")]
    heartbeat(world, "c").beat()
    one.watch()
    assert told(world) == [("c", "", "ACTIVE")]


def test_the_next_one_tells_of_the_firsts_death(world: World) -> None:
    one, two = heartbeat(world, "a"), heartbeat(world, "b")
    for beats in (one, two):
        beats.beat()
        beats.watch()
    world.clock.advance(DOWN_TIME + 1)
    two.beat()
    two.watch()
    assert told(world) == [("a", "ACTIVE", "FAILED")]
