"""The message bus: Nova's versioned notifications, Cinder's and Ironic's, over oslo.messaging.

They are sent by a thread of their own, in order, so that no emulated service waits for a broker
that is away. The last ones stay at hand for tests.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from typing import Any

from msgspec import Struct
from oslo_config import cfg

from tachyon.openstack.emulator.faults import Faults

LOG = logging.getLogger(__name__)

#: Exchange → topic, as Nova, Cinder and Ironic have them when nobody configures anything else.
TOPICS = {
    "nova": "versioned_notifications",
    "openstack": "notifications",
    "ironic": "ironic_versioned_notifications",
}
_KEPT = 20_000


class Notification(Struct, frozen=True):
    """A notification as it was sent."""

    exchange: str
    publisher_id: str
    event_type: str
    payload: dict[str, Any]
    context: dict[str, Any]
    priority: str = "info"


class _Context:
    """A request's context as the library takes one: it asks for a copy without secrets."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def redacted_copy(self) -> dict[str, Any]:
        return self._members


class Bus:
    """Sends notifications to a transport, or just keeps them when there is none."""

    def __init__(self, faults: Faults, transport_url: str | None = None) -> None:
        self._faults = faults
        self.sent: deque[Notification] = deque(maxlen=_KEPT)
        self._queue: queue.SimpleQueue[Notification | None] = queue.SimpleQueue()
        self._sent_all = threading.Condition()
        self._pending = 0
        self._transports: list[Any] = []
        self._thread: threading.Thread | None = None
        self._notifiers: dict[str, Any] = {}
        if transport_url is not None:
            self._open(transport_url)

    def _open(self, url: str) -> None:
        # Not before a transport is asked for: it takes a while to load.
        import oslo_messaging
        from oslo_messaging.opts import list_opts

        import tachyon.openstack.messaging  # noqa: F401

        for exchange, topic in TOPICS.items():
            # A notifier has no exchange of its own: it is an option of the whole configuration.
            conf = cfg.ConfigOpts()
            conf(args=[], default_config_files=[], default_config_dirs=[])
            for group, options in list_opts():
                if group is None:
                    conf.register_opts(options)
            conf.set_override("control_exchange", exchange)
            transport = oslo_messaging.get_notification_transport(conf, url=url)
            self._transports.append(transport)
            self._notifiers[exchange] = oslo_messaging.Notifier(
                transport, driver="messagingv2", topics=[topic], publisher_id="emulator", retry=1
            )
        self._thread = threading.Thread(target=self._run, name="emulated-bus", daemon=True)
        self._thread.start()

    def send(self, notification: Notification) -> None:
        """Send a notification, unless a fault says otherwise."""
        fault = self._faults.of_notification(notification.event_type)
        times = 1
        if fault is not None:
            times = 0 if fault.action == "lose" else 2
        for _ in range(times):
            self.sent.append(notification)
            if self._thread is not None:
                with self._sent_all:
                    self._pending += 1
                self._queue.put(notification)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all has been handed to the transport; tell whether it was in time."""
        with self._sent_all:
            return self._sent_all.wait_for(lambda: self._pending == 0, timeout)

    def _run(self) -> None:
        while (notification := self._queue.get()) is not None:
            try:
                notifier = self._notifiers[notification.exchange].prepare(
                    publisher_id=notification.publisher_id
                )
                send = getattr(notifier, notification.priority)
                context = _Context(notification.context)
                send(context, notification.event_type, notification.payload)
            except Exception:
                # Notifications are best effort: a service whose broker is away loses them.
                LOG.exception("%s was not sent", notification.event_type)
            finally:
                with self._sent_all:
                    self._pending -= 1
                    self._sent_all.notify_all()

    def close(self) -> None:
        """Send what waits, then close the transport."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=10)
        for transport in self._transports:
            transport.cleanup()
