"""What no service sends an event of, asked for at short intervals.

Cinder tells nothing of a volume that its driver moves, nor at once of what its scheduler has given
away of a pool; nobody tells that a nova-compute or cinder-volume service has stopped reporting, and
Cinder not that one was disabled. A poll asks for the volumes that changed since the one before
(`updated_at`, Cinder 3.60), for the pools and for the services: four requests, of which nothing is
written while nothing differs from the graph.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from tachyon.errors import TachyonError
from tachyon.graph.client import GraphClient
from tachyon.graph.entities import Consumer
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.marks import EVENT
from tachyon.openstack.collectors.synchronisation import CLOCK_TOLERANCE, read_since
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import compute, storage
from tachyon.openstack.mapping.answers import MISSHAPEN, misshapen, moment
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.contract import Rereader
from tachyon.openstack.notifications.hosts import refresh
from tachyon.openstack.notifications.volumes import POOLS, stage_volumes, type_ids
from tachyon.openstack.notifications.work import Work

LOG = logging.getLogger(__name__)


class ComputeStates(Rereader):
    """Reads all nova-compute services; hosts whose service says something new change."""

    order = 20

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read the services; hosts that the graph does not have are for events to tell."""
        for answer in queries.compute_services(cloud):
            known = work.host_of(answer["host"])
            if known is None:
                continue
            try:
                said = compute.service(answer)
            except MISSHAPEN:
                # A stub, from a cell that does not answer: what is known stays.
                continue
            shown = compute.Service(
                known.status, known.state, known.disabled_reason, known.availability_zone
            )
            if said != shown:
                refresh(cloud, known, answer, work)


class StorageStates(Rereader):
    """Reads all cinder-volume services; storage hosts whose service says something new change."""

    order = 20

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read the services; what volume types a host offers stays as it is."""
        for answer in queries.volume_services(cloud):
            known = work.provider(answer["host"])
            if known is None:
                continue
            said = storage.storage_host(answer, {})
            new = replace(said, extra=known.extra, generation=known.generation)
            if new != known:
                work.put_provider(new)


class ChangedVolumes(Rereader):
    """Reads the volumes that changed since a moment, which is the key."""

    order = 45

    def __init__(self) -> None:
        #: The latest change that an answer told of.
        self.newest: datetime | None = None

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read the volumes; those that are in the graph as they are now do not change."""
        at = max(wanted.values())
        answers = queries.volumes_changed(cloud, min(wanted))
        told = [moment(a["updated_at"]) for a in answers if a["updated_at"]]
        self.newest = max([*told, *([self.newest] if self.newest else [])], default=None)
        pools = {p.uuid for p in work.providers() if p.type == "pool"}
        types = type_ids(work)
        volumes = [(a, storage.volume(a, pools, types)) for a in answers]
        changed = [(a, at) for a, new in volumes if _differs(work.consumer(new.uuid), new)]
        stage_volumes(cloud, changed, work)


def _differs(known: Consumer | None, new: Consumer) -> bool:
    if known is None:
        return True
    extra = {name: value for name, value in known.extra.items() if name != EVENT}
    return replace(known, extra=extra, generation=0, placed=0) != new


class Poller:
    """Polls in a thread of its own until it is stopped, beside synchronisations and events.

    Transactions are guarded by the generations of what they change, so that whoever writes
    meanwhile is not overwritten: the poll is then made anew.
    """

    def __init__(
        self,
        graph: GraphClient,
        cloud: Connection,
        models: Collection[str],
        *,
        interval: float,
        told: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        """Describe a poller.

        Args:
            graph: to change.
            cloud: to ask.
            models: names of the collectors at work; only theirs are asked for.
            interval: seconds from the end of a poll to the next one.
            told: hears of every poll that it is "done" or "failed".
        """
        self._graph = graph
        self._cloud = cloud
        self._models = models
        self._interval = interval
        self._told = told
        self._applier = Applier(graph, cloud, ())
        self._compute, self._storage = ComputeStates(), StorageStates()
        self._volumes = ChangedVolumes()
        self._newest: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tachyon-poll", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 60.0) -> None:
        """End after the poll that is under way, or after `timeout` seconds without it."""
        self._stopping.set()
        self._thread.join(timeout)

    def poll(self) -> int:
        """Poll once; return how many entities changed.

        Raises:
            CloudUnavailable, StoreUnavailable: something could not be had, or not be written.
        """
        # What was not settled when a poll came upon it.
        changed = self._applier.settle().changed
        view = self._graph.view()
        # What is not in the graph yet is for the first synchronisation.
        if "compute" in self._models and read_since(view, "compute") is not None:
            changed += self._applier.read_again((self._compute, "")).changed
        since = read_since(view, "storage")
        if "storage" in self._models and since is not None:
            changed += self._poll_storage(since)
        return changed

    def _poll_storage(self, since: datetime) -> int:
        wanted: list[tuple[Rereader, str]] = [(self._storage, ""), (POOLS, "")]
        if self._cloud.cinder.supports("3.60"):
            if self._newest is not None:
                # Reckoned by the clocks of those who change volumes, which may differ.
                since = max(since, self._newest - timedelta(seconds=CLOCK_TOLERANCE))
            wanted.append((self._volumes, since.isoformat()))
        changed = self._applier.read_again(*wanted).changed
        # Not before it is written: what could not be is asked for again.
        self._newest = self._volumes.newest
        return changed

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                self.poll()
            except TachyonError as error:
                LOG.warning("the poll waits: %s", error.message)
                self._told("failed")
            except MISSHAPEN as error:
                LOG.warning("a service's answer %s", misshapen(error))
                self._told("failed")
            else:
                self._told("done")
            # Services that need long to answer are asked half of the time at most.
            pause = max(self._interval, time.monotonic() - began)
