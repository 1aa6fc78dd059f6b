"""A cluster with one of everything that a scope can name."""

from __future__ import annotations

from typing import Any

from tachyon.graph.entities import (
    AvailabilityZone,
    Consumer,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
)
from tachyon.graph.mutations import Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import build, snapshot_of

ROOM = {"VCPU": Inventory(total=16)}
DISK = {"DISK_GB": Inventory(total=1000)}


def host(name: str, **fields: Any) -> ResourceProvider:
    return ResourceProvider(uuid=f"uuid-{name}", name=name, inventories=ROOM, **fields)


def instance(name: str, on: str | None, **fields: Any) -> Consumer:
    held = {} if on is None else {on: {"VCPU": 1}}
    return Consumer(uuid=name, name=name, allocations=held, **fields)


def volume(name: str, on: str | None, **fields: Any) -> Consumer:
    held = {} if on is None else {on: {"DISK_GB": 10}}
    return Consumer(uuid=name, name=name, type="volume", allocations=held, **fields)


def storage_host(name: str, zone: str, types: list[str]) -> ResourceProvider:
    return ResourceProvider(
        uuid=name, name=name, type="storage", availability_zone=zone, extra={"volume_types": types}
    )


def pool(name: str, parent: str | None) -> ResourceProvider:
    return ResourceProvider(uuid=name, name=name, type="pool", parent_uuid=parent, inventories=DISK)


def cluster() -> Cluster:
    return Cluster(
        availability_zones=[AvailabilityZone(name=z) for z in ("az1", "az2", "empty")],
        host_aggregates=[
            HostAggregate(name="rack-1", id=1, uuid="agg-1"),
            HostAggregate(name="rack-2", id=2, uuid="agg-2"),
            HostAggregate(name="bare", id=3),
        ],
        projects=[Project(external_id="p1"), Project(external_id="p2")],
        providers=[
            host("c1", availability_zone="az1", aggregates=("rack-1",)),
            host("c2", availability_zone="az1", aggregates=("rack-2",)),
            host("c3", availability_zone="az2", aggregates=("rack-1", "rack-2")),
            host("c4", availability_zone="az2"),
            ResourceProvider(
                uuid="numa", name="c1_numa0", type="numa", parent_uuid="uuid-c1", inventories=ROOM
            ),
            ResourceProvider(uuid="nfs", name="nfs", type="sharing", inventories=DISK),
            storage_host("s1@lvm", "az1", ["gold", "silver"]),
            storage_host("s2@ceph", "az2", ["silver"]),
            pool("s1@lvm#a", "s1@lvm"),
            pool("s1@lvm#b", "s1@lvm"),
            pool("s2@ceph#a", "s2@ceph"),
            pool("lost#a", None),
            ResourceProvider(uuid="iron-1", name="iron-1", type="baremetal", inventories=ROOM),
            ResourceProvider(uuid="iron-2", name="iron-2", type="baremetal", inventories=ROOM),
        ],
        consumers=[
            instance("i1", "uuid-c1", project_id="p1", metadata={"optimize": "False", "a": "1"}),
            instance("i2", "uuid-c2", project_id="p2", metadata={"optimize": False}),
            instance("i3", "uuid-c3", project_id="p1", metadata={"optimize": "true"}),
            instance("i4", "uuid-c4", project_id="p2"),
            instance("i5", None, project_id="p2"),
            instance("i6", "numa", project_id="p2"),
            instance("i7", "iron-1"),
            volume("v1", "s1@lvm#a", project_id="p1"),
            volume("v2", "s1@lvm#b", project_id="p2"),
            volume("v3", "s2@ceph#a", project_id="p1"),
            volume("v4", None),
            volume("v5", "lost#a"),
        ],
    )


def session() -> Session:
    return Session(build(snapshot_of(cluster())))
