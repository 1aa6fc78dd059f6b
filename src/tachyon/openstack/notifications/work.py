"""The changes of one batch of events, gathered before they go to the graph in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import CloudError, CloudUnavailable
from tachyon.graph import mutations as m
from tachyon.graph.entities import Consumer, Entity, Kind, ResourceProvider
from tachyon.graph.view import View
from tachyon.openstack.collectors.marks import Mark, mark_of
from tachyon.openstack.collectors.synchronisation import read_since
from tachyon.openstack.connection import Connection
from tachyon.openstack.notifications.contract import Rereader

_PUTS: dict[Kind, Any] = {
    "flavor": lambda record: m.PutFlavor(flavor=record),
    "server_group": lambda record: m.PutServerGroup(server_group=record),
    "host_aggregate": lambda record: m.PutHostAggregate(host_aggregate=record),
    "availability_zone": lambda record: m.PutAvailabilityZone(availability_zone=record),
}


class Later(Struct, frozen=True):
    """Something to read again after a while, because it was not settled yet."""

    rereader: Rereader
    key: str


class Work:
    """One batch on one view of the graph. What is staged shows in what is asked of it next."""

    def __init__(self, view: View) -> None:
        self.view = view
        #: What was not settled when it was read.
        self.later: set[Later] = set()
        #: What could not be read, and never will be.
        self.failed: list[CloudError] = []
        self._consumers: dict[str, Consumer | None] = {}
        #: Consumers as they are in the view, as far as they were asked for.
        self._known: dict[str, Consumer | None] = {}
        self._providers: dict[str, ResourceProvider | None] = {}
        self._records: dict[tuple[Kind, str], Entity | None] = {}
        self._wanted: dict[Rereader, dict[str, datetime]] = {}
        self._since: dict[str, datetime | None] = {}
        self._host_uuids: dict[str, str] | None = None
        self._migrations: list[Consumer] | None = None

    def consumer(self, uuid: str) -> Consumer | None:
        """Return a consumer as it is with what is staged, None if there is none."""
        return self._consumers[uuid] if uuid in self._consumers else self._in_view(uuid)

    def _in_view(self, uuid: str) -> Consumer | None:
        if uuid not in self._known:
            row = self.view.consumers.index.get(uuid, -1)
            alive = 0 <= row < self.view.consumer_rows and self.view.consumers.alive[row]
            self._known[uuid] = self.view.consumer_at(row) if alive else None
        return self._known[uuid]

    def provider(self, uuid: str) -> ResourceProvider | None:
        """Return a provider as it is with what is staged, None if there is none."""
        if uuid in self._providers:
            return self._providers[uuid]
        row = self.view.providers.index.get(uuid, -1)
        return self.view.providers.record[row] if 0 <= row < self.view.provider_rows else None

    def providers(self) -> Iterator[ResourceProvider]:
        """Yield every provider as it is with what is staged."""
        for provider in self.view.providers.record:
            if provider is not None and provider.uuid not in self._providers:
                yield provider
        yield from (p for p in self._providers.values() if p is not None)

    def records(self, kind: Kind) -> dict[str, Entity]:
        """Return the records of a kind by key, as they are with what is staged."""
        found: dict[str, Entity] = dict(self.view.records[kind])
        for (staged, key), record in self._records.items():
            if staged == kind and record is not None:
                found[key] = record
            elif staged == kind:
                found.pop(key, None)
        return found

    def host_of(self, name: str) -> ResourceProvider | None:
        """Return the compute host of a name, None if there is none."""
        if self._host_uuids is None:
            self._host_uuids = {p.name: p.uuid for p in self.providers() if p.type == "compute"}
        uuid = self._host_uuids.get(name)
        return None if uuid is None else self.provider(uuid)

    def root(self, uuid: str) -> ResourceProvider | None:
        """Return the host that a provider belongs to, or else the root of its tree."""
        found = self.provider(uuid)
        while found is not None and found.type != "compute" and found.parent_uuid is not None:
            found = self.provider(found.parent_uuid)
        return found

    def migrations(self) -> list[Consumer]:
        """Return the consumers of type "migration" that were there when the work began."""
        if self._migrations is None:
            columns = self.view.consumers
            code = self.view.codes.type.find("migration")
            rows = np.flatnonzero(columns.alive & (columns.type == code)).tolist()
            self._migrations = [self.view.consumer_at(row) for row in rows]
        return self._migrations

    def volumes_by_pool(self) -> dict[str, int]:
        """Return how many volumes lie in each pool, with what is staged."""
        columns = self.view.consumers
        volumes = columns.alive & (columns.type == self.view.codes.type.find("volume"))
        homes = np.bincount(columns.home[volumes & (columns.home >= 0)])
        uuids = self.view.providers.uuid
        count = Counter({uuids[row]: int(homes[row]) for row in np.flatnonzero(homes).tolist()})
        for uuid, consumer in self._consumers.items():
            row = columns.index.get(uuid, -1)
            if 0 <= row < self.view.consumer_rows and volumes[row]:
                count.subtract(self.view.allocations(row).keys())
            if consumer is not None and consumer.type == "volume":
                count.update(consumer.allocations.keys())
        return count

    def put_consumer(self, consumer: Consumer) -> None:
        """Create or replace a consumer."""
        self._consumers[consumer.uuid] = consumer

    def remove_consumer(self, uuid: str) -> None:
        """Remove a consumer, if there is such a one."""
        if self.consumer(uuid) is not None:
            self._consumers[uuid] = None

    def put_provider(self, provider: ResourceProvider) -> None:
        """Create or replace a provider."""
        self._providers[provider.uuid] = provider
        self._host_uuids = None

    def patch_provider(self, uuid: str, **fields: Any) -> None:
        """Change fields of a provider, if there is such a one."""
        found = self.provider(uuid)
        if found is not None:
            self.put_provider(replace(found, **fields))

    def remove_provider(self, uuid: str) -> None:
        """Remove a provider with its children, if there is such a one."""
        if self.provider(uuid) is not None:
            self._providers[uuid] = None
            self._host_uuids = None

    def put_record(self, kind: Kind, key: str, record: Entity | None) -> None:
        """Create or replace a record; None removes it."""
        if record is not None or key in self.records(kind):
            self._records[kind, key] = record

    def known_since(self, model: str, extra: dict[str, Any] | None = None) -> Mark | None:
        """Return what events about an entity have to be newer than to be news.

        Args:
            model: the collector whose entity it is.
            extra: of the entity; None when it is not in the graph.
        """
        mark = mark_of(extra) if extra is not None else None
        if mark is not None:
            return mark
        if model not in self._since:
            self._since[model] = read_since(self.view, model)
        since = self._since[model]
        return Mark(since) if since is not None else None

    def is_old(self, model: str, at: datetime) -> bool:
        """Tell whether what happened then is in the graph since a model was last synchronised."""
        since = self.known_since(model)
        return since is not None and at <= since.at

    def read_again(self, rereader: Rereader, key: str, at: datetime) -> None:
        """Demand that something is read again."""
        wanted = self._wanted.setdefault(rereader, {})
        wanted[key] = max(at, wanted.get(key, at))

    def carry_out(self, cloud: Connection) -> None:
        """Read what was demanded.

        Raises:
            CloudUnavailable: of what could not be had now; everything else is staged.
        """
        away: CloudUnavailable | None = None
        while self._wanted:
            rereader = min(self._wanted, key=lambda r: r.order)
            wanted = self._wanted.pop(rereader)
            try:
                rereader.read(cloud, wanted, self)
            except CloudUnavailable as error:
                away = error
            except CloudError as error:
                self.failed.append(error)
        if away is not None:
            raise away

    def changes(self) -> tuple[list[m.AnyMutation], m.Expected]:
        """Return what is staged as one guarded transaction."""
        mutations: list[m.AnyMutation] = []
        expected = m.Expected()
        for (kind, key), record in self._records.items():
            if record is not None:
                mutations.append(_PUTS[kind](record))
            elif key in self.view.records[kind]:
                mutations.append(m.RemoveRecord(kind=kind, key=key))  # type: ignore[arg-type]
        for uuid, provider in self._providers.items():
            row = self.view.providers.index.get(uuid, -1)
            old = self.view.providers.record[row] if 0 <= row < self.view.provider_rows else None
            expected.providers[uuid] = 0 if old is None else old.generation
            if provider is not None:
                mutations.append(m.PutProvider(provider=provider))
            elif old is not None:
                mutations.append(m.RemoveProvider(uuid=uuid, cascade=True))
        for uuid, consumer in self._consumers.items():
            known = self._in_view(uuid)
            expected.consumers[uuid] = 0 if known is None else known.generation
            if consumer is not None:
                mutations.append(_change(known, consumer))
            elif known is not None:
                mutations.append(m.RemoveConsumer(uuid=uuid))
        return mutations, expected


def _change(known: Consumer | None, consumer: Consumer) -> m.PutConsumer | m.PatchConsumer:
    """Return what makes a consumer of the graph the new one.

    A patch where it holds what it held: the store then need not read what there is to be held,
    which is a third of its work.
    """
    if known is None or known.allocations != consumer.allocations:
        return m.PutConsumer(consumer=consumer)
    fields = {
        name: value
        for name in _PATCHED
        if (value := getattr(consumer, name)) != getattr(known, name)
    }
    return m.PatchConsumer(uuid=consumer.uuid, **fields)


#: What a patch of a consumer may change.
_PATCHED = tuple(
    name for name in m.PatchConsumer.__struct_fields__ if name not in {"uuid", "allocations"}
)
