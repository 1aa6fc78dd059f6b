"""Notifications travel over oslo.messaging, where any service can listen for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from tachyon.graph.cluster_file import ClusterFile
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import AT_ONCE, Emulator, ManualClock
from tachyon.openstack.messaging import choose_threads

choose_threads()
import oslo_messaging  # noqa: E402


class Heard:
    """An endpoint of oslo.messaging."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = []
        self._arrived = threading.Condition()

    def info(
        self,
        context: dict[str, Any],
        publisher: str,
        event: str,
        payload: dict[str, Any],
        metadata: dict[str, Any],
    ) -> None:
        assert metadata["message_id"]
        with self._arrived:
            self.events.append((publisher, event, payload, context))
            self._arrived.notify_all()

    def wait_for(self, event: str) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: event in [e[1] for e in self.events], timeout=30)


@pytest.fixture(params=["fake://", "kombu+memory:////"])
def heard(request: pytest.FixtureRequest) -> Iterator[tuple[str, Heard]]:
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[], default_config_dirs=[])
    transport = oslo_messaging.get_notification_transport(conf, url=request.param)
    targets = [
        oslo_messaging.Target(exchange="nova", topic="versioned_notifications"),
        oslo_messaging.Target(exchange="openstack", topic="notifications"),
        oslo_messaging.Target(exchange="ironic", topic="ironic_versioned_notifications"),
    ]
    heard = Heard()
    server = oslo_messaging.get_notification_listener(
        transport, targets, [heard], executor="threading", pool="test"
    )
    # In threads of a pool, messages would be handled side by side, and noted in any order.
    server.start(override_pool_size=1)
    yield request.param, heard
    server.stop()
    server.wait()
    transport.cleanup()


def test_what_is_told_arrives_in_order_with_its_sender_and_context(
    captured_cluster: ClusterFile, heard: tuple[str, Heard]
) -> None:
    url, endpoint = heard
    with (
        Emulator(
            captured_cluster, clock=ManualClock(), durations=AT_ONCE, transport_url=url
        ) as emulator,
        connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud,
    ):
        uuid = next(iter(emulator.cloud.compute.servers))
        cloud.nova.post(f"/servers/{uuid}/action", {"os-stop": None})
        emulator.settle()
        cloud.cinder.post("/volumes", {"volume": {"size": 1, "volume_type": "ssd"}})
        emulator.settle()
        assert emulator.bus.flush()
        endpoint.wait_for("instance.power_off.end")
        endpoint.wait_for("capacity.backend")
        # All transports of a process to `fake://` are one bus, which keeps what others have sent.
        nova = [
            event
            for _, event, payload, _ in endpoint.events
            if event.startswith("instance.") and payload["nova_object.data"]["uuid"] == uuid
        ]
        assert nova == [
            "instance.update",
            "instance.power_off.start",
            "instance.update",
            "instance.power_off.end",
        ]
        host = emulator.cloud.compute.servers[uuid].host
        last = next(e for e in endpoint.events if e[1] == "instance.power_off.end")
        publisher, _, payload, context = last
        assert publisher == f"nova-compute:{host}"
        assert payload["nova_object.data"]["uuid"] == uuid
        assert context["user_name"] == "admin"
