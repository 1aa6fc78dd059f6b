"""Compute hosts and their instances; field names are Watcher's."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from tachyon.control.api.data_model.columns import by_uuid, documents, folded, grouped, texts
from tachyon.graph.view import View
from tachyon.graph.view.columns import I64
from tachyon.optimize.scope import ScopeMask


class Node(msgspec.Struct, frozen=True):
    """A host without instances; amounts in MiB, GiB and cores."""

    node_uuid: str
    node_hostname: str
    node_status: str
    node_disabled_reason: str | None
    node_state: str
    node_memory: int
    node_memory_mb_reserved: int
    node_disk: int
    node_disk_gb_reserved: int
    node_vcpus: int
    node_vcpu_reserved: int
    node_memory_ratio: float
    node_vcpu_ratio: float
    node_disk_ratio: float


class Row(Node, frozen=True):
    """An instance with its host; the last two fields came with 1.6."""

    server_uuid: str
    server_watcher_exclude: bool
    server_name: str
    server_state: str | None
    server_memory: int
    server_disk: int
    server_vcpus: int
    server_metadata: msgspec.Raw
    server_project_id: str | None
    server_locked: bool
    server_pinned_az: str | UnsetType | None = UNSET
    server_flavor_extra_specs: dict[str, str] | UnsetType = UNSET


_CLASSES = ("MEMORY_MB", "DISK_GB", "VCPU")


def rows(view: View, scope: ScopeMask, *, extended: bool = True) -> list[Node]:
    """Return a row for each instance in scope, by host; a host without any has a row of its own.

    `extended`: with the fields of 1.6.
    """
    hosts = np.flatnonzero(view.provider_mask(types=["compute"]) & scope.providers)
    order = view.consumer_order
    chosen = order[
        (view.consumers.type[order] == view.codes.type.find("instance")) & scope.consumers[order]
    ]
    servers = _servers(view, scope, chosen, extended=extended)
    here = grouped(view, chosen)
    found: list[Node] = []
    nodes = _nodes(view)
    for host in by_uuid(view, hosts):
        node = nodes(host)
        places = here.get(host)
        if places is None:
            found.append(Node(*node))
        else:
            found.extend([Row(*node, *servers[place]) for place in places])
    return found


def _nodes(view: View) -> Any:
    """Return what gives the node's fields of a host's row."""
    amounts = [
        folded(view, name, column).tolist() for name in _CLASSES for column in ("total", "reserved")
    ]
    ratios = [folded(view, name, "ratio").tolist() for name in ("MEMORY_MB", "VCPU", "DISK_GB")]

    def node(row: int) -> tuple[Any, ...]:
        record = view.provider_at(row)
        return (
            record.uuid,
            record.name,
            record.status,
            record.disabled_reason,
            record.state,
            *(column[row] for column in amounts),
            *(column[row] for column in ratios),
        )

    return node


def _servers(view: View, scope: ScopeMask, chosen: I64, *, extended: bool) -> list[tuple[Any, ...]]:
    """Return the server's fields of every chosen consumer."""
    consumers, codes = view.consumers, view.codes
    rows = chosen.tolist()
    columns: list[list[Any]] = [
        [consumers.uuid[row] for row in rows],
        (consumers.watcher_exclude | scope.excluded)[chosen].tolist(),
        [consumers.name[row] for row in rows],
        texts(codes.state, consumers.state[chosen]),
        *_sizes(view, chosen),
        documents(consumers.metadata, chosen),
        texts(codes.project, consumers.project[chosen]),
        consumers.locked[chosen].tolist(),
    ]
    if extended:
        columns.append(texts(codes.pinned_az, consumers.pinned_az[chosen]))
        flavors = [view.flavor(key) for key in codes.flavor.values]
        specs = [{} if flavor is None else flavor.extra_specs for flavor in flavors]
        of = consumers.flavor[chosen].tolist()
        columns.append([specs[code] if code >= 0 else {} for code in of])
    return list(zip(*columns, strict=True))


def _sizes(view: View, chosen: I64) -> list[list[int]]:
    """Return memory, disk and cores of consumers: the flavor's, or what they hold without one."""
    consumers = view.consumers
    flavors = [view.flavor(key) for key in view.codes.flavor.values]
    of = consumers.flavor[chosen]
    known = np.array([flavor is not None for flavor in flavors] + [False])[of]
    found = []
    for name, attribute in zip(_CLASSES, ("memory_mb", "disk_gb", "vcpus"), strict=True):
        at = view.class_index.get(name)
        held = 0 if at is None else consumers.demand[chosen, at]
        sizes = [getattr(flavor, attribute, 0) for flavor in flavors]
        found.append(np.where(known, np.array([*sizes, 0], np.int64)[of], held).tolist())
    return found
