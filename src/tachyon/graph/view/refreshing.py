"""From one generation's view to another's by the change log, forward or back.

Columns that no change touches are shared between the two views; those that are touched are
copied once for the whole batch. Images in the log are absolute, so a batch is first folded to
one final image an entity; providers are carried over before consumers, whatever the direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
import numpy as np
from msgspec.structs import replace

from tachyon.graph.entities import (
    KINDS,
    Allocations,
    Consumer,
    Entity,
    Kind,
    ResourceProvider,
)
from tachyon.graph.store.contract import Change
from tachyon.graph.view.building import (
    class_order,
    inventory_columns,
    is_spread,
    json_text,
    microseconds,
    place_parts,
    provider_flags,
    share_tuples,
)
from tachyon.graph.view.columns import (
    CODED,
    FIELD_OF,
    JSON_COLUMNS,
    NO_TIME,
    InventoryColumns,
    ProviderColumns,
    frozen,
)
from tachyon.graph.view.placement import Parts, Tree, make_parts
from tachyon.graph.view.view import View


class _Image:
    """What is finally so for one entity: gone, wholly known (with its position), or patched."""

    __slots__ = ("fields", "position", "whole")

    def __init__(
        self, fields: dict[str, Any] | None, *, whole: bool, position: int | None = None
    ) -> None:
        self.fields = fields
        self.whole = whole
        self.position = position or 0


_Images = dict[Kind, dict[str, _Image]]


def refresh(view: View, changes: Sequence[Change], generation: int) -> View:
    """Return the view of a later generation; `changes` lead there from the view's own."""
    return _carry(view, _fold((c, c.before, c.after) for c in changes), generation)


def rewind(view: View, changes: Sequence[Change], generation: int) -> View:
    """Return the view of an earlier generation; `changes` lead from there to the view's own."""
    return _carry(view, _fold((c, c.after, c.before) for c in reversed(changes)), generation)


def _fold(steps: Any) -> _Images:
    images: _Images = {kind: {} for kind in KINDS}
    for change, was, becomes in steps:
        of_kind = images[change.kind]
        known = of_kind.get(change.key)
        if becomes is None:
            of_kind[change.key] = _Image(None, whole=True)
        elif was is None:
            of_kind[change.key] = _Image(dict(becomes), whole=True, position=change.position)
        elif known is None or known.fields is None:
            of_kind[change.key] = _Image(dict(becomes), whole=False)
        else:
            known.fields.update(becomes)
    return images


def _carry(view: View, images: _Images, generation: int) -> View:
    step = _Step(view, generation)
    step.carry_records(images)
    step.carry_providers(images["provider"])
    step.carry_consumers(images["consumer"])
    return step.finish()


class _Step:
    """One view on its way to another: the columns copied so far."""

    def __init__(self, view: View, generation: int) -> None:
        self.view = view
        self.generation = generation
        self.classes = list(view.classes)
        self.class_at = dict(view.class_index)
        self.records: Mapping[Kind, Mapping[str, Entity]] = view.records
        self.providers: ProviderColumns = view.providers
        self.inventories: InventoryColumns = view.inventories
        self.consumers = view.consumers
        self.used = view.used
        self._own: set[str] = set()

    def carry_records(self, images: _Images) -> None:
        changed = {
            kind: some for kind, some in images.items() if some and kind in self.view.records
        }
        if not changed:
            return
        records = dict(self.view.records)
        for kind, some in changed.items():
            table = dict(records[kind])
            for key, image in some.items():
                if image.fields is None:
                    table.pop(key, None)
                    continue
                old = {} if image.whole else msgspec.to_builtins(table[key])
                table[key] = msgspec.convert({**old, **image.fields}, KINDS[kind][0])
            records[kind] = table
        self.records = records

    def carry_providers(self, images: Mapping[str, _Image]) -> None:
        if not images:
            return
        old = self.providers
        share = cast(dict[Any, Any], self.view.memo.setdefault("interned", {}))
        records = list(old.record)
        uuid, index = _extendable(old.uuid, old.index, len(records))
        position = old.position
        structural = served = False
        inventories: set[int] = set()
        for key, image in images.items():
            row = index.get(key, -1)
            before = records[row] if 0 <= row < len(records) else None
            after = _provider(before, image, share)
            if row < 0 or row >= len(records):
                if after is None:
                    continue
                row = len(records)
                index[key] = row
                uuid.append(key)
                records.append(None)
                position = np.append(position, image.position)
            elif image.whole and after is not None:
                position = position.copy()
                position[row] = image.position
            records[row] = after
            served = served or _service(before) != _service(after)
            if _shape(before) != _shape(after):
                structural = True
            if (before.inventories if before else None) != (after.inventories if after else None):
                inventories.add(row)
        tree = Tree(records, index) if structural else old.tree
        flags: dict[str, Any] = {}
        if served:
            flags = provider_flags(records)
        self.providers = replace(
            old,
            uuid=uuid,
            index=index,
            record=records,
            position=frozen(position),
            tree=tree,
            **flags,
        )
        if len(records) > self.used.shape[0]:
            extra = np.zeros((len(records) - self.used.shape[0], self.used.shape[1]), np.int64)
            self._set_used(np.concatenate([self.used, extra]))
        if inventories:
            self._carry_inventories(records, inventories)
        elif len(records) > self.inventories.has.shape[0]:
            self.inventories = inventory_columns(records, self.classes)
        if structural:
            self._home_again({k for k, i in images.items() if _moves_homes(i)})

    def _carry_inventories(
        self, records: Sequence[ResourceProvider | None], rows: set[int]
    ) -> None:
        new = class_order(
            name
            for row in rows
            if (p := records[row]) is not None
            for name in p.inventories
            if name not in self.class_at
        )
        if new:
            self._widen(new)
        self.inventories = _patched_inventories(
            self.inventories, records, sorted(rows), self.classes
        )

    def _widen(self, names: Sequence[str]) -> None:
        for name in names:
            self.class_at[name] = len(self.classes)
            self.classes.append(name)
        self._set_used(_wider(self.used, len(self.classes)))
        self._write("demand", _wider(self.consumers.demand, len(self.classes)))
        columns = {
            name: frozen(_wider(getattr(self.inventories, name), len(self.classes)))
            for name in InventoryColumns.__struct_fields__
        }
        self.inventories = InventoryColumns(**columns)

    def _home_again(self, changed: set[str]) -> None:
        """Find homes anew for consumers that hold something on trees whose shape changed."""
        tree = self.providers.tree
        index = self.providers.index
        affected = {
            row
            for key in changed
            if index[key] < self.view.provider_rows
            for row in (*tree.subtree(index[key]), *self.view.tree.subtree(index[key]))
            if row < self.view.provider_rows
        }
        for holder in sorted({c for row in affected for c in self.view.holders.of(row)}):
            self._set_parts(holder, self._parts(holder))

    def carry_consumers(self, images: Mapping[str, _Image]) -> None:
        if not images:
            return
        self._add_rows([key for key, image in images.items() if image.fields is not None])
        index = self.consumers.index
        count = self.consumers.alive.size
        for key, image in images.items():
            row = index.get(key, -1)
            # The index is shared: a row behind ours is one that another view has added.
            if not 0 <= row < count:
                continue
            fields = image.fields
            if fields is None:
                self._move(row, ())
                self._column("alive")[row] = False
                continue
            if image.whole:
                fields = _whole(fields)
                if not self.consumers.alive[row]:
                    self._column("alive")[row] = True
                self._column("position")[row] = image.position
            self._set_fields(row, fields)

    def _add_rows(self, keys: Sequence[str]) -> None:
        count = self.consumers.alive.size
        known = self.consumers.index
        new = [k for k in keys if (row := known.get(k, -1)) < 0 or row >= count]
        if not new:
            return
        uuid, index = _extendable(self.consumers.uuid, self.consumers.index, count)
        for key in new:
            index[key] = len(uuid)
            uuid.append(key)
        columns: dict[str, Any] = {"uuid": uuid, "index": index}
        for name in self.consumers.__struct_fields__:
            value = getattr(self.consumers, name)
            if isinstance(value, np.ndarray):
                grown = np.zeros((count + len(new), *value.shape[1:]), value.dtype)
                grown[:count] = value
                columns[name] = grown
            elif name == "name":
                columns[name] = [*value, *([""] * len(new))]
            elif name in JSON_COLUMNS:
                columns[name] = [*value, *([None] * len(new))]
            else:
                columns.setdefault(name, value)
        columns["home"][count:] = -1
        self.consumers = type(self.consumers)(**columns)
        self._own.update(n for n, v in columns.items() if isinstance(v, np.ndarray))
        self._own.update(("name", *JSON_COLUMNS))

    def _set_fields(self, row: int, fields: dict[str, Any]) -> None:
        codes = self.view.codes
        for name in CODED:
            field = FIELD_OF.get(name, name)
            if field in fields:
                self._column(name)[row] = getattr(codes, name).code(fields[field])
        for name in ("locked", "watcher_exclude", "generation", "placed"):
            if name in fields:
                self._column(name)[row] = fields[name]
        if "bootable" in fields:
            value = fields["bootable"]
            self._column("bootable")[row] = -1 if value is None else int(value)
        if "created_at" in fields:
            self._column("created_at")[row] = _microseconds(fields["created_at"])
        if "name" in fields:
            self._column("name")[row] = fields["name"]
        for name in JSON_COLUMNS:
            if name in fields:
                self._column(name)[row] = json_text(fields[name])
        if "allocations" in fields:
            self._move(row, self._rows_of(fields["allocations"]))

    def _rows_of(self, allocations: Allocations) -> Parts:
        index = self.providers.index
        new = class_order(c for r in allocations.values() for c in r if c not in self.class_at)
        if new:
            self._widen(new)
        at = self.class_at
        return make_parts(
            {index[u]: {at[c]: a for c, a in held.items()} for u, held in allocations.items()}
        )

    def _parts(self, row: int) -> Parts:
        spread = self.consumers.spread.get(row)
        if spread is not None:
            return spread
        home = int(self.consumers.home[row])
        if home < 0:
            return ()
        held = tuple((c, a) for c, a in enumerate(self.consumers.demand[row].tolist()) if a)
        return ((home, held),)

    def _move(self, row: int, parts: Parts) -> None:
        used = self._own_used()
        for held_parts, sign in ((self._parts(row), -1), (parts, 1)):
            for provider, held in held_parts:
                for column, amount in held:
                    used[provider, column] += sign * amount
        self._set_parts(row, parts)

    def _set_parts(self, row: int, parts: Parts) -> None:
        home, demand = place_parts(self.providers.tree, parts, len(self.classes))
        if self.consumers.home[row] != home:
            self._column("home")[row] = home
        if self.consumers.demand[row].tolist() != demand:
            self._column("demand")[row] = demand
        spread = is_spread(home, parts)
        if spread or row in self.consumers.spread:
            own = self._column("spread")
            if spread:
                own[row] = parts
            else:
                del own[row]

    def _column(self, name: str) -> Any:
        """Return a column of consumers that this step may write to, copied at first use."""
        column = getattr(self.consumers, name)
        if name not in self._own:
            column = column.copy()
            self._write(name, column)
        return column

    def _write(self, name: str, column: Any) -> None:
        self.consumers = replace(self.consumers, **{name: column})
        self._own.add(name)

    def _own_used(self) -> Any:
        if "used" not in self._own:
            self._set_used(self.used.copy())
        return self.used

    def _set_used(self, used: Any) -> None:
        self.used = used
        self._own.add("used")

    def finish(self) -> View:
        for name in self._own - {"used"}:
            column = getattr(self.consumers, name)
            if isinstance(column, np.ndarray):
                frozen(column)
        view = View(
            generation=self.generation,
            classes=self.classes,
            providers=self.providers,
            inventories=self.inventories,
            consumers=self.consumers,
            used=self.used,
            codes=self.view.codes,
            records=self.records,
        )
        view.memo["interned"] = self.view.memo.setdefault("interned", {})
        return view


def _extendable(
    uuid: list[str], index: dict[str, int], count: int
) -> tuple[list[str], dict[str, int]]:
    """Return the lists to append to: the shared ones, unless another view has done so already."""
    if len(uuid) == count:
        return uuid, index
    kept = uuid[:count]
    return kept, {u: row for row, u in enumerate(kept)}


def _provider(
    before: ResourceProvider | None, image: _Image, share: dict[Any, Any]
) -> ResourceProvider | None:
    fields = image.fields
    if fields is None:
        return None
    if before is None or image.whole:
        return share_tuples(msgspec.convert(fields, ResourceProvider), share)
    if fields.keys() == {"generation"}:
        return replace(before, generation=fields["generation"])
    merged = {**msgspec.to_builtins(before), **fields}
    return share_tuples(msgspec.convert(merged, ResourceProvider), share)


def _shape(record: ResourceProvider | None) -> Any:
    return None if record is None else (record.type, record.parent_uuid)


def _service(record: ResourceProvider | None) -> Any:
    """Return what the boolean columns of providers hold."""
    if record is None:
        return None
    return (record.status == "enabled", record.state == "up", record.maintenance)


def _moves_homes(image: _Image) -> bool:
    return image.fields is not None and bool(image.fields.keys() & {"type", "parent_uuid"})


def _patched_inventories(
    old: InventoryColumns,
    records: Sequence[ResourceProvider | None],
    rows: Sequence[int],
    classes: Sequence[str],
) -> InventoryColumns:
    patch = inventory_columns([records[row] for row in rows], classes)
    columns: dict[str, Any] = {}
    for name in InventoryColumns.__struct_fields__:
        was = getattr(old, name)
        now = np.zeros((len(records), len(classes)), was.dtype)
        now[: was.shape[0]] = was
        now[rows] = getattr(patch, name)
        columns[name] = frozen(now)
    return InventoryColumns(**columns)


def _wider(matrix: Any, columns: int) -> Any:
    wide = np.zeros((matrix.shape[0], columns), matrix.dtype)
    wide[:, : matrix.shape[1]] = matrix
    return wide


_EMPTY = {
    name: msgspec.to_builtins(value)
    for name, value in msgspec.structs.asdict(Consumer(uuid="-")).items()
    if name != "uuid"
}


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    return {**_EMPTY, **fields}


def _microseconds(text: Any) -> int:
    moment = microseconds(msgspec.convert(text, datetime | None))
    return int(NO_TIME) if moment is None else moment
