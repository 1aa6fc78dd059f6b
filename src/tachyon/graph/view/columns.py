"""The columns of a view: plain arrays and lists by row, shared between generations.

A row, once given to an entity, stays its row for ever (also after removal and return), so that
index dictionaries and append-only lists can be shared by all views of one history. Columns are
never written after a view is made; a refresh copies those that it changes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from tachyon.graph.entities import ResourceProvider
from tachyon.graph.view.codes import Codes
from tachyon.graph.view.placement import Parts, Tree

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

#: `created_at` of a consumer that has none.
NO_TIME = np.iinfo(np.int64).min


_Array = TypeVar("_Array", bound=NDArray[Any])


def frozen(array: _Array) -> _Array:
    """Mark an array read-only, so that no caller changes a view that others share."""
    array.flags.writeable = False
    return array


class ProviderColumns(Struct, kw_only=True):
    """Providers by row (P rows). `record` is None where a provider is gone.

    `position` orders them by arrival in the graph, as the store gave it; that of consumers is of
    the same kind.
    """

    uuid: list[str]
    index: dict[str, int]
    record: list[ResourceProvider | None]
    alive: Bool
    enabled: Bool
    up: Bool
    maintenance: Bool
    position: I64
    tree: Tree


class InventoryColumns(Struct, kw_only=True):
    """Inventories as provider × class matrices, P × C; zeros where there is no inventory."""

    has: Bool
    total: I64
    reserved: I64
    ratio: F64
    capacity: F64
    min_unit: I64
    max_unit: I64
    step_size: I64


class ConsumerColumns(Struct, kw_only=True):
    """Consumers by row (N rows).

    `home` is the provider row of the host (−1: placed nowhere); `demand` (N × C) what is held on
    the home's tree; `spread` the explicit parts of consumers that hold anything elsewhere than on
    the home itself. Texts of JSON columns are None when empty.
    """

    uuid: list[str]
    index: dict[str, int]
    name: list[str]
    alive: Bool
    type: I32
    state: I32
    status: I32
    project: I32
    flavor: I32
    group: I32
    pinned_az: I32
    locked: Bool
    watcher_exclude: Bool
    bootable: NDArray[np.int8]
    created_at: I64
    generation: I64
    placed: I64
    position: I64
    home: I32
    demand: I64
    spread: dict[int, Parts] = field(default_factory=dict)
    attachments: list[str | None] = field(default_factory=list)
    metadata: list[str | None] = field(default_factory=list)
    scheduler_hints: list[str | None] = field(default_factory=list)
    extra: list[str | None] = field(default_factory=list)


class CodeTables(Struct, kw_only=True):
    """The dictionary-coded columns' tables, shared by all views of one history."""

    type: Codes = field(default_factory=Codes)
    state: Codes = field(default_factory=Codes)
    status: Codes = field(default_factory=Codes)
    project: Codes = field(default_factory=Codes)
    flavor: Codes = field(default_factory=Codes)
    group: Codes = field(default_factory=Codes)
    pinned_az: Codes = field(default_factory=Codes)


class Metric(Struct, frozen=True):
    """A measured metric that stands as a column behind the resource classes.

    Values are kept as whole numbers of `1 / scale` units, so that sums are exact whatever the
    order in which they are made.
    """

    name: str
    unit: str = ""
    scale: int = 1_000_000


CODED = ("type", "state", "status", "project", "flavor", "group", "pinned_az")
#: Names of coded columns that differ from the entity's field.
FIELD_OF = {"project": "project_id", "flavor": "flavor_id", "group": "server_group"}
JSON_COLUMNS = ("attachments", "metadata", "scheduler_hints", "extra")
