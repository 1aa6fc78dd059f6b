"""The metrics that strategies can ask for, by the names and in the units of Watcher's users."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

ResourceType = Literal["compute_node", "instance", "bare_metal", "storage"]

#: How values over a period become one; every datasource knows them all.
AGGREGATES = ("mean", "min", "max", "count")
RESOURCE_TYPES: tuple[ResourceType, ...] = ("compute_node", "instance", "bare_metal", "storage")


class Metric(Struct, frozen=True, kw_only=True):
    """A metric: its name, its unit, and what it is measured on."""

    name: str
    unit: str
    resource_type: ResourceType
    description: str


def _metric(name: str, unit: str, resource_type: ResourceType, description: str) -> Metric:
    return Metric(name=name, unit=unit, resource_type=resource_type, description=description)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            _metric("host_cpu_usage", "%", "compute_node", "CPU in use, 0 to 100"),
            _metric("host_ram_usage", "KiB", "compute_node", "memory in use"),
            _metric("host_outlet_temp", "°C", "compute_node", "temperature of the air outlet"),
            _metric("host_inlet_temp", "°C", "compute_node", "temperature of the air inlet"),
            _metric("host_airflow", "0.1 CFM", "compute_node", "air that flows through"),
            _metric("host_power", "W", "compute_node", "power drawn"),
            _metric("instance_cpu_usage", "%", "instance", "CPU in use of its VCPUs, 0 to 100"),
            _metric("instance_ram_usage", "MB", "instance", "memory in use"),
            _metric("instance_ram_allocated", "MB", "instance", "memory of its flavor"),
            _metric("instance_l3_cache_usage", "B", "instance", "last-level cache in use"),
            _metric("instance_root_disk_size", "GB", "instance", "size of its root disk"),
        )
    }
)
