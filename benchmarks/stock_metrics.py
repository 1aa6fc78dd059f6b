"""A datasource in memory for stock strategies: figures that follow from uuids alone."""

from __future__ import annotations

import zlib
from typing import Any

from benchmarks.stock_model import Cluster, compute_hosts, instances

_KIB = 1024.0
#: Level, range and name by metric of hosts that nothing else follows from.
_CLIMATE = {
    "host_outlet_temp": (25.0, 15.0),
    "host_inlet_temp": (18.0, 15.0),
    "host_airflow": (300.0, 150.0),
    "host_power": (250.0, 200.0),
}


def share(key: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    return zlib.crc32(f"{salt}:{key}".encode()) / 2**32


def _serves(provider: dict[str, Any]) -> bool:
    return {"enabled", "up"} == {provider.get("status", "enabled"), provider.get("state", "up")}


def _free_to_go(consumer: dict[str, Any]) -> bool:
    return consumer.get("state", "active") == "active" and not (
        consumer.get("locked") or consumer.get("watcher_exclude")
    )


class Datasource:
    """What strategies ask of a datasource; hosts measure the sum of their instances."""

    NAME = "memory"

    def __init__(self, cluster: Cluster) -> None:
        self.cpu: dict[str, float] = {}
        self.ram: dict[str, float] = {}
        self.disk: dict[str, float] = {}
        on_host: dict[str, list[str]] = {}
        cores: dict[str, float] = {}
        memory: dict[str, float] = {}
        serving = {p["uuid"] for p in compute_hosts(cluster) if _serves(p)}
        for consumer, host in instances(cluster):
            uuid, held = consumer["uuid"], consumer["allocations"][host]
            self.cpu[uuid] = 5 + 90 * share(uuid, "cpu") ** 2
            self.ram[uuid] = held["MEMORY_MB"] * (0.2 + 0.7 * share(uuid, "ram"))
            self.disk[uuid] = float(held.get("DISK_GB", 0))
            cores[host] = cores.get(host, 0.0) + held["VCPU"] * self.cpu[uuid] / 100
            memory[host] = memory.get(host, 0.0) + self.ram[uuid]
            if _free_to_go(consumer) and host in serving:
                on_host.setdefault(host, []).append(uuid)
        for provider in compute_hosts(cluster):
            uuid, room = provider["uuid"], provider["inventories"]
            self.cpu[uuid] = min(100.0, 2 + 100 * cores.get(uuid, 0.0) / room["VCPU"]["total"])
            self.ram[uuid] = (memory.get(uuid, 0.0) + 2048) * _KIB
        self._noise = self._neighbours(on_host)

    @staticmethod
    def _neighbours(on_host: dict[str, list[str]]) -> dict[str, tuple[float, float]]:
        """Return cache usage now and before of one victim and the noisy one beside it.

        Of instances that may be moved, by host.

        Upstream's strategy fails where two hosts have such a pair.
        """
        for host in sorted(on_host):
            if len(on_host[host]) > 1:
                first, last = min(on_host[host]), max(on_host[host])
                return {first: (500.0, 1000.0), last: (2000.0, 1200.0)}
        return {}

    def get_host_cpu_usage(self, resource: Any, *_: Any, **__: Any) -> float:
        return self.cpu[resource.uuid]

    def get_host_ram_usage(self, resource: Any, *_: Any, **__: Any) -> float:
        return self.ram[resource.uuid]

    get_instance_cpu_usage = get_host_cpu_usage
    get_instance_ram_usage = get_host_ram_usage

    def get_instance_ram_allocated(self, resource: Any, *_: Any, **__: Any) -> float:
        return float(resource.memory)

    def get_instance_root_disk_size(self, resource: Any, *_: Any, **__: Any) -> float:
        return self.disk[resource.uuid]

    def get_instance_l3_cache_usage(
        self, resource: Any, _meter: str = "", period: float = 100.0, *_: Any, **__: Any
    ) -> float:
        now, before = self._noise.get(resource.uuid, (1000.0, 1000.0))
        return now if period <= 100 else before

    def statistic_aggregation(
        self,
        resource: Any = None,
        resource_type: str = "",
        meter_name: str = "",
        *_: Any,
        **__: Any,
    ) -> float:
        if meter_name in _CLIMATE:
            level, width = _CLIMATE[meter_name]
            return level + width * share(resource.uuid, meter_name)
        found = {"cpu": self.cpu, "ram": self.ram}[meter_name.split("_")[1]]
        return found[resource.uuid]
