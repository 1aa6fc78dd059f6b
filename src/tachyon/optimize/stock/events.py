"""Notifications on their way into the graph: queued by listener threads, applied in batches.

What the graph or the cloud cannot take now is tried again until it can, so a restart of the
service loses no event. Applying an event twice, or late, does no harm, so any number of engines
may apply the same ones.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from tachyon.errors import TachyonError
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.events import Event

LOG = logging.getLogger(__name__)

#: Events that may wait; a listener that brings more waits itself.
_MOST = 10_000
#: Events of one transaction.
_BATCH = 500
#: Seconds after which events that could not be applied are tried again at the latest.
_SLOWEST = 30.0


class Events:
    """A queue of events and the thread that empties it.

    Args:
        applier: makes the applier, in the thread and not before there is an event.
        soonest: seconds before events are applied again that could not be; doubles up to half a
            minute.
    """

    def __init__(self, applier: Callable[[], Applier], *, soonest: float = 0.5) -> None:
        self._make = applier
        self._soonest = soonest
        self._queue: queue.Queue[Event] = queue.Queue(_MOST)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        """Queue an event; waits while too many do."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="tachyon-events", daemon=True
                )
                self._thread.start()
        self._queue.put(event)

    def join(self) -> None:
        """Wait until every event queued so far is applied."""
        self._queue.join()

    def _run(self) -> None:
        applier: Applier | None = None
        while True:
            batch = self._batch(None if applier is None else applier.due_in)
            pause = self._soonest
            while True:
                try:
                    applier = applier or self._make()
                    self._apply(applier, batch)
                    break
                except TachyonError as error:
                    LOG.warning("%d events wait for %g s: %s", len(batch), pause, error.message)
                except Exception:
                    LOG.exception("%d events wait for %g s", len(batch), pause)
                time.sleep(pause)
                pause = min(2 * pause, _SLOWEST)
            for _ in batch:
                self._queue.task_done()

    @staticmethod
    def _apply(applier: Applier, batch: Sequence[Event]) -> None:
        if batch:
            applier.apply(batch)
        if applier.due_in == 0:
            applier.settle()

    def _batch(self, timeout: float | None) -> list[Event]:
        """Wait for events, at most so many seconds; return what there is."""
        found: list[Event] = []
        try:
            found.append(self._queue.get(timeout=timeout))
            while len(found) < _BATCH:
                found.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return found
