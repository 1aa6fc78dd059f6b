"""An emulated cloud in which things happen, and the notifications that it sends of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tachyon.errors import CloudError
from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.graph.mutations import Cluster
from tachyon.openstack.collectors.plugins import handlers
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.clock import ManualClock
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.emulator.notifications.bus import Notification
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.events import Event, plain
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect, connected, small_cluster

MODELS = ("compute", "storage", "baremetal")
#: Where the time of events begins: before any synchronisation of a test, so that none is old.
DAWN = datetime.now(UTC) + timedelta(days=1)


class Scene:
    """A cloud that tests act on, and its notifications as events."""

    def __init__(self, emulator: Emulator, cloud: Connection) -> None:
        self.emulator = emulator
        self.cloud = cloud
        self._begun = len(emulator.notifications)

    def act(self, server: str, action: str, arguments: Any = None) -> bool:
        """Do something to a server and let it end; tell whether Nova allowed it."""
        try:
            self.cloud.nova.request(
                "POST", f"/servers/{server}/action", body={action: arguments}, repeatable=False
            )
        except CloudError as error:
            if error.details.get("http_status") in (400, 404, 409):
                return False
            raise
        finally:
            self.emulator.settle()
        return True

    def do(self, call: Callable[[Connection], object]) -> None:
        """Do something else, and let it end."""
        call(self.cloud)
        self.emulator.settle()

    def servers(self) -> list[str]:
        """Return the servers by uuid."""
        return sorted(self.emulator.cloud.compute.servers)

    @property
    def notifications(self) -> list[Notification]:
        """Return what was sent since the scene began."""
        return self.emulator.notifications[self._begun :]

    @property
    def events(self) -> list[Event]:
        """What was sent since the scene began, a millisecond between any two."""
        return [
            Event(
                type=n.event_type,
                publisher=n.publisher_id,
                at=DAWN + timedelta(milliseconds=row),
                payload=plain(n.payload),
                id=str(row),
            )
            for row, n in enumerate(self.notifications)
        ]

    def truth(self) -> dict[str, Any]:
        """Return what a graph holds that was filled from the cloud just now."""
        with connect_graph("sqlite://") as graph:
            collect(self.cloud, graph)
            return content(graph)


@contextmanager
def scene(cluster: Cluster | None = None, start: datetime | None = None) -> Iterator[Scene]:
    """A small cloud whose time stands still, at `start`, until something is let end."""
    with (
        Emulator(cluster or small_cluster().cluster, clock=ManualClock(start)) as emulator,
        connected(emulator) as cloud,
    ):
        yield Scene(emulator, cloud)


def applier(graph: GraphClient, cloud: Connection, **options: Any) -> Applier:
    """Return an applier with all handlers that are installed."""
    return Applier(graph, cloud, handlers(MODELS), **options)


def apply(graph: GraphClient, cloud: Connection, batches: Sequence[Sequence[Event]]) -> None:
    """Apply events, batch by batch."""
    applying = applier(graph, cloud)
    for batch in batches:
        applying.apply(batch)


def assert_agrees(graph: GraphClient, scene: Scene) -> None:
    """Hold a graph against the cloud."""
    lines = differences(content(graph), scene.truth())
    assert not lines, "\n".join(lines)
