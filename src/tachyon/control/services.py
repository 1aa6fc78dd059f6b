"""Signs of life: each service gives its own, and judges by those of the others who is there.

Decisions are taken on states, never on changes of states: whoever looks at a plan or audit asks
whether its owner is alive now. So nothing depends on who saw whom die.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from tachyon.control.notifications import Notifier
from tachyon.control.objects import Objects, Service
from tachyon.control.objects.service import ACTIVE
from tachyon.errors import DuplicateRecord, StoreUnavailable

LOG = logging.getLogger(__name__)

#: When a service was last seen that has said good-bye.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Liveness:
    """Which hosts have a living service of one name.

    Args:
        objects: the database.
        name: of the service.
        down_time: seconds without a sign of life after which one counts as failed.
    """

    def __init__(self, objects: Objects, name: str, down_time: float) -> None:
        self.objects = objects
        self.name = name
        self.down_time = down_time

    def services(self) -> list[tuple[Service, str]]:
        """Return the services of the name with their status, by host."""
        moment = self.objects.database.clock()
        found = self.objects.services.find({"name": self.name}, sort_key="host")
        return [(service, service.status(moment, self.down_time)) for service in found]

    def alive(self) -> set[str]:
        """Return the hosts whose service is active."""
        return {service.host for service, status in self.services() if status == ACTIVE}


class Heartbeat:
    """Gives signs of life of one service, and tells of those that fall silent or come back.

    Args:
        liveness: of the services of the same name.
        host: the name of this host.
        interval: seconds between two signs.
        notifier: told of changes by the first living service alone; None: nobody is.
    """

    def __init__(
        self,
        liveness: Liveness,
        host: str,
        interval: float,
        notifier: Notifier | None = None,
    ) -> None:
        self._liveness = liveness
        self._services = liveness.objects.services
        self._host = host
        self._interval = interval
        self._notifier = notifier
        self._known: dict[str, str] = {}
        self._stopping = threading.Event()
        self._beating = threading.Lock()

    def run(self) -> None:
        """Give signs until `stop`."""
        while not self._stopping.is_set():
            try:
                with self._beating:
                    if self._stopping.is_set():
                        return
                    self.beat()
                self.watch()
            except StoreUnavailable as error:
                LOG.warning("no sign of life: %s", error)
            except Exception:
                LOG.exception("a sign of life failed")
            self._stopping.wait(self._interval)

    def beat(self, moment: datetime | None = None) -> Service:
        """Give one sign of life; the service's row comes into being with the first."""
        seen = moment or self._liveness.objects.database.clock()
        mine = self._mine()
        if mine is None:
            try:
                return self._services.create(
                    name=self._liveness.name, host=self._host, last_seen_up=seen
                )
            except DuplicateRecord:
                mine = self._mine()
        assert mine is not None
        return self._services.update(mine.id, {"last_seen_up": seen})

    def _mine(self) -> Service | None:
        found = self._services.find({"name": self._liveness.name, "host": self._host})
        return found[0] if found else None

    def watch(self) -> None:
        """Tell of changes of status, if this is the first of the living services."""
        services = self._liveness.services()
        now = {service.host: status for service, status in services}
        leader = next((service.host for service, status in services if status == ACTIVE), None)
        known, self._known = self._known, now
        if self._notifier is None or leader != self._host:
            return
        for service, status in services:
            before = known.get(service.host, "" if known else status)
            if before != status:
                self._notifier.service(service, before, status)

    def stop(self) -> None:
        """Say good-bye: what this service held is anybody's from now on."""
        self._stopping.set()
        try:
            # A sign of life under way must not come after it.
            with self._beating:
                self.beat(LONG_AGO)
        except StoreUnavailable as error:
            LOG.warning("no good-bye: %s", error)
