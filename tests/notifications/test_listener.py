"""Events off a bus: applied once, by one of several collectors, and kept until they are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tachyon.errors import ConfigurationError
from tachyon.graph.client import GraphClient
from tachyon.openstack.emulator.faults import RequestFault
from tachyon.openstack.messaging import choose_threads
from tachyon.openstack.notifications.applying import Applied
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.listener import Listener
from tests.collectors.clouds import collect, configuration
from tests.notifications.scenes import Scene, applier, assert_agrees
from tests.waiting import until

choose_threads()
import oslo_messaging  # noqa: E402
from oslo_messaging.opts import list_opts  # noqa: E402

URL = "fake://"


class Bus:
    """A topic of the test's own on the bus of this process."""

    def __init__(self) -> None:
        self.topic = f"t{uuid.uuid4().hex}"
        self.conf = configuration(
            notifications={
                "transport_url": URL,
                "topics": [f"nova.{self.topic}"],
                "batch_timeout": 0.02,
                "retry_interval": 0.02,
            }
        )
        sender = configuration()
        for group, options in list_opts():
            if group is None:
                sender.register_opts(options)
        sender.set_override("control_exchange", "nova")
        transport = oslo_messaging.get_notification_transport(sender, url=URL)
        self._notifier = oslo_messaging.Notifier(
            transport, driver="messagingv2", topics=[self.topic], publisher_id="test"
        )

    def send(self, scene: Scene) -> int:
        """Send what a cloud told of; return how many."""
        for notification in scene.notifications:
            told = self._notifier.prepare(publisher_id=notification.publisher_id)
            told.info({}, notification.event_type, notification.payload)
        return len(scene.notifications)


class Seen:
    """What a listener has applied."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.outcomes: list[Applied] = []

    def __call__(self, applied: Applied, events: Sequence[Event]) -> None:
        self.events += events
        self.outcomes.append(applied)


@contextmanager
def listening(bus: Bus, graph: GraphClient, scene: Scene, count: int = 1) -> Iterator[list[Seen]]:
    with ExitStack() as stack:
        seen = [Seen() for _ in range(count)]
        for each in seen:
            listener = Listener(bus.conf, applier(graph, scene.cloud), each)
            listener.start()
            stack.callback(listener.stop)
        yield seen


def busy(scene: Scene) -> None:
    for server in scene.servers()[:8]:
        for action in ("pause", "unpause", "os-stop", "migrate", "confirmResize"):
            scene.act(server, action)


def test_events_reach_the_graph(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    bus = Bus()
    with listening(bus, graph, scene) as (seen,):
        busy(scene)
        sent = bus.send(scene)
        until(lambda: len(seen.events) == sent)
    assert_agrees(graph, scene)


def test_of_several_collectors_each_event_goes_to_one(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    bus = Bus()
    with listening(bus, graph, scene, count=3) as seen:
        busy(scene)
        sent = bus.send(scene)
        until(lambda: sum(len(each.events) for each in seen) >= sent)
    ids = [event.id for each in seen for event in each.events]
    assert len(ids) == len(set(ids)) == sent
    assert_agrees(graph, scene)


def test_events_are_kept_until_the_cloud_answers(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    bus = Bus()
    moved = next(server for server in scene.servers() if scene.act(server, "migrate"))
    scene.emulator.arm(RequestFault(service="nova", path=".*/servers/.+", status=503, times=None))
    with listening(bus, graph, scene) as (seen,):
        sent = bus.send(scene)
        until(lambda: any(status == 503 for _, _, status in scene.cloud.requests))
        assert graph.consumer(moved).state != "resized"
        scene.emulator.faults.clear()
        until(lambda: len(seen.events) >= sent)
    assert_agrees(graph, scene)


def test_notifications_of_no_known_form_are_counted(scene: Scene, graph: GraphClient) -> None:
    collect(scene.cloud, graph)
    bus = Bus()
    with listening(bus, graph, scene) as (seen,):
        bus._notifier.info({}, "instance.update", "no object")
        until(lambda: bool(seen.outcomes))
    assert seen.outcomes[0].outcomes == {("instance.update", "malformed"): 1}


@pytest.mark.parametrize(
    "options",
    [{"transport_url": "nonsense://x"}, {"transport_url": URL, "topics": ["no-exchange"]}],
    ids=["transport", "topic"],
)
def test_options_that_cannot_be_used_are_named(
    scene: Scene, graph: GraphClient, options: dict[str, Any]
) -> None:
    conf = configuration(notifications=options)
    with pytest.raises(ConfigurationError, match=r"\[notifications\] cannot be used"):
        Listener(conf, applier(graph, scene.cloud))
