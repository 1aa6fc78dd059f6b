"""The virtual state of a session: what differs from its base view, and nothing else.

Memory and cost grow with what deltas touch. A consumer that is moved whole from host to host costs
one number in `_placed`; a provider whose usage differs costs C numbers in `_block`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from tachyon.errors import ConsumerNotFound
from tachyon.graph.view.columns import I32, I64, Bool
from tachyon.graph.view.placement import Parts
from tachyon.graph.view.view import View

#: Where a consumer is: a provider row (all it held on its home, now there), or explicit parts.
Place = int | Parts
#: One reversible step: what kind, which row, what was so before (None: as in the base).
Effect = tuple[str, int, Any]


class NewConsumer(Struct, frozen=True):
    """A consumer that exists in a session only."""

    uuid: str
    name: str
    type: str
    project_id: str | None
    flavor_id: str | None
    server_group: str | None
    pinned_az: str | None


class VirtualState:
    """A base view and the differences from it. Rows behind the view's are new consumers."""

    __slots__ = (
        "_block",
        "_homes",
        "_homes_dirty",
        "_placed",
        "_row_at",
        "_slots",
        "_used",
        "_used_dirty",
        "fields",
        "flavors",
        "new",
        "new_at",
        "touched",
        "view",
    )

    def __init__(self, view: View) -> None:
        self.view = view
        self._placed: dict[int, Place] = {}
        self._slots: dict[int, int] = {}
        self._block = array("q")
        self._used: I64 | None = None
        self._used_dirty: set[int] = set()
        self._homes: I32 | None = None
        self._homes_dirty: set[int] = set()
        #: Collects the rows of providers whose usage changes, while somebody wants to know.
        self.touched: set[int] | None = None
        #: Provider row → fields that differ from the record.
        self.fields: dict[int, dict[str, Any]] = {}
        #: Consumer row → flavor after a resize.
        self.flavors: dict[int, str] = {}
        self.new: list[NewConsumer] = []
        self.new_at: dict[str, int] = {}

    def copy(self) -> VirtualState:
        """Return an independent state that is the same; costs what differs from the base."""
        other = VirtualState(self.view)
        other._placed = dict(self._placed)
        other._slots = dict(self._slots)
        other._block = array("q", self._block)
        other.fields = {row: dict(fields) for row, fields in self.fields.items()}
        other.flavors = dict(self.flavors)
        other.new = list(self.new)
        other.new_at = dict(self.new_at)
        return other

    def consumer_row(self, uuid: str) -> int:
        """Return a consumer's row, new ones included; raises `ConsumerNotFound`."""
        new = self.new_at.get(uuid)
        return self.view.consumer_row(uuid) if new is None else new

    def find_consumer(self, uuid: str) -> int | None:
        """Return a consumer's row, None when neither graph nor session knows it."""
        try:
            return self.consumer_row(uuid)
        except ConsumerNotFound:
            return None

    def add_consumer(self, consumer: NewConsumer) -> int:
        """Let a consumer come into being; returns its row."""
        row = self.view.consumer_rows + len(self.new)
        self.new.append(consumer)
        self.new_at[consumer.uuid] = row
        return row

    def drop_last_consumer(self) -> None:
        """Take back the last `add_consumer`."""
        del self.new_at[self.new.pop().uuid]

    def is_new(self, row: int) -> bool:
        """Tell whether a consumer exists in the session only."""
        return row >= self.view.consumer_rows

    def consumer_uuid(self, row: int) -> str:
        """Return the uuid of a consumer in a row."""
        count = self.view.consumer_rows
        return self.view.consumers.uuid[row] if row < count else self.new[row - count].uuid

    def home(self, row: int) -> int:
        """Return the row of a consumer's host, −1 when it is placed nowhere."""
        place = self._placed.get(row)
        if place is None:
            return -1 if self.is_new(row) else self.view.consumers.home.item(row)
        return place if isinstance(place, int) else self._home_of(place)

    def _home_of(self, parts: Parts) -> int:
        return self.view.tree.home([row for row, _ in parts])

    def simple_home(self, row: int) -> int:
        """Return the host of a consumer that holds its base demand there whole, else −1."""
        place = self._placed.get(row)
        if place is not None:
            return place if isinstance(place, int) else -1
        view = self.view
        if row >= view.consumer_rows or row in view.consumers.spread:
            return -1
        return view.consumers.home.item(row)

    def parts(self, row: int) -> Parts:
        """Return what a consumer holds, by provider row and class column."""
        place = self._placed.get(row)
        if place is None:
            return () if self.is_new(row) else self.view.parts(row)
        if isinstance(place, int):
            resources = self.view.consumers.demand[row, : self.view.resource_columns].tolist()
            return ((place, tuple((c, a) for c, a in enumerate(resources) if a)),)
        return place

    def placed_rows(self) -> Iterator[int]:
        """Yield the rows of consumers whose place was recorded by deltas."""
        return iter(self._placed)

    def homes(self) -> I32:
        """Return by consumer row of the base the row of its host; do not write to it.

        Kept and brought up to date as `used` is.
        """
        if not self._placed:
            return self.view.consumers.home
        if self._homes is None:
            self._homes = self.view.consumers.home.copy()
            dirty: Iterable[int] = self._placed
        else:
            dirty = self._homes_dirty
        for row in dirty:
            if row < self.view.consumer_rows:
                self._homes[row] = self.home(row)
        self._homes_dirty.clear()
        return self._homes

    def set_place(self, row: int, place: Place) -> Place | None:
        """Put a consumer somewhere and account for it; returns what was recorded before."""
        before = self._placed.get(row)
        self._account(row, -1)
        self._placed[row] = place
        self._account(row, 1)
        if self._homes is not None:
            self._homes_dirty.add(row)
        return before

    def restore_place(self, row: int, before: Place | None) -> None:
        """Undo `set_place`."""
        self._account(row, -1)
        if before is None:
            del self._placed[row]
        else:
            self._placed[row] = before
        self._account(row, 1)
        if self._homes is not None:
            self._homes_dirty.add(row)

    def move_simple(self, row: int, source: int, target: int, demand: list[int]) -> Place | None:
        """Move a simple consumer whole; the fast way of `set_place`."""
        before = self._placed.get(row)
        self._placed[row] = target
        self._shift(source, demand, -1)
        self._shift(target, demand, 1)
        if self._homes is not None:
            self._homes_dirty.add(row)
        return before

    def _account(self, row: int, sign: int) -> None:
        view = self.view
        width = len(view.classes)
        home = -1
        for provider, held in self.parts(row):
            amounts = [0] * width
            for column, amount in held:
                amounts[column] = amount
            self._shift(provider, amounts, sign)
        if view.metrics and not self.is_new(row) and (home := self.home(row)) >= 0:
            first = view.resource_columns
            measured = view.consumers.demand[row, first:].tolist()
            self._shift(home, [0] * first + measured, sign)

    def _shift(self, provider: int, amounts: list[int], sign: int) -> None:
        slot = self._slots.get(provider)
        block = self._block
        if slot is None:
            slot = len(block)
            self._slots[provider] = slot
            block.extend(self.view.used[provider].tolist())
        if sign > 0:
            for at, amount in enumerate(amounts, slot):
                block[at] += amount
        else:
            for at, amount in enumerate(amounts, slot):
                block[at] -= amount
        if self._used is not None:
            self._used_dirty.add(provider)
        if self.touched is not None:
            self.touched.add(provider)

    def used_row(self, provider: int) -> list[int]:
        """Return a provider's usage by column."""
        slot = self._slots.get(provider)
        if slot is None:
            found: list[int] = self.view.used[provider].tolist()
            return found
        return self._block[slot : slot + len(self.view.classes)].tolist()

    def used(self) -> I64:
        """Return the usage of all providers, P × C; do not write to it.

        Kept and brought up to date by what changed since the last call; `forget` frees it.
        """
        width = len(self.view.classes)
        if not self._slots:
            return self.view.used
        if self._used is None:
            self._used = self.view.used.copy()
            # Slots are given in order, so the block's rows stand in the order of the dictionary.
            rows = np.fromiter(self._slots, np.int64, len(self._slots))
            self._used[rows] = np.array(self._block, np.int64).reshape(-1, width)
        else:
            for row in self._used_dirty:
                self._used[row] = self.used_row(row)
        self._used_dirty.clear()
        return self._used

    def forget(self) -> None:
        """Free what is kept for speed only."""
        self._used = self._homes = None
        self._used_dirty.clear()
        self._homes_dirty.clear()

    def set_fields(self, row: int, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Set fields of a provider; returns what was recorded before."""
        before = self.fields.get(row)
        self.fields[row] = {**(before or {}), **fields}
        return before

    def restore_fields(self, row: int, before: dict[str, Any] | None) -> None:
        """Undo `set_fields`."""
        if before is None:
            del self.fields[row]
        else:
            self.fields[row] = before

    def provider_field(self, row: int, name: str) -> Any:
        """Return a provider's field as it is in the session."""
        fields = self.fields.get(row)
        if fields is not None and name in fields:
            return fields[name]
        return getattr(self.view.provider_at(row), name)

    def in_service(self) -> Bool:
        """Return by provider row: alive, enabled, up and not in maintenance; do not write to it."""
        base = self.view.memo.get("in_service")
        if base is None:
            base = self.view.memo["in_service"] = self.view.provider_mask(in_service=True)
        if not self.fields:
            mask: Bool = base
            return mask
        mask = base.copy()
        for row in self.fields:
            mask[row] = (
                self.provider_field(row, "status") == "enabled"
                and self.provider_field(row, "state") == "up"
                and not self.provider_field(row, "maintenance")
            )
        return mask

    def flavor(self, row: int) -> str | None:
        """Return the flavor id of a consumer in the session."""
        flavor = self.flavors.get(row)
        if flavor is not None:
            return flavor
        if self.is_new(row):
            return self.new[row - self.view.consumer_rows].flavor_id
        return self.view.codes.flavor.value(self.view.consumers.flavor.item(row))

    def group(self, row: int) -> str | None:
        """Return the server group of a consumer."""
        if self.is_new(row):
            return self.new[row - self.view.consumer_rows].server_group
        return self.view.codes.group.value(self.view.consumers.group.item(row))

    def project(self, row: int) -> str | None:
        """Return the project of a consumer."""
        if self.is_new(row):
            return self.new[row - self.view.consumer_rows].project_id
        return self.view.codes.project.value(self.view.consumers.project.item(row))

    def scheduler_hints(self, row: int) -> Mapping[str, Any]:
        """Return the scheduler hints that a consumer was created with; a new one has none."""
        if self.is_new(row):
            return {}
        text = self.view.consumers.scheduler_hints[row]
        found: Mapping[str, Any] = {} if text is None else msgspec.json.decode(text)
        return found

    def pinned_az(self, row: int) -> str | None:
        """Return the zone that a consumer is pinned to."""
        if self.is_new(row):
            return self.new[row - self.view.consumer_rows].pinned_az
        return self.view.codes.pinned_az.value(self.view.consumers.pinned_az.item(row))
