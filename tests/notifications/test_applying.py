"""What becomes of events that are old, malformed, unknown, or whose cloud does not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tachyon.errors import CloudUnavailable
from tachyon.graph.client import GraphClient
from tachyon.graph.mutations import PatchConsumer
from tachyon.openstack.collectors.plugins import handlers
from tachyon.openstack.emulator.faults import RequestFault
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.contract import Handler, Outcome
from tachyon.openstack.notifications.events import Event, decode
from tachyon.openstack.notifications.work import Work
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect
from tests.notifications.scenes import MODELS, Scene, applier, apply, assert_agrees


def act(scene: Scene, *actions: str) -> str:
    """Do something to one active server; return its uuid."""
    servers = scene.emulator.cloud.compute.servers
    server = next(u for u in sorted(servers) if servers[u].vm_state == "active")
    for action in actions:
        assert scene.act(server, action)
    return server


def test_events_sent_before_the_last_synchronisation_are_old_and_ask_nothing(
    scene: Scene, graph: GraphClient
) -> None:
    act(scene, "pause", "unpause", "migrate", "confirmResize")
    collect(scene.cloud, graph)
    before, requests = content(graph), scene.cloud.requests
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    late = [replace(e, at=long_ago) for e in scene.events]
    applied = applier(graph, scene.cloud).apply(late)
    assert {outcome for _, outcome in applied.outcomes} <= {"old", "ignored", "unhandled"}
    assert scene.cloud.requests == requests
    assert differences(content(graph), before) == []


def test_what_happens_in_place_is_taken_from_the_event_without_a_request(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    server = act(scene, "pause", "unpause", "suspend")
    requests = scene.cloud.requests
    applied = applier(graph, scene.cloud).apply(scene.events)
    assert scene.cloud.requests == requests
    assert graph.consumer(server).status == "SUSPENDED"
    # One change for all events of the batch.
    assert applied.changed == 1


def test_a_repeated_batch_changes_nothing(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    act(scene, "pause", "unpause", "os-stop")
    apply(graph, scene.cloud, [scene.events])
    generation = graph.view().generation
    apply(graph, scene.cloud, [scene.events, list(reversed(scene.events))])
    assert graph.view().generation == generation


def test_a_deleted_server_stays_deleted_whatever_comes_late(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    server = act(scene, "pause", "unpause")
    scene.do(lambda cloud: cloud.nova.delete(f"/servers/{server}"))
    events = scene.events
    apply(graph, scene.cloud, [[e] for e in reversed(events)])
    assert server not in {c.uuid for c in graph.consumers()}
    assert_agrees(graph, scene)


def test_malformed_events_are_counted_and_let_the_others_through(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    server = act(scene, "pause")
    good = scene.events
    bad = [
        replace(good[0], payload={}),
        replace(good[0], payload={"uuid": None, "state": "active"}),
        replace(good[0], type="service.update", payload={"host": "x"}),
        replace(good[0], type="capacity.pool", payload={"name_to_id": 7}),
        replace(good[0], type="volume.attach.end", payload={"volume_id": []}),
    ]
    applied = applier(graph, scene.cloud).apply([*bad, *good])
    assert sum(n for (_, o), n in applied.outcomes.items() if o == "malformed") == len(bad)
    assert graph.consumer(server).state == "paused"


def test_events_that_nobody_handles_are_counted(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    told = Event(
        type="scheduler.select_destinations.end", publisher="x", at=datetime.now(UTC), payload={}
    )
    applied = applier(graph, scene.cloud).apply([told])
    assert applied.outcomes == {("scheduler.select_destinations.end", "unhandled"): 1}


def test_while_nova_does_not_answer_only_what_needs_it_waits(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    server = act(scene, "pause")
    moved = next(s for s in scene.servers() if s != server and scene.act(s, "migrate"))
    scene.emulator.arm(RequestFault(service="nova", path=".*/servers/.*", status=503, times=None))
    applying = applier(graph, scene.cloud)
    with pytest.raises(CloudUnavailable):
        applying.apply(scene.events)
    assert graph.consumer(server).state == "paused"
    assert graph.consumer(moved).state == "active"
    scene.emulator.faults.clear()
    applying.apply(scene.events)
    assert_agrees(graph, scene)


def test_who_changes_the_same_thing_meanwhile_is_not_overwritten(
    scene: Scene, graph: GraphClient
) -> None:
    collect(scene.cloud, graph)
    server = act(scene, "pause")
    seen: list[int] = []

    class Meddler(Handler):
        """Changes the server, once, after the batch has looked at the graph."""

        model = "compute"
        pattern = r"instance\.pause\.end"

        def handle(self, event: Event, work: Work) -> Outcome:
            seen.append(work.view.generation)
            if len(seen) == 1:
                graph.apply([PatchConsumer(uuid=server, metadata={"mine": "1"})])
            return Outcome.APPLIED

    Applier(graph, scene.cloud, [Meddler(), *handlers(MODELS)]).apply(scene.events)
    assert len(seen) == 2
    assert graph.consumer(server).state == "paused"


class Tagger(Handler):
    """A third party's handler."""

    model = "compute"
    pattern = r"acme\.tagged"

    def handle(self, event: Event, work: Work) -> Outcome:
        known = work.consumer(event.payload["server"])
        assert known is not None
        work.put_consumer(replace(known, metadata={**known.metadata, "acme": event.payload["tag"]}))
        return Outcome.APPLIED


def test_third_parties_add_handlers(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    server = scene.servers()[0]
    told = Event(
        type="acme.tagged",
        publisher="acme",
        at=datetime.now(UTC),
        payload={"server": server, "tag": "gold"},
    )
    applied = Applier(graph, scene.cloud, [*handlers(MODELS), Tagger()]).apply([told])
    assert applied.outcomes == {("acme.tagged", "applied"): 1}
    assert graph.consumer(server).metadata["acme"] == "gold"


def test_envelopes_of_versioned_objects_are_taken_off() -> None:
    def enveloped(**data: Any) -> dict[str, Any]:
        return {"nova_object.name": "X", "nova_object.version": "1.0", "nova_object.data": data}

    message = {
        "publisher_id": "nova-compute:a",
        "event_type": "instance.update",
        "payload": enveloped(uuid="u", flavor=enveloped(name="small"), devices=[enveloped(a=1)]),
        "metadata": {"timestamp": "2026-11-20 23:19:36.582487", "message_id": "m"},
    }
    event = decode(message)
    assert event.payload == {"uuid": "u", "flavor": {"name": "small"}, "devices": [{"a": 1}]}
    assert event.at == datetime(2026, 11, 20, 23, 19, 36, 582487, UTC)
    assert event.phase == "update"
