"""Hosts, flavors, projects and the instances on the hosts."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from tachyon.graph.entities import (
    Allocations,
    AvailabilityZone,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
)
from tachyon.graph.generator import catalogue as cat
from tachyon.graph.generator.drawing import Ints, choose, place, rank_within, uuids
from tachyon.graph.generator.groups import build_groups
from tachyon.graph.mutations import Cluster

#: The time at which generated clouds are seen; instances are up to a year older.
NOW = datetime(2026, 1, 1, tzinfo=UTC)

# Hosts are scaled to the load in steps of a real server's parts.
_STEPS = np.array([4, 8_192, 100])
_SCALE_MIN = 0.25
_GROWTH = 1.25


class ComputeOptions(Struct, kw_only=True, frozen=True):
    """The arguments of `generate` that concern hosts and instances, checked."""

    hosts: int
    instances: int
    skew: float
    load: float
    nested: int
    zones: int
    aggregates: int
    projects: int
    server_groups: int
    disabled: float
    down: float


class Compute(NamedTuple):
    """What the other parts need to know of the compute part; rows are those of the lists."""

    host_uuids: list[str]
    #: Physical VCPU of each host.
    vcpus: Ints
    instance_uuids: list[str]
    #: Row of the flavor type of each instance in the catalogue.
    sizes: Ints
    #: Row of the state of each instance in the catalogue.
    states: Ints
    projects: list[str]
    zones: list[str]


class _Layout(NamedTuple):
    """Hosts before they become providers. A bin is a NUMA node, or a host that has none."""

    types: Ints
    licensed: np.typing.NDArray[np.bool_]
    disabled: np.typing.NDArray[np.bool_]
    down: np.typing.NDArray[np.bool_]
    zone: Ints
    rack: Ints
    bins: int
    #: Shape (hosts, classes): totals of one bin of each host.
    bin_totals: Ints
    #: Shape (hosts,): memory reserved on each bin.
    bin_reserved: Ints
    #: Shape (instances,): the bin of each instance.
    places: Ints


def build_compute(cluster: Cluster, options: ComputeOptions, rng: np.random.Generator) -> Compute:
    """Add hosts, instances and all records about them to `cluster`."""
    sizes = choose([f.share for f in cat.FLAVORS], options.instances, rng)
    layout = _lay_out(options, sizes, rng)
    zones = _zone_names(options.zones)
    projects = _add_projects(cluster, options.projects, rng)
    _add_zones(cluster, options, zones, rng)
    cluster.flavors.extend(_flavors())
    hosts, bins, gpus = _add_hosts(cluster, options, layout, zones, rng)
    states = choose([share for _, _, share in cat.STATES], options.instances, rng)
    compute = Compute(
        host_uuids=hosts,
        vcpus=layout.bin_totals[:, 0] * layout.bins,
        instance_uuids=uuids(options.instances, rng),
        sizes=sizes,
        states=states,
        projects=projects,
        zones=zones,
    )
    _add_instances(cluster, options, layout, compute, bins, gpus, rng)
    return compute


def _zone_names(count: int) -> list[str]:
    return ["nova"] if count == 1 else [f"az-{number}" for number in range(1, count + 1)]


def _lay_out(options: ComputeOptions, sizes: Ints, rng: np.random.Generator) -> _Layout:
    count = options.hosts
    bins = max(options.nested, 1)
    types = choose([t.share for t in cat.HOST_TYPES], count, rng)
    licensed = rng.random(count) < 0.2
    order = rng.permutation(count)
    down = np.zeros(count, dtype=bool)
    down[order[: round(options.down * count)]] = True
    disabled = np.zeros(count, dtype=bool)
    disabled[order[::-1][: round(options.disabled * count)]] = True
    demands = np.array([(f.vcpus, f.memory_mb, f.disk_gb + f.local_gb) for f in cat.FLAVORS])
    base = np.array([t.totals for t in cat.HOST_TYPES])
    ratios = np.array([(t.vcpu_ratio, 1.0, 1.0) for t in cat.HOST_TYPES])
    needed = demands[sizes].sum(axis=0) / options.load
    up = types[~down]
    scale = max(_SCALE_MIN, float((needed / (base[up] * ratios[up]).sum(axis=0)).max()))
    state = rng.bit_generator.state
    while True:
        # Every attempt starts from the same random numbers.
        rng.bit_generator.state = state
        # No bin is smaller than the largest instance.
        steps = np.ceil(np.maximum(base * scale / bins, demands.max(axis=0)) / _STEPS)
        totals = (steps * _STEPS).astype(np.int64)
        reserved = np.array([t.reserved_mb for t in cat.HOST_TYPES]) // bins
        totals[:, 1] += reserved
        room = (totals * ratios).astype(np.int64)
        room[:, 1] -= reserved
        spread = np.repeat(types, bins)
        places = place(demands[sizes], room[spread], ~np.repeat(down, bins), options.skew, rng)
        if places is not None:
            break
        scale *= _GROWTH
    return _Layout(
        types=types,
        licensed=licensed,
        disabled=disabled,
        down=down,
        zone=np.arange(count) * options.zones // count,
        rack=np.arange(count) * options.aggregates // count,
        bins=bins,
        bin_totals=totals[types],
        bin_reserved=reserved[types],
        places=places,
    )


def _add_projects(cluster: Cluster, count: int, rng: np.random.Generator) -> list[str]:
    ids = [uuid.replace("-", "") for uuid in uuids(count, rng)]
    cluster.projects.extend(
        Project(external_id=key, name=f"project-{number:03d}")
        for number, key in enumerate(ids, start=1)
    )
    return ids


def _add_zones(
    cluster: Cluster, options: ComputeOptions, zones: list[str], rng: np.random.Generator
) -> None:
    cluster.availability_zones.extend(AvailabilityZone(name=zone) for zone in zones)
    keys = iter(uuids(options.zones + options.aggregates, rng))
    numbers = itertools.count(1)
    if len(zones) > 1:
        cluster.host_aggregates.extend(
            HostAggregate(
                name=zone, uuid=next(keys), id=next(numbers), availability_zone=zone,
                metadata={"availability_zone": zone},
            )
            for zone in zones
        )  # fmt: skip
    cluster.host_aggregates.extend(
        HostAggregate(
            name=rack,
            uuid=next(keys),
            id=next(numbers),
            metadata={"rack": rack.removeprefix("rack-")},
        )
        for rack in map(_rack_name, range(options.aggregates))
    )


def _rack_name(row: int) -> str:
    return f"rack-{row + 1:03d}"


def _flavors() -> list[Flavor]:
    return [
        Flavor(
            id=str(1 + row + variant * len(cat.FLAVORS)),
            name=flavor.name + suffix,
            vcpus=flavor.vcpus,
            memory_mb=flavor.memory_mb,
            disk_gb=flavor.disk_gb,
            ephemeral_gb=flavor.ephemeral_gb,
            swap_mb=flavor.swap_mb,
            extra_specs=dict(specs),
        )
        for variant, (suffix, specs) in enumerate(cat.VARIANTS)
        for row, flavor in enumerate(cat.FLAVORS)
    ]


def _add_hosts(
    cluster: Cluster,
    options: ComputeOptions,
    layout: _Layout,
    zones: list[str],
    rng: np.random.Generator,
) -> tuple[list[str], list[str], dict[int, str]]:
    """Add the providers; return the uuids of hosts, of bins, and of the GPUs of some hosts."""
    hosts = uuids(options.hosts, rng)
    nodes = uuids(options.hosts * layout.bins, rng) if options.nested else hosts
    devices = uuids(options.hosts, rng)
    gpus: dict[int, str] = {}
    width = max(4, len(str(options.hosts)))
    for row, uuid in enumerate(hosts):
        kind = cat.HOST_TYPES[layout.types[row]]
        name = f"compute-{row + 1:0{width}d}"
        cpu_and_memory, disk = _inventories(layout, row, kind.vcpu_ratio)
        aggregates = [zones[layout.zone[row]]] if len(zones) > 1 else []
        if options.aggregates:
            aggregates.append(_rack_name(int(layout.rack[row])))
        licensed = (cat.WINDOWS,) if layout.licensed[row] else ()
        cluster.providers.append(
            ResourceProvider(
                uuid=uuid,
                name=name,
                status="disabled" if layout.disabled[row] else "enabled",
                disabled_reason="hardware check" if layout.disabled[row] else None,
                state="down" if layout.down[row] else "up",
                availability_zone=zones[layout.zone[row]],
                aggregates=tuple(aggregates),
                traits=("COMPUTE_NODE", "HW_CPU_X86_AVX2", *kind.traits, *licensed),
                inventories=disk if options.nested else cpu_and_memory | disk,
                extra={"host_type": kind.name, "power_watts": list(kind.power_watts)},
            )
        )
        if not options.nested:
            continue
        cluster.providers.extend(
            ResourceProvider(
                uuid=nodes[row * layout.bins + number],
                name=f"{name}_numa{number}",
                type="numa",
                parent_uuid=uuid,
                inventories=cpu_and_memory,
            )
            for number in range(layout.bins)
        )
        if kind.gpus:
            gpus[row] = devices[row]
            cluster.providers.append(
                ResourceProvider(
                    uuid=devices[row],
                    name=f"{name}_pci_0000_84_00_0",
                    type="pci",
                    parent_uuid=uuid,
                    inventories={"VGPU": Inventory(total=kind.gpus, max_unit=kind.gpus)},
                )
            )
    return hosts, nodes, gpus


def _inventories(
    layout: _Layout, row: int, ratio: float
) -> tuple[dict[str, Inventory], dict[str, Inventory]]:
    """Return the inventories of one bin, and that of the host's disk."""
    vcpus, memory, disk = map(int, layout.bin_totals[row])
    disk *= layout.bins
    return (
        {
            "VCPU": Inventory(total=vcpus, allocation_ratio=ratio, max_unit=vcpus),
            "MEMORY_MB": Inventory(
                total=memory, reserved=int(layout.bin_reserved[row]), max_unit=memory
            ),
        },
        {"DISK_GB": Inventory(total=disk, max_unit=disk)},
    )


def _add_instances(
    cluster: Cluster,
    options: ComputeOptions,
    layout: _Layout,
    compute: Compute,
    bins: list[str],
    gpus: dict[int, str],
    rng: np.random.Generator,
) -> None:
    count = options.instances
    hosts = layout.places // layout.bins
    variants = _variants(layout, hosts, gpus, rng)
    group_of = build_groups(cluster, hosts, options.server_groups, rng)
    owners = choose(1 / np.arange(1, options.projects + 1), count, rng)
    pinned = rng.random(count) < 0.1
    locked = rng.random(count) < 0.01
    excluded = rng.random(count) < 0.01
    ages = (rng.random(count) * 365 * 86400).astype(np.int64)
    width = max(5, len(str(count)))
    columns = zip(
        compute.instance_uuids,
        *(a.tolist() for a in (compute.sizes, variants, layout.places, hosts, compute.states)),
        *(a.tolist() for a in (owners, pinned, locked, excluded, ages)),
        strict=True,
    )
    for row, (uuid, size, variant, node, host, state, owner, pin, lock, skip, age) in enumerate(
        columns
    ):
        flavor = cat.FLAVORS[size]
        vm_state, status, _ = cat.STATES[state]
        cpu_and_memory = {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.memory_mb}
        held: Allocations = {bins[node]: cpu_and_memory}
        disk = {"DISK_GB": flavor.disk_gb + flavor.local_gb}
        if options.nested:
            held[compute.host_uuids[host]] = disk
        else:
            cpu_and_memory.update(disk)
        if variant == cat.WITH_GPU:
            held[gpus[host]] = {"VGPU": 1}
        cluster.consumers.append(
            Consumer(
                uuid=uuid,
                name=f"vm-{row + 1:0{width}d}",
                state=vm_state,
                status=status,
                locked=lock,
                watcher_exclude=skip,
                created_at=NOW - timedelta(seconds=age),
                project_id=compute.projects[owner],
                flavor_id=str(1 + size + variant * len(cat.FLAVORS)),
                server_group=group_of.get(row),
                pinned_az=compute.zones[layout.zone[host]] if pin else None,
                allocations=held,
            )
        )


def _variants(layout: _Layout, hosts: Ints, gpus: dict[int, str], rng: np.random.Generator) -> Ints:
    """Choose for each instance a variant of its flavor that its host satisfies."""
    has_avx512 = np.array([cat.AVX512 in t.traits for t in cat.HOST_TYPES])
    licensed = layout.licensed[hosts]
    drawn = rng.random(len(hosts))
    variants = np.full(len(hosts), cat.PLAIN, dtype=np.int64)
    variants[(drawn < 0.15) & has_avx512[layout.types[hosts]]] = cat.WITH_AVX512
    variants[(drawn < 0.10) & ~licensed] = cat.OFF_WINDOWS
    variants[(drawn < 0.10) & licensed] = cat.ON_WINDOWS
    if gpus:
        units = np.array([t.gpus for t in cat.HOST_TYPES])[layout.types]
        ranks = rank_within(hosts)
        # The first instances of a host, up to all of its GPUs or all but one.
        variants[(ranks < units[hosts]) & (drawn < 0.75)] = cat.WITH_GPU
    return variants
