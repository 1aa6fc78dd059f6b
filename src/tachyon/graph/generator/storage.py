"""Storage hosts, their pools, volume types and volumes."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import numpy as np

from tachyon.graph.entities import Attachment, Consumer, Flavor, Inventory, ResourceProvider
from tachyon.graph.generator import catalogue as cat
from tachyon.graph.generator.compute import NOW, Compute
from tachyon.graph.generator.drawing import Ints, choose, place, uuids
from tachyon.graph.mutations import Cluster

_BACKENDS = ("ssd", "hdd")
_POOLS_PER_HOST = 2
_SIZES_GB = np.array([10, 20, 50, 100, 200])
_STEP_GB = 100


def build_storage(
    cluster: Cluster,
    pools: int,
    volumes: int,
    load: float,
    compute: Compute,
    rng: np.random.Generator,
) -> None:
    """Add storage to `cluster`; some of its instances get their root disk from a volume.

    Such a volume is as large as the flavor's root disk, and the instance gives that disk back
    on its host, as Nova has it for an instance booted from a volume.
    """
    instances = len(compute.instance_uuids)
    booted = rng.permutation(instances)[: min(volumes // 5, instances // 5)]
    roots = np.array([f.disk_gb for f in cat.FLAVORS])[compute.sizes[booted]]
    sizes = np.concatenate([roots, rng.choice(_SIZES_GB, size=volumes - len(booted))])
    total, places = _lay_out(sizes.astype(np.int64), pools, load, rng)
    used = np.bincount(places, weights=sizes, minlength=pools).astype(np.int64)
    numbers = np.bincount(places, minlength=pools)
    keys = _add_pools(cluster, total, used, numbers, compute.zones)
    cluster.flavors.extend(
        Flavor(id=f"volume-type-{b}", name=b, extra_specs={"volume_backend_name": b})
        for b in _BACKENDS
    )
    _boot_from_volume(cluster, booted, compute)
    _add_volumes(cluster, sizes, places, booted, keys, compute, rng)


def _lay_out(sizes: Ints, pools: int, load: float, rng: np.random.Generator) -> tuple[int, Ints]:
    """Return the size of each pool in GB and the pool of each volume."""
    mean = sizes.sum() / load / pools
    total = int(-(-max(mean, _SIZES_GB.max()) // _STEP_GB)) * _STEP_GB
    while True:
        room = np.full((pools, 1), total)
        places = place(sizes[:, None], room, np.ones(pools, dtype=bool), 0.2, rng)
        if places is not None:
            return total, places
        total += _STEP_GB


def _add_pools(
    cluster: Cluster,
    total: int,
    used: Ints,
    numbers: Ints,
    zones: list[str],
) -> list[str]:
    """Add storage hosts and pools, known by their names as in Cinder; return those of the pools."""
    count = len(used)
    keys: list[str] = []
    for number in range(-(-count // _POOLS_PER_HOST)):
        backend = _BACKENDS[number % len(_BACKENDS)]
        host = f"storage-{number // len(_BACKENDS) + 1:02d}@{backend}"
        zone = zones[number % len(zones)]
        cluster.providers.append(
            ResourceProvider(
                uuid=host,
                name=host,
                type="storage",
                availability_zone=zone,
                traits=("STORAGE_BACKEND", f"STORAGE_TYPE_{backend.upper()}"),
                extra={"volume_types": [backend]},
            )
        )
        for row in range(number * _POOLS_PER_HOST, min((number + 1) * _POOLS_PER_HOST, count)):
            held = int(used[row])
            keys.append(f"{host}#pool-{row % _POOLS_PER_HOST + 1}")
            cluster.providers.append(
                ResourceProvider(
                    uuid=keys[row],
                    name=keys[row],
                    type="pool",
                    parent_uuid=host,
                    availability_zone=zone,
                    inventories={"DISK_GB": Inventory(total=total, max_unit=total)},
                    extra={
                        "total_volumes": int(numbers[row]),
                        "total_capacity_gb": total,
                        "free_capacity_gb": total - held,
                        "provisioned_capacity_gb": held,
                        "allocated_capacity_gb": held,
                        "virtual_free": total - held,
                    },
                )
            )
    return keys


def _boot_from_volume(cluster: Cluster, booted: Ints, compute: Compute) -> None:
    for row in booted.tolist():
        consumer = cluster.consumers[row]
        root = cat.FLAVORS[compute.sizes[row]].disk_gb
        held = {uuid: dict(amounts) for uuid, amounts in consumer.allocations.items()}
        for uuid, amounts in list(held.items()):
            if "DISK_GB" not in amounts:
                continue
            amounts["DISK_GB"] -= root
            if not amounts["DISK_GB"]:
                del amounts["DISK_GB"]
            if not amounts:
                del held[uuid]
        cluster.consumers[row] = msgspec.structs.replace(consumer, allocations=held)


def _add_volumes(
    cluster: Cluster,
    sizes: Ints,
    places: Ints,
    booted: Ints,
    pools: list[str],
    compute: Compute,
    rng: np.random.Generator,
) -> None:
    count = len(sizes)
    instances = len(compute.instance_uuids)
    attached = np.full(count, -1, dtype=np.int64)
    attached[: len(booted)] = booted
    if instances:
        data = rng.integers(0, instances, size=count - len(booted))
        attached[len(booted) :] = np.where(rng.random(len(data)) < 0.75, data, -1)
    owners = choose(1 / np.arange(1, len(compute.projects) + 1), count, rng)
    ages = (rng.random(count) * 365 * 86400).astype(np.int64).tolist()
    keys, attachments = uuids(count, rng), uuids(count, rng)
    width = max(5, len(str(count)))
    for row in range(count):
        backend = _BACKENDS[places[row] // _POOLS_PER_HOST % len(_BACKENDS)]
        server = int(attached[row])
        owner = compute.projects[owners[row]]
        if server >= 0:
            owner = cluster.consumers[server].project_id or owner
        cluster.consumers.append(
            Consumer(
                uuid=keys[row],
                name=f"volume-{row + 1:0{width}d}",
                type="volume",
                status="in-use" if server >= 0 else "available",
                bootable=row < len(booted),
                created_at=NOW - timedelta(seconds=ages[row]),
                project_id=owner,
                flavor_id=f"volume-type-{backend}",
                attachments=(
                    Attachment(
                        consumer_uuid=compute.instance_uuids[server],
                        attachment_id=attachments[row],
                    ),
                )
                if server >= 0
                else (),
                allocations={pools[places[row]]: {"DISK_GB": int(sizes[row])}},
                extra={"multiattach": False, "snapshot_id": None, "volume_type": backend},
            )
        )
