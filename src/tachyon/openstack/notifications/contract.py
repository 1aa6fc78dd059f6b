"""The contract of handlers: what a plug-in of `tachyon.notification_handlers` is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from tachyon.openstack.connection import Connection
from tachyon.openstack.notifications.events import Event

if TYPE_CHECKING:
    from tachyon.openstack.notifications.work import Work


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"  # the graph was changed from it, or was so already
    READ_AGAIN = "read_again"  # what it is about was read again
    OLD = "old"  # something newer is known
    IGNORED = "ignored"  # it says nothing about the graph
    UNHANDLED = "unhandled"  # no handler is for events of this type
    MALFORMED = "malformed"  # it lacks what its handler needs
    FAILED = "failed"  # it can never be applied; the log says why


class Handler(ABC):
    """Turns events into changes of the graph.

    `model` names the collector whose model it changes: a handler is at work only while its
    collector is. `pattern` is a regular expression that an event's whole type matches. A handler
    never asks the cloud: it demands `work.read_again`. It may be called again for the same events
    (on newer state), so it has no effects but on `work`.
    """

    model: ClassVar[str]
    pattern: ClassVar[str]

    @abstractmethod
    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: the event is not of the form that its
                service gives it; it is counted and let go.
        """


class Rereader(ABC):
    """Reads things of one kind again, many at once.

    `order` says when: what others refer to comes first.
    """

    order: ClassVar[int]

    @abstractmethod
    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read what is wanted and stage what it is now.

        Args:
            cloud: to ask.
            wanted: keys, each with the time of the latest event that demanded it.
            work: takes the changes.

        Raises:
            CloudError: something could not be had. All that is wanted counts as not read.
        """
