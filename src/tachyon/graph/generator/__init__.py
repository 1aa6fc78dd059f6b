"""Made-up clusters of any size, for tests, demos and benchmarks.

What `generate` returns is sound by construction: every capacity and unit rule is kept, and every
placed instance satisfies its own traits, zone and server group. The trick is the order: resources
are placed first, and constraints are then chosen among those that the placement satisfies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.generator.compute import ComputeOptions, build_compute
from tachyon.graph.generator.series import cpu_usage
from tachyon.graph.generator.storage import build_storage
from tachyon.graph.mutations import Cluster

__all__ = ["generate"]


def generate(
    hosts: int = 100,
    instances: int = 1000,
    seed: int = 0,
    *,
    skew: float = 0.3,
    load: float = 0.5,
    nested: int = 0,
    zones: int = 1,
    aggregates: int = 0,
    projects: int = 8,
    server_groups: int | None = None,
    disabled: float = 0.0,
    down: float = 0.0,
    pools: int = 0,
    volumes: int = 0,
    samples: int = 0,
    period: int = 300,
) -> ClusterFile:
    """Make a cluster; the same arguments give the same cluster, to the byte.

    Args:
        hosts: compute hosts, of four types that differ in cores, memory and traits.
        instances: instances, all placed, of flavors from 1 to 8 VCPU.
        seed: of the random numbers.
        skew: 0 spreads instances evenly; 1 fills some hosts and leaves others empty.
        load: mean use of the tightest resource class over all hosts that are up; the hosts are
            scaled to it (and grow beyond when instances cannot be placed otherwise).
        nested: NUMA nodes of each host, as child providers that hold VCPU and MEMORY_MB; hosts
            of the accelerated type then have a PCI child with VGPU as well. 0: no children.
        zones: availability zones; with more than one, each has a host aggregate.
        aggregates: host aggregates beside those of the zones: racks of neighbouring hosts.
        projects: projects that own the instances and volumes, some much larger than others.
        server_groups: groups of all four policies; None: one per 50 instances.
        disabled: share of hosts whose service is disabled; they keep their instances.
        down: share of hosts that are down, and empty.
        pools: storage pools, two to a storage host.
        volumes: volumes, four out of five attached, some as root disks.
        samples: values of the series `cpu_usage` for each instance; 0: no metrics.
        period: seconds between two values.

    Raises:
        InvalidInput: an argument is out of its range; all are reported at once.
    """
    arguments: dict[str, Any] = dict(locals())
    _check(arguments)
    if server_groups is None:
        server_groups = instances // 50
    # One stream for each part: more volumes do not make other hosts.
    streams = [np.random.default_rng([seed, part]) for part in range(3)]
    cluster = Cluster()
    compute = build_compute(
        cluster,
        ComputeOptions(
            hosts=hosts,
            instances=instances,
            skew=skew,
            load=load,
            nested=nested,
            zones=zones,
            aggregates=aggregates,
            projects=projects,
            server_groups=server_groups,
            disabled=disabled,
            down=down,
        ),
        streams[0],
    )
    if pools:
        build_storage(cluster, pools, volumes, load, compute, streams[1])
    metrics = [cpu_usage(compute, samples, period, streams[2])] if samples else []
    named = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return ClusterFile(cluster=cluster, metrics=metrics, generated_by=f"tachyon generator: {named}")


_COUNTS = {
    "hosts": 1,
    "instances": 0,
    "seed": 0,
    "nested": 0,
    "zones": 1,
    "aggregates": 0,
    "projects": 1,
    "server_groups": 0,
    "pools": 0,
    "volumes": 0,
    "samples": 0,
    "period": 1,
}
_SHARES = ("skew", "load", "disabled", "down")


def _check(arguments: dict[str, Any]) -> None:
    problems = []
    for name, least in _COUNTS.items():
        value = arguments[name]
        if value is not None and (not isinstance(value, int) or value < least):
            problems.append((name, f"must be a whole number of at least {least}, not {value!r}"))
    for name in _SHARES:
        if not 0 <= arguments[name] <= 1:
            problems.append((name, f"must be from 0 to 1, not {arguments[name]!r}"))
    if not problems:
        if arguments["load"] < 0.05:
            problems.append(("load", "must be at least 0.05: hosts would be out of proportion"))
        if round(arguments["down"] * arguments["hosts"]) >= arguments["hosts"]:
            problems.append(("down", "must leave a host that is up"))
        if arguments["volumes"] and not arguments["pools"]:
            problems.append(("pools", "must be at least 1 where there are volumes"))
    if problems:
        raise InvalidInput.at(problems)
