"""A cluster file's volumes as Cinder tells stock Watcher of them; that strategy reads no model."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from benchmarks.stock_model import Cluster


def threshold(cluster: Cluster) -> float:
    """Return the used share, in per cent, that half of the pools reach."""
    used: list[float] = [
        100.0 * (1.0 - p["extra"]["free_capacity_gb"] / p["extra"]["total_capacity_gb"])
        for p in cluster["providers"]
        if p.get("type") == "pool"
    ]
    return statistics.median(used)


def like(pool: str, pools: Sequence[str]) -> str:
    """Return the last pool of the same backend, where volumes may go with the type they have."""
    backend = pool.partition("@")[2].partition("#")[0]
    return [p for p in pools if p.partition("@")[2].partition("#")[0] == backend][-1]


class Cinder:
    """What the strategy asks of the helper that it has for Cinder."""

    def __init__(self, cluster: Cluster) -> None:
        self._pools = [_pool(p) for p in cluster["providers"] if p.get("type") == "pool"]
        self._volumes = [_volume(c) for c in cluster["consumers"] if c.get("type") == "volume"]
        self._types = [
            SimpleNamespace(name=f["name"], extra_specs=f["extra_specs"])
            for f in cluster.get("flavors", ())
            if "volume_backend_name" in f.get("extra_specs", {})
        ]

    def get_storage_pool_list(self) -> list[Any]:
        return self._pools

    def get_volume_list(self) -> list[Any]:
        return self._volumes

    def get_volume_snapshots_list(self) -> list[Any]:
        return []

    def get_volume_type_list(self) -> list[Any]:
        return self._types


def _pool(provider: dict[str, Any]) -> Any:
    name = provider["name"]
    capabilities = {
        "name": name,
        "pool_name": name.partition("#")[2],
        "volume_backend_name": name.partition("@")[2].partition("#")[0],
        "max_over_subscription_ratio": 20.0,
    }
    return SimpleNamespace(**{**provider["extra"], **capabilities})


def _volume(consumer: dict[str, Any]) -> Any:
    ((pool, held),) = consumer["allocations"].items()
    return SimpleNamespace(
        id=consumer["uuid"],
        name=consumer.get("name", ""),
        host=pool,
        size=held["DISK_GB"],
        status=consumer.get("status", "available"),
        migration_status=None,
        bootable=str(bool(consumer.get("bootable"))).lower(),
        volume_type=consumer["extra"]["volume_type"],
    )
