"""Synchronisations in the background: one thread for each model, at once and then every period.

Several collectors may share a graph. After the first synchronisation, with which each of them
begins, a model is read by whoever comes to it first; the others see that in its account.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tachyon.errors import TachyonError
from tachyon.graph.client import GraphClient
from tachyon.openstack.collectors.contract import Collector
from tachyon.openstack.collectors.synchronisation import Synchronised, account, synchronise
from tachyon.openstack.connection import Connection

LOG = logging.getLogger(__name__)


class Schedule:
    """Keeps models synchronised.

    `done` is told of every synchronisation, `failed` of every failure (the model's name first).
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        cloud: Connection,
        graph: GraphClient,
        *,
        period: float,
        retry_interval: float,
        done: Callable[[Synchronised], None] = lambda synchronised: None,
        failed: Callable[[str, Exception], None] = lambda name, error: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Describe a schedule; `period` and `retry_interval` are in seconds."""
        self._cloud = cloud
        self._graph = graph
        self._period = period
        self._retry_interval = retry_interval
        self._done = done
        self._failed = failed
        self._now = now
        self._stopping = threading.Event()
        self._wake = {c.name: threading.Event() for c in collectors}
        self._threads = [
            threading.Thread(target=self._run, args=[c], name=f"tachyon-{c.name}", daemon=True)
            for c in collectors
        ]

    def start(self) -> None:
        """Begin with the first synchronisation of every model; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 60.0) -> None:
        """End after what is under way, or after `timeout` seconds without it."""
        self._stopping.set()
        self.hurry()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def hurry(self) -> None:
        """Synchronise every model now."""
        for event in self._wake.values():
            event.set()

    def _run(self, collector: Collector) -> None:
        wake = self._wake[collector.name]
        pause, failures = 0.0, 0
        asked = True
        while True:
            if pause:
                asked = wake.wait(pause)
            wake.clear()
            if self._stopping.is_set():
                return
            if not asked and (left := self._left(collector)) > 0:
                pause = left
                continue
            if self._synchronised(collector):
                pause, failures = self._period, 0
            else:
                pause = min(self._retry_interval * 2**failures, self._period)
                failures += 1

    def _synchronised(self, collector: Collector) -> bool:
        try:
            self._done(synchronise(collector, self._cloud, self._graph, now=self._now))
        except TachyonError as error:
            LOG.warning("%s was not synchronised: %s", collector.name, error.message)
            self._failed(collector.name, error)
            return False
        except Exception as error:
            # Whatever it is, the other models and the events go on.
            LOG.exception("%s was not synchronised", collector.name)
            self._failed(collector.name, error)
            return False
        return True

    def _left(self, collector: Collector) -> float:
        """Return the seconds until a model is due, as somebody else may have read it."""
        try:
            found = account(self._graph.view(), collector.name)
        except TachyonError:
            return 0.0
        at = found.extra.get("synchronised_at") if found is not None else None
        if found is None or at is None or found.state == "down":
            return 0.0
        age = (self._now() - datetime.fromisoformat(at)).total_seconds()
        # A second's grace: the moment lies at the beginning of a reading, the wait behind its end.
        return max(0.0, self._period - age - 1.0)
