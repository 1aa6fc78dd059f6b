"""A small cloud with one of everything that the mapping page speaks of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tachyon.graph.deltas import Delta, Move, Resize, SessionRecord
from tachyon.graph.entities import (
    Attachment,
    AvailabilityZone,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.mutations import Cluster

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _host(uuid: str, **fields: object) -> ResourceProvider:
    defaults: dict[str, object] = {
        "name": f"{uuid}.example.org",
        "availability_zone": "az1",
        "aggregates": ("fast", "rack1"),
        "traits": ("COMPUTE_HYPERVISOR", "COMPUTE_STATUS_ENABLED", "HW_CPU_X86_AVX2"),
        "inventories": {
            "VCPU": Inventory(total=32, reserved=2, allocation_ratio=4.0, max_unit=32),
            "MEMORY_MB": Inventory(total=65536, reserved=512, allocation_ratio=1.5),
            "DISK_GB": Inventory(total=1000),
        },
    }
    return ResourceProvider(uuid=uuid, **(defaults | fields))  # type: ignore[arg-type]


def _numa(uuid: str, parent: str) -> ResourceProvider:
    return ResourceProvider(
        uuid=uuid,
        name=uuid,
        type="numa",
        parent_uuid=parent,
        inventories={"VCPU": Inventory(total=16), "MEMORY_MB": Inventory(total=32768)},
    )


def _pool(uuid: str) -> ResourceProvider:
    return ResourceProvider(
        uuid=uuid,
        name=f"store1@{uuid}",
        type="pool",
        parent_uuid="store1",
        inventories={"DISK_GB": Inventory(total=10_000, allocation_ratio=20.0)},
        extra={"provisioned_capacity_gb": 40},
    )


def cluster() -> Cluster:
    """Compute hosts with NUMA nodes, storage with pools, baremetal, and who uses them."""
    return Cluster(
        providers=[
            _host("c1"),
            _numa("c1-numa0", "c1"),
            _numa("c1-numa1", "c1"),
            _host("c2", availability_zone="az2", aggregates=("fast",)),
            _host("c3", status="disabled", disabled_reason="repair", state="down"),
            ResourceProvider(
                uuid="store1",
                name="store1",
                type="storage",
                availability_zone="az1",
                traits=("STORAGE_BACKEND", "STORAGE_TYPE_SSD"),
            ),
            _pool("pool-a"),
            _pool("pool-b"),
            ResourceProvider(
                uuid="iron1",
                name="iron1",
                type="baremetal",
                power_state="power on",
                maintenance=True,
                maintenance_reason="fans",
                traits=("COMPUTE_BAREMETAL",),
                inventories={"CUSTOM_BAREMETAL_GOLD": Inventory(total=1)},
                extra={"rack": 7},
            ),
        ],
        consumers=[
            _instance("i1", {"c1": {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 40}}),
            _instance("i2", {"c1-numa0": {"VCPU": 2, "MEMORY_MB": 2048}}),
            _instance("i3", {"c2": {"VCPU": 8, "MEMORY_MB": 4096, "DISK_GB": 20}}, locked=True),
            _instance("i4", {"c2": {"VCPU": 1, "MEMORY_MB": 512}}, pinned_az="az2"),
            _instance("i5", {"iron1": {"CUSTOM_BAREMETAL_GOLD": 1}}),
            _instance("idle", {}),
            _volume("v1", "pool-a", 100, "i1"),
            _volume("v2", "pool-b", 50, "unknown"),
            _volume("v3", "pool-b", 10, None),
        ],
        flavors=[
            Flavor(id="large", vcpus=4, memory_mb=8192, extra_specs={"trait:HW_CPU_X86_AVX2": "r"})
        ],
        projects=[Project(external_id="project-1", name="web")],
        server_groups=[ServerGroup(uuid="group-1", policy="anti-affinity")],
        host_aggregates=[
            HostAggregate(name="fast", availability_zone="az1", metadata={"ssd": "1"})
        ],
        availability_zones=[AvailabilityZone(name="az1"), AvailabilityZone(name="az2")],
    )


def _instance(uuid: str, allocations: dict[str, dict[str, int]], **fields: object) -> Consumer:
    defaults: dict[str, object] = {
        "name": f"vm-{uuid}",
        "created_at": NOON,
        "project_id": "project-1",
        "flavor_id": "large",
        "server_group": "group-1",
        "metadata": {"role": "web"},
        "scheduler_hints": {"group": "group-1"},
    }
    return Consumer(uuid=uuid, allocations=allocations, **(defaults | fields))  # type: ignore[arg-type]


def _volume(uuid: str, pool: str, size: int, attached_to: str | None) -> Consumer:
    attachments = (Attachment(consumer_uuid=attached_to),) if attached_to else ()
    return Consumer(
        uuid=uuid,
        name=uuid,
        type="volume",
        status="in-use" if attached_to else "available",
        bootable=attached_to == "i1",
        project_id="project-2",
        attachments=attachments,
        allocations={pool: {"DISK_GB": size}},
    )


def session() -> tuple[SessionRecord, list[Delta]]:
    """A stored session of an audit with two deltas."""
    record = SessionRecord(
        id="s1",
        base_generation=1,
        created_at=NOON,
        expires_at=NOON + timedelta(days=36500),
        audit_uuid="audit-1",
        persistence="store",
    )
    return record, [
        Move(consumer_uuid="i3", from_provider="c2", to_provider="c1"),
        Resize(consumer_uuid="i4", resources={"VCPU": 2}),
    ]
