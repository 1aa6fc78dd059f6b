"""Notifications off the message bus, over oslo.messaging, in batches.

All collectors share one queue (a listener pool), so each event reaches one of them. A message is
acknowledged when its change is in the graph: what a process that died had in hand goes to another
one, or to the same when it is back.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from tachyon.errors import ConfigurationError, TachyonError
from tachyon.openstack.mapping.answers import MISSHAPEN, misshapen
from tachyon.openstack.messaging import choose_threads
from tachyon.openstack.notifications.applying import Applied, Applier
from tachyon.openstack.notifications.contract import Outcome
from tachyon.openstack.notifications.events import Event, decode

choose_threads()
import oslo_messaging  # noqa: E402 - it asks for the backend when it is imported
from oslo_messaging.opts import list_opts  # noqa: E402

LOG = logging.getLogger(__name__)

#: Seconds that are waited at most before failed events are tried again.
_SLOWEST = 60.0


class Listener:
    """Feeds an applier from the bus.

    `seen` is told of every batch that was applied: what became of it, and its events.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        applier: Applier,
        seen: Callable[[Applied, Sequence[Event]], None] = lambda applied, events: None,
    ) -> None:
        """Describe a listener; `start` begins to listen.

        Raises:
            ConfigurationError: the options do not name a transport and topics.
        """
        options = conf.notifications
        self._applier = applier
        self._seen = seen
        self._first = options.retry_interval
        self._wait = self._first
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        try:
            transport = _transport(conf, options.transport_url, 2 * options.batch_size)
            self._server = oslo_messaging.get_batch_notification_listener(
                transport,
                [_target(name) for name in options.topics],
                [self],
                executor="threading",
                allow_requeue=True,
                pool=options.pool,
                batch_size=options.batch_size,
                batch_timeout=options.batch_timeout,
            )
        except (oslo_messaging.MessagingException, NotImplementedError, ValueError) as error:
            raise ConfigurationError(f"[notifications] cannot be used: {error}") from error
        self._transport = transport
        self._settler = threading.Thread(target=self._settle, name="tachyon-settle", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns at once, also while the bus cannot be reached."""
        self._server.start()
        self._settler.start()

    def stop(self) -> None:
        """Apply what is in hand, then stop listening."""
        self._stopping.set()
        self._server.stop()
        self._server.wait()
        self._settler.join()
        self._transport.cleanup()

    # What the library calls, by the priority of messages.

    def info(self, messages: Sequence[Mapping[str, Any]]) -> Any:
        """Apply a batch of messages."""
        with self._lock:
            return self._apply(messages)

    error = info
    warn = info

    def _apply(self, messages: Sequence[Mapping[str, Any]]) -> Any:
        events, malformed = _decoded(messages)
        try:
            applied = self._applier.apply(events)
        except TachyonError as error:
            if not error.temporary:
                LOG.exception("%d events cannot be applied and are let go", len(events))
                failed = Counter((event.type, Outcome.FAILED.value) for event in events)
                self._seen(Applied(failed), events)
                return oslo_messaging.NotificationResult.HANDLED
            LOG.warning("%d events wait: %s", len(events), error.message)
            # Requeued messages come back at once.
            self._stopping.wait(self._wait)
            self._wait = min(2 * self._wait, _SLOWEST)
            return oslo_messaging.NotificationResult.REQUEUE
        self._wait = self._first
        for kind in malformed:
            applied.outcomes[kind, Outcome.MALFORMED.value] += 1
        self._seen(applied, events)
        return oslo_messaging.NotificationResult.HANDLED

    def _settle(self) -> None:
        """Read again, when it is due, what was not settled when an event told of it."""
        while not self._stopping.wait(self._pause()):
            try:
                with self._lock:
                    self._applier.settle()
            except TachyonError as error:
                LOG.warning("what was not settled waits: %s", error.message)

    def _pause(self) -> float:
        due = self._applier.due_in
        return 1.0 if due is None else max(0.05, min(1.0, due))


def _decoded(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Event], list[str]]:
    events: list[Event] = []
    malformed: list[str] = []
    for message in messages:
        try:
            events.append(decode(message))
        except MISSHAPEN as error:
            kind = str(message.get("event_type"))
            LOG.warning("notification %s %s", kind, misshapen(error))
            malformed.append(kind)
    return events, malformed


def _target(name: str) -> Any:
    exchange, dot, topic = name.partition(".")
    if not (dot and topic):
        raise ValueError(f"topics: {name} is not of the form exchange.topic")
    return oslo_messaging.Target(exchange=exchange, topic=topic)


def _transport(conf: cfg.ConfigOpts, url: str, prefetch: int) -> Any:
    for group, options in list_opts():
        if group == "oslo_messaging_rabbit":
            conf.register_opts(options, group=group)
    # Unlimited by default: one process would take the whole queue into its memory.
    conf.set_default("rabbit_qos_prefetch_count", prefetch, group="oslo_messaging_rabbit")
    return oslo_messaging.get_notification_transport(conf, url=url)
