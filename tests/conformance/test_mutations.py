"""What each mutation does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

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
from tachyon.graph.mutations import (
    AnyMutation,
    PatchConsumer,
    PatchProvider,
    PutAvailabilityZone,
    PutConsumer,
    PutFlavor,
    PutHostAggregate,
    PutProject,
    PutProvider,
    PutServerGroup,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
)
from tachyon.graph.store import Store

from .cluster import NOON, consumer_in, contents, host, image_of, instance, provider_in, put

FULL_PROVIDER = ResourceProvider(
    uuid="p1",
    name="compute-1",
    type="baremetal",
    parent_uuid="p0",
    status="disabled",
    state="down",
    disabled_reason="broken fan\nreplace",
    power_state="off",
    maintenance=True,
    maintenance_reason="",
    availability_zone="az1",
    aggregates=("fast", "ssd"),
    traits=("HW_CPU_X86_AVX", "CUSTOM_X"),
    inventories={
        "VCPU": Inventory(
            total=64, reserved=4, allocation_ratio=1.1, min_unit=2, max_unit=32, step_size=2
        ),
        "CUSTOM_GPU": Inventory(total=2**40),
    },
    extra={"driver": "ipmi", "nested": {"list": [1, 2.5, None, True]}},
)

FULL_CONSUMER = Consumer(
    uuid="c1",
    name="web",
    type="volume",
    state="paused",
    status="in-use",
    locked=True,
    watcher_exclude=True,
    bootable=False,
    created_at=NOON,
    project_id="project",
    flavor_id="m1.small",
    server_group="group",
    pinned_az="az1",
    attachments=(Attachment(consumer_uuid="c0", attachment_id="a"), Attachment(consumer_uuid="x")),
    allocations={"p0": {"VCPU": 2, "MEMORY_MB": 1}, "p1": {"CUSTOM_GPU": 2**40}},
    metadata={"role": "web", "n": {"deep": [1, {"x": None}]}},
    scheduler_hints={"different_host": ["a", "b"]},
    extra={"size": 10},
)


def test_a_put_entity_is_stored_whole(store: Store) -> None:
    """Every field of a provider and a consumer comes back as it was put."""
    generation = put(store, host("p0"), FULL_PROVIDER, FULL_CONSUMER)
    found = contents(store)
    expected = image_of([FULL_PROVIDER, FULL_CONSUMER])
    for fields in expected.values():
        fields["generation"] = generation
    expected["consumer", "c1"]["placed"] = generation
    assert {place: found[place] for place in expected} == expected


def test_an_entity_of_defaults_is_stored_whole(store: Store) -> None:
    """Fields that are left out come back as their defaults."""
    put(store, ResourceProvider(uuid="p", name="p"), Consumer(uuid="c"))
    expected = image_of(
        [
            ResourceProvider(uuid="p", name="p", generation=1),
            Consumer(uuid="c", generation=1, placed=1),
        ]
    )
    assert contents(store) == expected


def test_a_put_provider_replaces_all_fields(store: Store) -> None:
    """Putting a provider again leaves nothing of what was known before."""
    put(store, host("p0"), FULL_PROVIDER)
    put(store, ResourceProvider(uuid="p1", name="other", inventories={"VCPU": Inventory(total=1)}))
    assert provider_in(store, "p1") == ResourceProvider(
        uuid="p1", name="other", generation=2, inventories={"VCPU": Inventory(total=1)}
    )


def test_a_put_consumer_replaces_all_fields_and_allocations(store: Store) -> None:
    """Putting a consumer again leaves nothing of what was known before."""
    put(store, host("p0"), FULL_PROVIDER, FULL_CONSUMER)
    put(store, Consumer(uuid="c1"))
    assert consumer_in(store, "c1") == Consumer(uuid="c1", generation=2, placed=2)


PROVIDER_PATCHES = {
    "name": "other",
    "type": "pool",
    "parent_uuid": "p0",
    "status": "disabled",
    "state": "down",
    "disabled_reason": "why",
    "power_state": "off",
    "maintenance": True,
    "maintenance_reason": "disk",
    "availability_zone": "az",
    "aggregates": ("b", "a"),
    "traits": ("B", "A"),
    "inventories": {
        "VCPU": Inventory(total=8, allocation_ratio=16.0),
        "DISK_GB": Inventory(total=1),
    },
    "extra": {"a": [1]},
}


@pytest.mark.parametrize("field", PROVIDER_PATCHES)
def test_a_provider_patch_changes_only_its_field(store: Store, field: str) -> None:
    """What a patch does not name stays."""
    put(store, host("p0"), host("p1"))
    store.apply([PatchProvider(uuid="p1", **{field: PROVIDER_PATCHES[field]})])
    expected = host("p1", generation=2, **{field: PROVIDER_PATCHES[field]})
    assert provider_in(store, "p1") == expected


CONSUMER_PATCHES = {
    "name": "",
    "type": "volume",
    "state": "error",
    "status": "SHUTOFF",
    "locked": True,
    "watcher_exclude": True,
    "bootable": True,
    "created_at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "project_id": "p",
    "flavor_id": "f",
    "server_group": "g",
    "pinned_az": "az",
    "attachments": (Attachment(consumer_uuid="v"),),
    "metadata": {"k": "v"},
    "scheduler_hints": {"k": ["v"]},
    "extra": {"k": 1},
}


@pytest.mark.parametrize("field", CONSUMER_PATCHES)
def test_a_consumer_patch_changes_only_its_field(store: Store, field: str) -> None:
    """What a patch does not name stays; allocations that stay keep `placed`."""
    put(store, host("p1"), instance("c1", "p1"))
    store.apply([PatchConsumer(uuid="c1", **{field: CONSUMER_PATCHES[field]})])
    expected = instance("c1", "p1", generation=2, placed=1, **{field: CONSUMER_PATCHES[field]})
    assert consumer_in(store, "c1") == expected


@pytest.mark.parametrize("field", ["status", "bootable", "created_at", "project_id", "pinned_az"])
def test_a_patch_to_none_clears_a_field(store: Store, field: str) -> None:
    """None is a value: it clears what was known, unlike a field that is not given."""
    put(store, host("p0"), FULL_PROVIDER, FULL_CONSUMER)
    store.apply([PatchConsumer(uuid="c1", **{field: None})])
    assert getattr(consumer_in(store, "c1"), field) is None


def test_a_patch_of_allocations_replaces_all_of_them(store: Store) -> None:
    """A consumer that moves holds nothing more where it was, and is placed anew."""
    put(store, host("p1"), host("p2"), instance("c1", "p1"))
    store.apply([PatchConsumer(uuid="c1", allocations={"p2": {"VCPU": 1}})])
    expected = instance("c1", generation=2, placed=2, allocations={"p2": {"VCPU": 1}})
    assert consumer_in(store, "c1") == expected


def test_amounts_of_zero_are_not_stored(store: Store) -> None:
    """Holding nothing of a class is the same as not naming it."""
    put(store, host("p1"), host("p2"))
    put(store, Consumer(uuid="c", allocations={"p1": {"VCPU": 0, "MEMORY_MB": 1}, "p2": {}}))
    assert consumer_in(store, "c").allocations == {"p1": {"MEMORY_MB": 1}}


def test_moments_are_stored_in_utc(store: Store) -> None:
    """A creation time keeps its instant and its microseconds, whatever its zone."""
    east = timezone(timedelta(hours=5, minutes=30))
    put(store, Consumer(uuid="a", created_at=NOON.astimezone(east)))
    put(store, Consumer(uuid="b", created_at=NOON.replace(tzinfo=None)))
    assert consumer_in(store, "a").created_at == NOON
    assert consumer_in(store, "b").created_at == NOON


def test_a_removed_consumer_gives_everything_back(store: Store) -> None:
    """Removing a consumer removes its allocations and nothing else."""
    put(store, host("p1"), instance("c1", "p1"), instance("c2", "p1"))
    store.apply([RemoveConsumer(uuid="c1")])
    snapshot = store.load()
    assert list(snapshot.consumers.uuid) == ["c2"]
    assert sorted(snapshot.allocation_amount) == [2, 1024]


def test_an_unused_provider_is_removed(store: Store) -> None:
    """Removing a provider removes its inventories and nothing else."""
    put(store, host("p1"), host("p2"))
    store.apply([RemoveProvider(uuid="p1")])
    assert [p.uuid for p in store.load().providers] == ["p2"]


def test_a_cascade_removes_descendants_and_frees_consumers(store: Store) -> None:
    """Consumers lose what they hold anywhere below, keep the rest, and stay in the graph."""
    put(
        store,
        host("root"),
        host("numa", parent_uuid="root"),
        host("pci", parent_uuid="numa"),
        host("other"),
        instance("c1", allocations={"pci": {"VCPU": 1}, "other": {"VCPU": 2}}),
        instance("c2", "root"),
        instance("c3", "other"),
    )
    store.apply([RemoveProvider(uuid="root", cascade=True)])
    assert [p.uuid for p in store.load().providers] == ["other"]
    assert consumer_in(store, "c1").allocations == {"other": {"VCPU": 2}}
    assert consumer_in(store, "c2").allocations == {}
    assert consumer_in(store, "c2").generation == 2
    assert consumer_in(store, "c3").generation == 1


RECORDS: list[tuple[AnyMutation, AnyMutation, RemoveRecord]] = [
    (
        PutFlavor(
            flavor=Flavor(
                id="f",
                name="m1",
                vcpus=1,
                memory_mb=2,
                disk_gb=3,
                ephemeral_gb=4,
                swap_mb=5,
                extra_specs={"hw:cpu_policy": "dedicated", "trait:X": "required"},
            )
        ),
        PutFlavor(flavor=Flavor(id="f")),
        RemoveRecord(kind="flavor", key="f"),
    ),
    (
        PutProject(project=Project(external_id="p", name="demo")),
        PutProject(project=Project(external_id="p")),
        RemoveRecord(kind="project", key="p"),
    ),
    (
        PutServerGroup(
            server_group=ServerGroup(
                uuid="g", name="web", policy="anti-affinity", rules={"max_server_per_host": 3}
            )
        ),
        PutServerGroup(server_group=ServerGroup(uuid="g", policy="soft-affinity")),
        RemoveRecord(kind="server_group", key="g"),
    ),
    (
        PutHostAggregate(
            host_aggregate=HostAggregate(
                name="h", uuid="u", id=7, availability_zone="az", metadata={"ssd": "true"}
            )
        ),
        PutHostAggregate(host_aggregate=HostAggregate(name="h")),
        RemoveRecord(kind="host_aggregate", key="h"),
    ),
]


@pytest.mark.parametrize(("first", "second", "removal"), RECORDS)
def test_records_are_put_replaced_and_removed(
    store: Store, first: AnyMutation, second: AnyMutation, removal: RemoveRecord
) -> None:
    """Each kind of record is stored whole, replaced whole and removed."""
    for mutation in (first, second):
        store.apply([mutation])
        (name,) = mutation.__struct_fields__
        assert contents(store) == image_of([getattr(mutation, name)])
    store.apply([removal])
    assert contents(store) == {}


def test_a_zone_is_put_and_removed(store: Store) -> None:
    """A zone has nothing but its name."""
    zone = AvailabilityZone(name="az")
    store.apply([PutAvailabilityZone(availability_zone=zone)])
    assert contents(store) == image_of([zone])
    store.apply([RemoveRecord(kind="availability_zone", key="az")])
    assert contents(store) == {}


def test_references_to_records_need_no_record(store: Store) -> None:
    """Names of zones, aggregates, projects, flavors and groups may point at nothing known."""
    put(store, host("p", availability_zone="az", aggregates=("agg",)))
    store.apply([PutAvailabilityZone(availability_zone=AvailabilityZone(name="az"))])
    store.apply([RemoveRecord(kind="availability_zone", key="az")])
    assert provider_in(store, "p").availability_zone == "az"


def test_mutations_apply_in_order(store: Store) -> None:
    """A later mutation of a transaction sees, and may undo, what earlier ones did."""
    applied = store.apply(
        [
            PutProvider(provider=host("p1")),
            PatchProvider(uuid="p1", state="down"),
            PutConsumer(consumer=instance("c1", "p1")),
            PatchConsumer(uuid="c1", locked=True),
            RemoveConsumer(uuid="c1"),
        ]
    )
    assert (applied.generation, applied.changed) == (1, 1)
    assert contents(store) == image_of([host("p1", state="down", generation=1)])


def test_references_are_checked_after_the_whole_transaction(store: Store) -> None:
    """A consumer may come before its provider, and a child before its parent."""
    store.apply(
        [
            PutConsumer(consumer=instance("c", "child")),
            PutProvider(provider=host("child", parent_uuid="parent")),
            PutProvider(provider=host("parent")),
        ]
    )
    assert consumer_in(store, "c").allocations == {"child": {"VCPU": 2, "MEMORY_MB": 1024}}
    assert [p.uuid for p in store.load().providers] == ["parent", "child"]


def test_a_consumer_can_hold_more_than_there_is(store: Store) -> None:
    """Capacity is not checked: the graph records what the cloud did."""
    put(store, host("p"), instance("c", allocations={"p": {"VCPU": 10**9}}))
    assert consumer_in(store, "c").allocations == {"p": {"VCPU": 10**9}}


def test_values_of_metadata_keep_their_types(store: Store) -> None:
    """True, 1 and 1.0 compare equal in Python, but are three values."""
    put(store, Consumer(uuid="c", metadata={"v": 1}))
    for value, kind in ((True, bool), (1.0, float), (1, int)):
        before = store.generation()
        store.apply([PatchConsumer(uuid="c", metadata={"v": value})])
        assert store.generation() == before + 1
        assert type(consumer_in(store, "c").metadata["v"]) is kind


def test_what_json_does_not_know_is_stored_as_json_knows_it(store: Store) -> None:
    """Tuples become lists and NaN null, and putting them again changes nothing."""
    odd = {"tuple": (1, 2), "nan": float("nan")}
    put(store, Consumer(uuid="c", metadata=odd))
    assert consumer_in(store, "c").metadata == {"tuple": [1, 2], "nan": None}
    assert put(store, Consumer(uuid="c", metadata=odd)) == 1
