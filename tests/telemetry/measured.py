"""A small cluster and an hour of what was measured on it, the truth of these tests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tachyon.graph.generator import generate
from tachyon.graph.view import View, build, snapshot_of
from tachyon.openstack.telemetry.resources import Resources

PERIOD = 300
COUNT = 12
#: On the grid of the values, so that all databases cut the window alike.
START = 1_790_000_400.0 - 1_790_000_400.0 % 3600
END = START + PERIOD * COUNT

Table = Mapping[str, NDArray[np.float64]]


@cache
def view() -> View:
    return build(snapshot_of(generate(hosts=5, instances=20, seed=7).cluster))


def hosts() -> Resources:
    return Resources(view(), "compute_node")


def instances() -> Resources:
    return Resources(view(), "instance")


def times() -> NDArray[np.float64]:
    return START + PERIOD * np.arange(COUNT)


@cache
def truth(metric: str) -> Table:
    """Values by name (hosts) or uuid (instances); the last resource of either was not measured."""
    resources = instances() if metric.startswith("instance") else hosts()
    labels = resources.uuids if resources.resource_type == "instance" else resources.names
    rng = np.random.default_rng(len(metric))
    scale = {
        "host_power": 300.0,
        "instance_ram_usage": 2048.0,
        "host_airflow": 900.0,
        "host_ram_usage": 6e7,
    }
    return {
        label: np.round(rng.uniform(0.05, 0.95, COUNT) * scale.get(metric, 100.0), 3)
        for label in labels[:-1]
    }


def vcpus() -> Mapping[str, float]:
    found = instances()
    return dict(zip(found.uuids, found.held("VCPU").tolist(), strict=True))


def expected(metric: str, function: str, since: float = START) -> NDArray[np.float64]:
    """One number for each resource; NaN for the one that was not measured."""
    resources = instances() if metric.startswith("instance") else hosts()
    labels = resources.uuids if resources.resource_type == "instance" else resources.names
    first = round((since - START) / PERIOD)
    reduce = {"mean": np.mean, "min": np.min, "max": np.max, "count": np.size}[function]
    known = truth(metric)
    return np.array([reduce(known[x][first:]) if x in known else np.nan for x in labels], float)
