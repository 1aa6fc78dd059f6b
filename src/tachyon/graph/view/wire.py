"""A view on the wire: MessagePack columns for programs, the same columns in JSON for people.

One document for both. Rows are canonical (living entities in the order in which they came into
the graph, classes and dictionary tables in a fixed order), so every process encodes a generation
alike. In MessagePack an array is `{"dtype", "sent", "shape", "data"}`: little-endian bytes of the
narrowest type (`sent`) that holds the values of `dtype`. In JSON it is a list (of lists). Texts
that most rows lack are mappings of row to text.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tachyon.errors import InvalidInput
from tachyon.graph.entities import (
    KINDS,
    AvailabilityZone,
    Flavor,
    HostAggregate,
    Inventory,
    Kind,
    Note,
    Project,
    ResourceProvider,
    ServerGroup,
    Text,
)
from tachyon.graph.view.building import class_order, provider_flags
from tachyon.graph.view.codes import Codes
from tachyon.graph.view.columns import (
    CODED,
    JSON_COLUMNS,
    CodeTables,
    ConsumerColumns,
    InventoryColumns,
    Metric,
    ProviderColumns,
    frozen,
)
from tachyon.graph.view.placement import Parts, Tree
from tachyon.graph.view.view import View

FORMAT = "tachyon-view"
VERSION = 1

#: A numpy array; see the module's docstring for its form on the wire.
Array = NDArray[Any]


class Providers(Struct, kw_only=True):
    """Providers by row; `traits`, `aggregates` and `extra` are indices into the tables."""

    uuid: list[str]
    position: Any
    name: list[str]
    type: list[str]
    generation: list[int]
    parent_uuid: list[str | None]
    status: list[str]
    state: list[str]
    disabled_reason: dict[int, Note]
    power_state: list[str | None]
    maintenance: list[bool]
    maintenance_reason: dict[int, Note]
    availability_zone: list[str | None]
    aggregates: list[int]
    traits: list[int]
    extra: dict[int, dict[str, Any]]
    aggregate_sets: list[tuple[Text, ...]]
    trait_sets: list[tuple[str, ...]]


class Coded(Struct):
    """A column of strings: the distinct ones, and the index of each row's (−1: none)."""

    table: list[str]
    codes: Any


class Consumers(Struct, kw_only=True):
    """Consumers by row; `spread` holds what is held elsewhere than on the home alone."""

    uuid: list[str]
    position: Any
    name: list[str]
    type: Coded
    state: Coded
    status: Coded
    project: Coded
    flavor: Coded
    group: Coded
    pinned_az: Coded
    locked: Any
    watcher_exclude: Any
    bootable: Any
    created_at: Any
    generation: Any
    placed: Any
    home: Any
    demand: Any
    spread: dict[int, Parts]
    attachments: dict[int, str]
    metadata: dict[int, str]
    scheduler_hints: dict[int, str]
    extra: dict[int, str]


class Document(Struct, kw_only=True):
    """A view of one generation: P × C matrices of inventories and usage, and columns by row."""

    format: str
    version: int
    generation: int
    classes: list[str]
    metrics: list[Metric]
    providers: Providers
    inventories: dict[str, Any]
    used: Any
    consumers: Consumers
    flavors: list[Flavor]
    projects: list[Project]
    server_groups: list[ServerGroup]
    host_aggregates: list[HostAggregate]
    availability_zones: list[AvailabilityZone]


_RECORDS: dict[Kind, str] = {
    kind: f"{kind}s" for kind in KINDS if kind not in ("provider", "consumer")
}
_ARRAYS = (
    "position",
    "locked",
    "watcher_exclude",
    "bootable",
    "created_at",
    "generation",
    "placed",
    "home",
    "demand",
)


def encode(view: View) -> bytes:
    """Return a view as MessagePack columns: about 90 bytes a consumer."""
    return _msgpack.encode(_document(view))


def encode_json(view: View) -> bytes:
    """Return a view as JSON columns."""
    return _json.encode(_document(view))


def decode(body: bytes) -> View:
    """Return the view that `encode` wrote; its arrays lie in `body`.

    Raises:
        InvalidInput: the bytes are no view, or one of another version.
    """
    try:
        document = _decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not a view: {error}") from error
    if (document.format, document.version) != (FORMAT, VERSION):
        raise InvalidInput(
            f"a {document.format} of version {document.version}, not {FORMAT} {VERSION}"
        )
    return _view(document)


def _packed(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        raise NotImplementedError(f"{type(array).__name__} does not go on the wire")
    array = np.ascontiguousarray(array)
    sent = array.astype(_narrow(array).newbyteorder("<"), copy=False)
    return {
        "dtype": array.dtype.newbyteorder("<").str,
        "sent": sent.dtype.str,
        "shape": array.shape,
        "data": sent.tobytes(),
    }


def _narrow(array: Array) -> np.dtype[Any]:
    """Return the narrowest type of whole numbers that holds all of an array."""
    if array.dtype.kind != "i" or not array.size:
        return array.dtype
    low, high = array.min(), array.max()
    for narrow in (np.int8, np.int16, np.int32):
        if np.iinfo(narrow).min <= low and high <= np.iinfo(narrow).max:
            return np.dtype(narrow)
    return array.dtype


def _listed(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        raise NotImplementedError(f"{type(array).__name__} does not go on the wire")
    return array.tolist()


_msgpack = msgspec.msgpack.Encoder(enc_hook=_packed)
_json = msgspec.json.Encoder(enc_hook=_listed)
_decoder = msgspec.msgpack.Decoder(Document)


def _unpacked(value: Any) -> Array:
    sent = np.frombuffer(value["data"], np.dtype(value["sent"]))
    return frozen(sent.astype(value["dtype"], copy=False).reshape(value["shape"]))


class _Rows:
    """The canonical rows of a view, and what becomes of row numbers."""

    def __init__(self, order: Array, rows: int) -> None:
        self.same = order.size == rows and bool((order == np.arange(rows)).all())
        self.order = order
        self.new = np.full(rows + 1, -1, np.int64)
        self.new[order] = np.arange(order.size)

    def take(self, column: Array) -> Array:
        return column if self.same else column[self.order]

    def pick(self, column: list[Any]) -> list[Any]:
        if self.same:
            return column[: self.order.size]
        return [column[row] for row in self.order.tolist()]


def _document(view: View) -> Document:
    providers = _Rows(view.provider_order, view.provider_rows)
    consumers = _Rows(view.consumer_order, view.consumer_rows)
    first = view.resource_columns
    classes = class_order(view.classes[:first]) + list(view.classes[first:])
    columns = [view.class_index[name] for name in classes]
    straight = columns == list(range(len(columns)))

    def matrix(values: Array, rows: _Rows) -> Array:
        taken = rows.take(values)
        return taken if straight else taken[:, columns]

    place = {column: at for at, column in enumerate(columns)}
    inventories = {
        name: matrix(getattr(view.inventories, name), providers)
        for name in InventoryColumns.__struct_fields__
    }
    return Document(
        format=FORMAT,
        version=VERSION,
        generation=view.generation,
        classes=classes,
        metrics=list(view.metrics),
        providers=_providers(
            [view.provider_at(row) for row in providers.order.tolist()],
            providers.take(view.providers.position),
        ),
        inventories=inventories,
        used=matrix(view.used, providers),
        consumers=_consumers(view, consumers, providers, place, matrix),
        **{  # type: ignore[arg-type]
            name: [view.records[kind][key] for key in sorted(view.records[kind])]
            for kind, name in _RECORDS.items()
        },
    )


def _providers(records: list[ResourceProvider], position: Array) -> Providers:
    traits: dict[Any, int] = {}
    aggregates: dict[Any, int] = {}

    def column(name: str) -> Any:
        return [getattr(p, name) for p in records]

    def texts(name: str) -> Any:
        return {row: v for row, p in enumerate(records) if (v := getattr(p, name))}

    return Providers(
        position=position,
        **{name: column(name) for name in _PLAIN},
        **{name: texts(name) for name in ("disabled_reason", "maintenance_reason", "extra")},
        aggregates=[aggregates.setdefault(p.aggregates, len(aggregates)) for p in records],
        traits=[traits.setdefault(p.traits, len(traits)) for p in records],
        aggregate_sets=list(aggregates),
        trait_sets=list(traits),
    )


_PLAIN = (
    "uuid",
    "name",
    "type",
    "generation",
    "parent_uuid",
    "status",
    "state",
    "power_state",
    "maintenance",
    "availability_zone",
)


def _consumers(
    view: View, rows: _Rows, providers: _Rows, place: dict[int, int], matrix: Any
) -> Consumers:
    columns = view.consumers
    coded: dict[str, Any] = {
        name: _coded(rows.take(getattr(columns, name)), getattr(view.codes, name)) for name in CODED
    }
    arrays: dict[str, Any] = {
        name: rows.take(getattr(columns, name))
        for name in _ARRAYS
        if name not in ("home", "demand")
    }
    new = rows.new
    texts: dict[str, Any] = {
        name: _sparse(rows.pick(getattr(columns, name))) for name in JSON_COLUMNS
    }
    spread: dict[int, Parts] = {
        int(new[row]): tuple(
            sorted(
                (int(providers.new[at]), tuple(sorted((place[c], a) for c, a in held)))
                for at, held in parts
            )
        )
        for row, parts in columns.spread.items()
        if new[row] >= 0
    }
    return Consumers(
        uuid=rows.pick(columns.uuid),
        name=rows.pick(columns.name),
        home=providers.new[rows.take(columns.home)].astype(np.int32),
        demand=matrix(columns.demand, rows),
        spread=spread,
        **coded,
        **arrays,
        **texts,
    )


def _sparse(column: list[str | None]) -> dict[int, str]:
    if column.count(None) == len(column):
        return {}
    return {row: text for row, text in enumerate(column) if text is not None}


def _coded(codes: Array, table: Codes) -> Coded:
    found = np.flatnonzero(np.bincount(codes + 1)[1:])
    values = sorted(table.values[code] for code in found.tolist())
    at = np.full(len(table.values) + 1, -1, np.int32)
    for position, value in enumerate(values):
        at[table.find(value)] = position
    return Coded(values, at[codes])


def _view(document: Document) -> View:
    inventories = {name: _unpacked(value) for name, value in document.inventories.items()}
    matrices = InventoryColumns(**inventories)
    consumers, codes = _consumer_columns(document.consumers)
    return View(
        generation=document.generation,
        classes=document.classes,
        providers=_provider_columns(document.providers, matrices, document.classes),
        inventories=matrices,
        consumers=consumers,
        used=_unpacked(document.used),
        codes=codes,
        records={
            kind: {getattr(e, KINDS[kind][1]): e for e in getattr(document, name)}
            for kind, name in _RECORDS.items()
        },
        metrics=document.metrics,
    )


def _provider_columns(
    listed: Providers, matrices: InventoryColumns, classes: list[str]
) -> ProviderColumns:
    # Not by `building.provider_columns`: what equal providers share is shared already.
    records: list[ResourceProvider | None] = [*_records(listed, matrices, classes)]
    index = {uuid: row for row, uuid in enumerate(listed.uuid)}
    return ProviderColumns(
        uuid=listed.uuid,
        index=index,
        record=records,
        position=_unpacked(listed.position),
        tree=Tree(records, index),
        **provider_flags(records),
    )


def _records(
    listed: Providers, matrices: InventoryColumns, classes: list[str]
) -> list[ResourceProvider]:
    inventories = _inventories(matrices, classes)
    records = []
    for row, plain in enumerate(zip(*(getattr(listed, n) for n in _PLAIN), strict=True)):
        records.append(
            ResourceProvider(
                **dict(zip(_PLAIN, plain, strict=True)),
                disabled_reason=listed.disabled_reason.get(row),
                maintenance_reason=listed.maintenance_reason.get(row),
                aggregates=listed.aggregate_sets[listed.aggregates[row]],
                traits=listed.trait_sets[listed.traits[row]],
                extra=listed.extra.get(row, {}),
                inventories=inventories[row],
            )
        )
    return records


_INVENTORY = ("total", "reserved", "ratio", "min_unit", "max_unit", "step_size")


def _inventories(matrices: InventoryColumns, classes: list[str]) -> list[dict[str, Inventory]]:
    """Return each provider's inventories; equal ones are one object."""
    found: list[dict[str, Inventory]] = [{} for _ in range(matrices.has.shape[0])]
    rows, columns = np.nonzero(matrices.has)
    values = [getattr(matrices, name)[rows, columns].tolist() for name in _INVENTORY]
    share: dict[Any, Inventory] = {}
    for row, column, *cell in zip(rows.tolist(), columns.tolist(), *values, strict=True):
        key = tuple(cell)
        inventory = share.get(key)
        if inventory is None:
            inventory = share[key] = Inventory(
                total=cell[0],
                reserved=cell[1],
                allocation_ratio=cell[2],
                min_unit=cell[3],
                max_unit=cell[4],
                step_size=cell[5],
            )
        found[row][classes[column]] = inventory
    return found


def _consumer_columns(listed: Consumers) -> tuple[ConsumerColumns, CodeTables]:
    count = len(listed.uuid)
    tables = {name: getattr(listed, name) for name in CODED}
    coded: dict[str, Any] = {name: _unpacked(c.codes) for name, c in tables.items()}
    arrays: dict[str, Any] = {name: _unpacked(getattr(listed, name)) for name in _ARRAYS}
    texts: dict[str, Any] = {}
    for name in JSON_COLUMNS:
        texts[name] = [None] * count
        for row, text in getattr(listed, name).items():
            texts[name][row] = text
    columns = ConsumerColumns(
        uuid=listed.uuid,
        index=dict(zip(listed.uuid, range(count), strict=True)),
        name=listed.name,
        alive=frozen(np.ones(count, np.bool_)),
        spread=listed.spread,
        **coded,
        **arrays,
        **texts,
    )
    return columns, CodeTables(**{name: Codes(c.table) for name, c in tables.items()})
