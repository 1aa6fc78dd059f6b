"""Measured series of generated instances."""

from __future__ import annotations

import numpy as np

from tachyon.graph.cluster_file import MetricSeries
from tachyon.graph.generator import catalogue as cat
from tachyon.graph.generator.compute import NOW, Compute

_DAY = 86400.0


def cpu_usage(
    compute: Compute, samples: int, period: int, rng: np.random.Generator
) -> MetricSeries:
    """Return the CPU use of each instance in per cent of its VCPU.

    A level of its own, a swing over the day and noise; instances that do not run use nothing.
    `capacity` is the physical VCPU of each host, so that overcommitted hosts can be overloaded.
    """
    count = len(compute.instance_uuids)
    level = 2 + 60 * rng.random((count, 1)) ** 2
    phase = 2 * np.pi * rng.random((count, 1))
    swing = 0.6 * rng.random((count, 1)) * level
    times = 2 * np.pi * np.arange(samples) * period / _DAY
    noise = 4 * (rng.random((count, samples)) - 0.5)
    used = np.clip(level + swing * np.sin(times + phase) + noise, 0, 100).round(1)
    running = np.array([state == "active" for state, _, _ in cat.STATES])
    used[~running[compute.states]] = 0
    return MetricSeries(
        name="cpu_usage",
        unit="percent",
        kind="consumer",
        start=NOW,
        period=period,
        resource="VCPU",
        capacity=dict(zip(compute.host_uuids, map(float, compute.vcpus), strict=True)),
        values=dict(zip(compute.instance_uuids, used.tolist(), strict=True)),
    )
