"""Notification endpoints for stock Watcher's listener: they put Nova's and Cinder's events into
the graph.

What an event means is said once, by the handlers of `tachyon.openstack.notifications`. Unlike
Watcher's own endpoints these also listen before the first audit: the graph outlives the engine.
"""

from __future__ import annotations

import logging
from typing import Any

from watcher.decision_engine.model.notification import base, cinder, filtering, nova

from tachyon.openstack.mapping.answers import MISSHAPEN
from tachyon.openstack.notifications.events import decode

LOG = logging.getLogger(__name__)


class _Forwarding(base.NotificationEndpoint):
    """Queues events for the graph instead of changing a model in the engine's memory."""

    def info(
        self, ctxt: Any, publisher_id: str, event_type: str, payload: Any, metadata: Any
    ) -> None:
        """Take an event of priority info; the entry point of oslo.messaging.

        Other than in Watcher no lock is taken: a synchronisation that is under way leaves what
        events change meanwhile as it is.
        """
        self.process_info(ctxt, publisher_id, event_type, payload, metadata)

    def process_info(
        self, ctxt: Any, publisher_id: str, event_type: str, payload: Any, metadata: Any
    ) -> None:
        """Queue an event."""
        message = {
            "publisher_id": publisher_id,
            "event_type": event_type,
            "payload": payload,
            "metadata": metadata,
        }
        try:
            event = decode(message)
        except MISSHAPEN as error:
            LOG.warning("an event of type %s cannot be read: %r", event_type, error)
        else:
            self.collector.events.put(event)


class TachyonVersionedNotification(_Forwarding, nova.VersionedNotification):
    """Nova's versioned notifications."""


class TachyonCinderNotification(_Forwarding, cinder.CinderNotification):
    """Cinder's notifications, of volumes and of capacities."""

    @property
    def filter_rule(self) -> Any:
        """Whose events are taken."""
        return filtering.NotificationFilter(publisher_id=r"^(volume|capacity|snapshot).*")


class TachyonIronicNotification(_Forwarding):
    """Ironic's notifications about nodes."""

    @property
    def filter_rule(self) -> Any:
        """Whose events are taken."""
        return filtering.NotificationFilter(publisher_id=r"^ironic-.*")
