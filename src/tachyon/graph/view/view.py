"""The columnar, immutable picture of one generation of the graph that all questions are put to.

Made from a store's snapshot (`building`), carried to another generation by its change log
(`refreshing`), or read off the wire (`wire`). Simulation sessions overlay it; they never copy it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import msgspec
import numpy as np

from tachyon.errors import ConsumerNotFound, InvalidInput, ProviderNotFound
from tachyon.graph.entities import (
    Allocations,
    Attachment,
    AvailabilityZone,
    Consumer,
    Entity,
    Flavor,
    HostAggregate,
    Kind,
    Project,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.view.columns import (
    F64,
    I64,
    NO_TIME,
    Bool,
    CodeTables,
    ConsumerColumns,
    InventoryColumns,
    Metric,
    ProviderColumns,
    frozen,
)
from tachyon.graph.view.holders import Holders
from tachyon.graph.view.placement import Parts, Tree

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Limits of one inventory: (has, capacity, min_unit, max_unit, step_size).
Limit = tuple[bool, float, int, int, int]


class View:
    """One generation of the graph as columns.

    P providers and N consumers stand in rows, resource classes (and metrics behind them) in
    columns; `used` and all of `inventories` are P × C. Rows of removed entities stay, marked not
    alive. Every array is read-only.
    """

    def __init__(
        self,
        *,
        generation: int,
        classes: Sequence[str],
        providers: ProviderColumns,
        inventories: InventoryColumns,
        consumers: ConsumerColumns,
        used: I64,
        codes: CodeTables,
        records: Mapping[Kind, Mapping[str, Entity]],
        metrics: Sequence[Metric] = (),
    ) -> None:
        self.generation = generation
        self.classes: tuple[str, ...] = tuple(classes)
        self.class_index: dict[str, int] = {name: i for i, name in enumerate(self.classes)}
        self.providers = providers
        self.inventories = inventories
        self.consumers = consumers
        self.used: I64 = frozen(used)
        self.codes = codes
        self.records = records
        self.metrics: tuple[Metric, ...] = tuple(metrics)
        #: P and N: how many rows there are, those of removed entities included.
        self.provider_rows: int = providers.alive.size
        self.consumer_rows: int = consumers.alive.size
        #: How many columns are resource classes; metrics stand behind them.
        self.resource_columns: int = len(self.classes) - len(self.metrics)
        self.resource_range = range(self.resource_columns)
        #: Whatever is worked out from this view alone and worth keeping, by key.
        self.memo: dict[Any, Any] = {}
        self._limits: dict[int, tuple[Limit, ...]] = {}
        self._stocked: dict[int, tuple[tuple[str, int], ...]] = {}
        self._shown: dict[int, tuple[tuple[str, int, int, float], ...]] = {}

    @property
    def tree(self) -> Tree:
        """The provider trees."""
        return self.providers.tree

    @property
    def capacity(self) -> F64:
        """P × C: (total − reserved) × allocation_ratio, 0 without inventory."""
        return self.inventories.capacity

    @property
    def free(self) -> F64:
        """P × C: capacity − used; negative on an overcommitted provider."""
        return self.inventories.capacity - self.used

    def limits(self, row: int) -> tuple[Limit, ...]:
        """Return a provider's limits by column, as plain Python values."""
        found = self._limits.get(row)
        if found is None:
            inv = self.inventories
            found = self._limits[row] = tuple(
                zip(
                    inv.has[row].tolist(),
                    inv.capacity[row].tolist(),
                    inv.min_unit[row].tolist(),
                    inv.max_unit[row].tolist(),
                    inv.step_size[row].tolist(),
                    strict=True,
                )
            )
        return found

    def stocked(self, row: int) -> tuple[tuple[str, int], ...]:
        """Return the resource classes that a provider has an inventory of, with their columns."""
        found = self._stocked.get(row)
        if found is None:
            limits = self.limits(row)
            found = self._stocked[row] = tuple(
                (name, column)
                for column, name in enumerate(self.classes[: self.resource_columns])
                if limits[column][0]
            )
        return found

    def shown(self, row: int) -> tuple[tuple[str, int, int, float], ...]:
        """Return what a provider's usage is told of: (name, column, scale, capacity) each.

        The capacity is in the unit of the class or metric.
        """
        found = self._shown.get(row)
        if found is None:
            limits = self.limits(row)
            found = self._shown[row] = tuple(
                (name, column, scale, limits[column][1] / scale)
                for column, name in enumerate(self.classes)
                if limits[column][0]
                for scale in (self.scale(column),)
            )
        return found

    def provider_row(self, uuid: str) -> int:
        """Return the row of a provider; raises `ProviderNotFound`."""
        row = self.providers.index.get(uuid, -1)
        if row < 0 or row >= self.provider_rows or self.providers.record[row] is None:
            raise ProviderNotFound(uuid)
        return row

    def provider(self, uuid: str) -> ResourceProvider:
        """Return a provider's record; raises `ProviderNotFound`."""
        return self.provider_at(self.provider_row(uuid))

    def provider_at(self, row: int) -> ResourceProvider:
        """Return the record of a provider that is known to be alive."""
        record = self.providers.record[row]
        if record is None:
            raise ProviderNotFound(self.providers.uuid[row])
        return record

    @cached_property
    def provider_order(self) -> I64:
        """Rows of living providers in the order in which they came into the graph."""
        rows = np.flatnonzero(self.providers.alive)
        return frozen(rows[np.argsort(self.providers.position[rows], kind="stable")])

    def provider_mask(
        self,
        *,
        types: Iterable[str] | None = None,
        in_service: bool = False,
        uuids: Iterable[str] | None = None,
    ) -> Bool:
        """Return a mask over provider rows: of some types, enabled and up, or named ones.

        Raises:
            ProviderNotFound: for an unknown name in `uuids`.
        """
        mask = self.providers.alive.copy()
        if types is not None:
            wanted = set(types)
            mask &= np.array([t in wanted for t in self.tree.types], dtype=bool)
        if in_service:
            mask &= self.providers.enabled & self.providers.up & ~self.providers.maintenance
        if uuids is not None:
            named = np.zeros_like(mask)
            named[[self.provider_row(uuid) for uuid in uuids]] = True
            mask &= named
        return mask

    def consumer_row(self, uuid: str) -> int:
        """Return the row of a consumer; raises `ConsumerNotFound`."""
        row = self.consumers.index.get(uuid, -1)
        if row < 0 or row >= self.consumer_rows or not self.consumers.alive[row]:
            raise ConsumerNotFound(uuid)
        return row

    @cached_property
    def consumer_order(self) -> I64:
        """Rows of living consumers in the order in which they came into the graph."""
        rows = np.flatnonzero(self.consumers.alive)
        return frozen(rows[np.argsort(self.consumers.position[rows], kind="stable")])

    def parts(self, row: int) -> Parts:
        """Return what a consumer holds, by provider row and class column."""
        spread = self.consumers.spread.get(row)
        if spread is not None:
            return spread
        home = int(self.consumers.home[row])
        if home < 0:
            return ()
        demand = self.consumers.demand[row, : self.resource_columns].tolist()
        return ((home, tuple((c, a) for c, a in enumerate(demand) if a)),)

    def allocations(self, row: int) -> Allocations:
        """Return what a consumer holds, by provider uuid and class name."""
        return self.named_parts(self.parts(row))

    def named_parts(self, parts: Parts) -> Allocations:
        """Return parts with uuids and class names in place of rows and columns."""
        uuid, classes = self.providers.uuid, self.classes
        return {uuid[row]: {classes[c]: a for c, a in held} for row, held in parts}

    def consumer(self, uuid: str) -> Consumer:
        """Return a consumer's record; raises `ConsumerNotFound`."""
        return self.consumer_at(self.consumer_row(uuid))

    def consumer_at(self, row: int) -> Consumer:
        """Return the record of the consumer in a row, put together from the columns."""
        c, codes = self.consumers, self.codes
        created = int(c.created_at[row])
        bootable = int(c.bootable[row])
        return Consumer(
            uuid=c.uuid[row],
            name=c.name[row],
            type=codes.type.value(int(c.type[row])) or "",
            generation=int(c.generation[row]),
            placed=int(c.placed[row]),
            state=codes.state.value(int(c.state[row])) or "",
            status=codes.status.value(int(c.status[row])),
            locked=bool(c.locked[row]),
            watcher_exclude=bool(c.watcher_exclude[row]),
            bootable=None if bootable < 0 else bool(bootable),
            created_at=None if created == NO_TIME else EPOCH + timedelta(microseconds=created),
            project_id=codes.project.value(int(c.project[row])),
            flavor_id=codes.flavor.value(int(c.flavor[row])),
            server_group=codes.group.value(int(c.group[row])),
            pinned_az=codes.pinned_az.value(int(c.pinned_az[row])),
            attachments=_decode(c.attachments[row], tuple[Attachment, ...], ()),
            allocations=self.allocations(row),
            metadata=_decode(c.metadata[row], dict[str, Any], {}),
            scheduler_hints=_decode(c.scheduler_hints[row], dict[str, Any], {}),
            extra=_decode(c.extra[row], dict[str, Any], {}),
        )

    def all_consumers(self) -> Iterator[Consumer]:
        """Yield every consumer in the order in which they came into the graph."""
        for row in self.consumer_order.tolist():
            yield self.consumer_at(row)

    @cached_property
    def holders(self) -> Holders:
        """Which consumers hold something on each provider."""
        return Holders(self.consumers, self.provider_rows)

    def flavor(self, key: str | None) -> Flavor | None:
        """Return a flavor's record, None where it is not described."""
        return self._record("flavor", key, Flavor)

    def server_group(self, key: str | None) -> ServerGroup | None:
        """Return a server group's record, None where it is not described."""
        return self._record("server_group", key, ServerGroup)

    def host_aggregate(self, key: str | None) -> HostAggregate | None:
        """Return a host aggregate's record, None where it is not described."""
        return self._record("host_aggregate", key, HostAggregate)

    def project(self, key: str | None) -> Project | None:
        """Return a project's record, None where it is not described."""
        return self._record("project", key, Project)

    def availability_zone(self, key: str | None) -> AvailabilityZone | None:
        """Return an availability zone's record, None where it is not described."""
        return self._record("availability_zone", key, AvailabilityZone)

    def _record(self, kind: Kind, key: str | None, cls: type[T]) -> T | None:
        found = None if key is None else self.records[kind].get(key)
        return found if isinstance(found, cls) else None

    def column(self, name: str) -> int:
        """Return the column of a resource class or metric; raises `InvalidInput`."""
        column = self.class_index.get(name)
        if column is None:
            raise InvalidInput(
                f"no resource class or metric {name}; there are: {', '.join(self.classes)}",
                resource_class=name,
            )
        return column

    def scale(self, column: int) -> int:
        """Return by what a column's whole numbers are divided for people; 1 for classes."""
        metric = column - self.resource_columns
        return self.metrics[metric].scale if metric >= 0 else 1


def _decode(text: str | None, cls: type[T], default: Any) -> T:
    if text is None:
        return default  # type: ignore[no-any-return]
    decoded: T = msgspec.json.decode(text, type=cls)
    return decoded
