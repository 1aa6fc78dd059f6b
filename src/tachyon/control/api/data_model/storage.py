"""Storage pools and their volumes (our own, from microversion 1.8 on)."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tachyon.control.api.data_model.columns import by_uuid, documents, grouped, texts
from tachyon.graph.view import View
from tachyon.optimize.scope import ScopeMask


class Pool(msgspec.Struct, frozen=True):
    """A pool without volumes, with its storage host; capacities in GiB as Cinder says them."""

    node_host: str
    node_zone: str | None
    node_status: str
    node_state: str
    node_volume_types: Any
    pool_name: str
    pool_total_volumes: Any
    pool_total_capacity_gb: Any
    pool_free_capacity_gb: Any
    pool_provisioned_capacity_gb: Any
    pool_allocated_capacity_gb: Any
    pool_virtual_free: Any


class Row(Pool, frozen=True):
    """A volume with its pool; its size in GiB."""

    volume_uuid: str
    volume_name: str
    volume_size: int
    volume_status: str | None
    volume_bootable: bool
    volume_metadata: msgspec.Raw
    volume_project_id: str | None


_CAPACITIES = (
    "total_volumes",
    "total_capacity_gb",
    "free_capacity_gb",
    "provisioned_capacity_gb",
    "allocated_capacity_gb",
    "virtual_free",
)


def rows(view: View, scope: ScopeMask) -> list[Pool]:
    """Return a row for each volume in scope, by pool; a pool without any has a row of its own."""
    pools = np.flatnonzero(view.provider_mask(types=["pool"]) & scope.providers)
    order = view.consumer_order
    volumes = order[
        (view.consumers.type[order] == view.codes.type.find("volume")) & scope.consumers[order]
    ]
    consumers, codes = view.consumers, view.codes
    listed = volumes.tolist()
    at = view.class_index.get("DISK_GB")
    sizes = [0] * len(listed) if at is None else consumers.demand[volumes, at].tolist()
    fields = list(
        zip(
            [consumers.uuid[row] for row in listed],
            [consumers.name[row] for row in listed],
            sizes,
            texts(codes.status, consumers.status[volumes]),
            (consumers.bootable[volumes] > 0).tolist(),
            documents(consumers.metadata, volumes),
            texts(codes.project, consumers.project[volumes]),
            strict=True,
        )
    )
    here = grouped(view, volumes)
    found: list[Pool] = []
    for row in by_uuid(view, pools):
        pool = _pool(view, row)
        places = here.get(row)
        if places is None:
            found.append(Pool(*pool))
        else:
            found.extend([Row(*pool, *fields[place]) for place in places])
    return found


def _pool(view: View, row: int) -> tuple[Any, ...]:
    pool = view.provider_at(row)
    parent = view.providers.index.get(pool.parent_uuid or "", -1)
    host = view.provider_at(parent) if parent >= 0 and view.providers.alive[parent] else pool
    return (
        host.name,
        host.availability_zone,
        host.status,
        host.state,
        host.extra.get("volume_types", []),
        pool.name,
        *(pool.extra.get(name) for name in _CAPACITIES),
    )
