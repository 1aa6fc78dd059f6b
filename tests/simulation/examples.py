"""One small cluster that people can keep in mind, for tests that read like documentation.

Hosts `alpha`, `beta` and `gamma` with 8 VCPU (ratio 2, so 16) and 100 MB; `web` and `db` stand on
`alpha`, `cache` on `beta`. `numa` has two NUMA nodes of 4 VCPU, a GPU below the first, and `model`
on the first node and the GPU. Pools `ssd` and `hdd` of storage host `ceph` hold volume `vol`.
"""

from __future__ import annotations

from typing import Any

from tachyon.graph.deltas import Move
from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.graph.mutations import Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import build, snapshot_of


def host(uuid: str, **fields: Any) -> ResourceProvider:
    defaults: dict[str, Any] = {
        "inventories": {
            "VCPU": Inventory(total=8, allocation_ratio=2.0, max_unit=8),
            "MEMORY_MB": Inventory(total=100),
        }
    }
    return ResourceProvider(uuid=uuid, name=uuid, **(defaults | fields))


def part(uuid: str, parent: str, kind: str, **amounts: int) -> ResourceProvider:
    inventories = {name: Inventory(total=total) for name, total in amounts.items()}
    return ResourceProvider(
        uuid=uuid, name=uuid, type=kind, parent_uuid=parent, inventories=inventories
    )


def instance(uuid: str, on: str, vcpu: int = 2, memory: int = 10, **fields: Any) -> Consumer:
    held = {on: {"VCPU": vcpu, "MEMORY_MB": memory}}
    return Consumer(uuid=uuid, name=uuid, allocations=held, **fields)


def cluster(*more: ResourceProvider | Consumer, **records: Any) -> Cluster:
    providers = [
        host("alpha"),
        host("beta"),
        host("gamma"),
        host("numa", inventories={"MEMORY_MB": Inventory(total=100)}),
        part("node-1", "numa", "numa", VCPU=4),
        part("node-2", "numa", "numa", VCPU=4),
        part("gpu", "node-1", "pci", CUSTOM_GPU=1),
        ResourceProvider(uuid="ceph", name="ceph", type="storage"),
        part("ssd", "ceph", "pool", DISK_GB=100),
        part("hdd", "ceph", "pool", DISK_GB=1000),
    ]
    consumers = [
        instance("web", "alpha"),
        instance("db", "alpha", 4, 40),
        instance("cache", "beta"),
        Consumer(uuid="model", allocations={"node-1": {"VCPU": 3}, "gpu": {"CUSTOM_GPU": 1}}),
        Consumer(uuid="vol", type="volume", allocations={"ssd": {"DISK_GB": 50}}),
    ]
    return Cluster(
        providers=[*providers, *(p for p in more if isinstance(p, ResourceProvider))],
        consumers=[*consumers, *(c for c in more if isinstance(c, Consumer))],
        **records,
    )


def session(*more: ResourceProvider | Consumer, **records: Any) -> Session:
    return Session(build(snapshot_of(cluster(*more, **records))))


def move(consumer: str, to: str, source: str | None = None) -> Move:
    return Move(consumer_uuid=consumer, to_provider=to, from_provider=source)
