"""The strategy `zone_migration`: hosts and pools are cleared, in the order of priorities."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tachyon.errors import ParametersInvalid, ProviderNotFound
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import (
    Attachment,
    Consumer,
    Flavor,
    Inventory,
    Project,
    ResourceProvider,
)
from tachyon.optimize.strategies.zone_migration import ZoneMigration
from tests.optimize.checker import Replay
from tests.optimize.clusters import actions, host, indicators, run, small, steps, vm

NAME = "zone_migration"


def nodes(*names: str, **parameters: Any) -> dict[str, Any]:
    return {"compute_nodes": [{"src_node": name} for name in names], **parameters}


def pool(name: str, size: int = 100) -> ResourceProvider:
    return ResourceProvider(
        uuid=name,
        name=name,
        type="pool",
        parent_uuid=name.partition("#")[0],
        inventories={"DISK_GB": Inventory(total=size)},
    )


def backend(name: str, *types: str) -> ResourceProvider:
    return ResourceProvider(
        uuid=name, name=name, type="storage", extra={"volume_types": list(types)}
    )


def volume(name: str, on: str, size: int = 10, **fields: Any) -> Consumer:
    fields.setdefault("status", "available")
    fields.setdefault("extra", {"volume_type": "fast"})
    return Consumer(
        uuid=name, name=name, type="volume", allocations={on: {"DISK_GB": size}}, **fields
    )


def storage(*volumes: Consumer, vms: tuple[Consumer, ...] = ()) -> ClusterFile:
    providers = [
        host("a"),
        host("b"),
        backend("s@one", "fast"),
        backend("s@two", "fast", "slow"),
        pool("s@one#p"),
        pool("s@two#p"),
    ]
    types = [Flavor(id="t1", name="fast"), Flavor(id="t2", name="slow")]
    return small(providers, [*vms, *volumes], flavors=types)


def pools(**entry: Any) -> dict[str, Any]:
    return {"storage_pools": [{"src_pool": "s@one#p", **entry}]}


TO_TWO = pools(dst_pool="s@two#p")


def test_defaults_are_those_of_watcher() -> None:
    given = ZoneMigration().parameters
    assert (given["parallel_total"], given["parallel_per_node"], given["parallel_per_pool"]) == (
        6,
        2,
        2,
    )
    assert given["with_attached_volume"] is False
    assert ZoneMigration().in_flight() == {"total": 6, "per_host": 2, "per_pool": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"compute_nodes": [{"dst_node": "b"}]},
        {"storage_pools": [{"src_pool": "p"}]},
        {"storage_pools": [{"src_pool": "p", "dst_pool": "q", "dst_type": "t"}]},
        {"priority": {"compute": "colour"}},
        {"priority": {"network": []}},
        {"parallel_total": -1},
        {"unknown": 1},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        ZoneMigration(wrong)


def test_instances_go_where_the_audit_says() -> None:
    content = small(
        [host("a"), host("b"), host("c", 64)],
        [vm("x", "a"), vm("off", "a", state="stopped"), vm("y", "b")],
    )
    report = run(content, NAME, {"compute_nodes": [{"src_node": "a", "dst_node": "b"}]})
    assert steps(report) == [("live", "x", "b"), ("cold", "off", "b")]
    assert indicators(report) == {
        "live_migrate_instance_count": 1,
        "planned_live_migrate_instance_count": 1,
        "cold_migrate_instance_count": 1,
        "planned_cold_migrate_instance_count": 1,
        "volume_migrate_count": 0,
        "planned_volume_migrate_count": 0,
        "volume_update_count": 0,
        "planned_volume_update_count": 0,
    }
    assert {g.name: g.value for g in report.global_efficacy} == {
        "live_instance_migrate_ratio": 100.0,
        "cold_instance_migrate_ratio": 100.0,
        "volume_migrate_ratio": 0.0,
        "volume_update_ratio": 0.0,
    }


def test_nothing_goes_to_a_host_that_is_to_be_cleared_itself() -> None:
    content = small([host("a"), host("b", 64), host("c")], [vm("x", "a"), vm("y", "b")])
    report = run(content, NAME, nodes("a", "b"))
    assert {s[2] for s in steps(report)} == {"c"}


def test_it_needs_no_storage() -> None:
    """Watcher's audit fails without Cinder."""
    assert run(small([host("a"), host("b")], [vm("x", "a")]), NAME, nodes("a")).migrations == 1


def test_everything_is_planned_and_the_limits_are_those_of_what_runs_at_a_time() -> None:
    """Watcher plans two instances of a host."""
    content = small([host("a", 16), host("b", 16)], [vm(f"v{n}", "a") for n in range(10)])
    report = run(content, NAME, nodes("a", parallel_per_node=1))
    assert report.migrations == 10
    assert Replay(content).run(actions(report)).problems == []
    started = [a for a in report.actions if not a.parents]
    assert len(started) == 1


def test_an_unknown_source_is_told_and_an_unknown_destination_is_an_error() -> None:
    content = small([host("a"), host("b")], [vm("x", "a")])
    report = run(content, NAME, nodes("zz", "a"))
    assert report.migrations == 1
    assert "zz is not there" in report.warnings[0]
    with pytest.raises(ProviderNotFound, match="zz"):
        run(content, NAME, {"compute_nodes": [{"src_node": "a", "dst_node": "zz"}]})


@pytest.mark.parametrize(
    "fields", [{"watcher_exclude": True}, {"locked": True}, {"state": "error"}], ids=str
)
def test_what_must_not_move_stays(fields: dict[str, Any]) -> None:
    """Watcher moves excluded instances."""
    content = small([host("a"), host("b")], [vm("x", "a", **fields), vm("y", "a")])
    assert steps(run(content, NAME, nodes("a"))) == [("live", "y", "b")]


def test_instances_are_spread_over_the_least_full_hosts() -> None:
    content = small(
        [host("a"), host("full"), host("b"), host("c")],
        [vm("x", "a", 2), vm("y", "a", 2), vm("z", "full", 4)],
    )
    assert {s[2] for s in steps(run(content, NAME, nodes("a")))} == {"b", "c"}


def test_they_stand_close_together_where_only_so_all_find_room() -> None:
    content = small(
        [host("a"), host("b", 4), host("c", 4)],
        [vm("x", "a", 2), vm("y", "a", 2), vm("z", "a", 4)],
    )
    report = run(content, NAME, nodes("a"))
    places = {s[1]: s[2] for s in steps(report)}
    assert places["x"] == places["y"] != places["z"]
    assert report.warnings == []


def test_an_instance_without_a_place_is_named_and_the_others_go() -> None:
    content = small([host("a", 16), host("b")], [vm("big", "a", 12), vm("y", "a")])
    report = run(content, NAME, nodes("a"))
    assert [s[1] for s in steps(report)] == ["y"]
    assert "big" in report.warnings[0]
    assert indicators(report)["live_migrate_instance_count"] == 2
    assert run(content, NAME, nodes("a", minimum_gain=0.6)).actions == []


def aged(name: str, on: str, day: int, **fields: Any) -> Consumer:
    return vm(name, on, created_at=datetime(2017, 2, day, tzinfo=UTC), **fields)


@pytest.mark.parametrize(
    ("priority", "order"),
    [
        ({"compute": "vcpu_num"}, ["v3", "v2", "v4", "v1"]),
        ({"compute": "created_at"}, ["v4", "v3", "v2", "v1"]),
        ({"compute": ["vcpu_num", "created_at"]}, ["v3", "v4", "v2", "v1"]),
        ({"project": ["pj2"], "compute": "vcpu_num"}, ["v2", "v1", "v3", "v4"]),
        ({"project": ["two"], "compute": "vcpu_num"}, ["v2", "v1", "v3", "v4"]),
        ({"compute_node": ["b", "a"], "compute": "vcpu_num"}, ["v3", "v4", "v2", "v1"]),
        ({"compute": "vcpu_num", "project": ["pj1"]}, ["v3", "v4", "v2", "v1"]),
        ({"storage": "size"}, ["v1", "v2", "v3", "v4"]),
    ],
    ids=str,
)
def test_the_first_key_of_the_priorities_counts_most(
    priority: dict[str, Any], order: list[str]
) -> None:
    content = small(
        [host("a"), host("b"), host("c", 64)],
        [
            aged("v1", "a", 1, vcpus=1, project_id="pj2"),
            aged("v2", "a", 2, vcpus=2, project_id="pj2"),
            aged("v3", "b", 3, vcpus=3, project_id="pj1"),
            aged("v4", "b", 4, vcpus=2, project_id="pj1"),
        ],
        projects=[Project(external_id="pj1", name="one"), Project(external_id="pj2", name="two")],
    )
    report = run(content, NAME, nodes("a", "b", priority=priority, migration_limit=4))
    assert [s[1] for s in steps(report)] == order


def test_the_limit_takes_the_first() -> None:
    content = small([host("a"), host("b")], [vm("v1", "a", 1), vm("v2", "a", 3)])
    given = nodes("a", priority={"compute": "vcpu_num"}, migration_limit=1)
    assert [s[1] for s in steps(run(content, NAME, given))] == ["v2"]


def test_volumes_migrate_to_the_pool() -> None:
    report = run(storage(volume("free", "s@one#p"), volume("other", "s@two#p")), NAME, TO_TWO)
    assert steps(report) == [("migrate", "free", "s@two#p")]
    assert indicators(report)["planned_volume_migrate_count"] == 1


def test_only_volumes_of_the_type_go_and_the_exact_entry_counts_first() -> None:
    content = storage(volume("f", "s@one#p"), volume("s", "s@one#p", extra={"volume_type": "slow"}))
    assert [
        s[1] for s in steps(run(content, NAME, pools(dst_pool="s@two#p", src_type="slow")))
    ] == ["s"]
    both = {
        "storage_pools": [
            {"src_pool": "s@one#p", "dst_pool": "s@two#p"},
            {"src_pool": "s@one#p", "src_type": "fast", "dst_type": "slow"},
        ]
    }
    assert sorted(steps(run(content, NAME, both))) == [
        ("migrate", "s", "s@two#p"),
        ("retype", "f", "slow"),
    ]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"volume_type": "gold"}, "s@two#p does not offer its type gold"),
        ({"volume_type": "fast", "snapshots": 1}, "it has snapshots"),
    ],
)
def test_a_volume_that_cinder_would_not_take_there_stays_and_is_named(
    extra: dict[str, Any], reason: str
) -> None:
    content = storage(volume("free", "s@one#p"), volume("v", "s@one#p", extra=extra))
    gold = Flavor(id="t3", name="gold", extra_specs={"volume_backend_name": "one"})
    flavors = [*content.cluster.flavors, gold]
    content = replace(content, cluster=replace(content.cluster, flavors=flavors))
    report = run(content, NAME, TO_TWO)
    assert steps(report) == [("migrate", "free", "s@two#p")]
    assert report.warnings == [f"1 stay where they are: volume v ({reason})"]


def only_on_two(content: ClusterFile) -> ClusterFile:
    """The type slow asks for the second backend."""
    slow = Flavor(id="t2", name="slow", extra_specs={"volume_backend_name": "two"})
    flavors = [content.cluster.flavors[0], slow]
    return replace(content, cluster=replace(content.cluster, flavors=flavors))


def test_retypes_are_planned_as_long_as_there_is_room_for_each_in_any_order() -> None:
    """One pool offers the type: 100 GB, of which 20 are held by another volume."""
    volumes = [volume(f"v{n}", "s@one#p", 30) for n in range(3)]
    content = only_on_two(storage(*volumes, volume("other", "s@two#p", 20)))
    report = run(content, NAME, pools(dst_type="slow"))
    assert steps(report) == [("retype", "v0", "slow"), ("retype", "v1", "slow")]
    assert report.warnings == [
        "1 stay where they are: volume v2 (the pools that offer the type slow may have no room "
        "for it)"
    ]
    # What migrates there does not take what is promised.
    both = {
        "storage_pools": [
            {"src_pool": "s@one#p", "dst_pool": "s@two#p"},
            {"src_pool": "s@one#p", "src_type": "fast", "dst_type": "slow"},
        ],
        "priority": {"storage": "size"},
    }
    more = volume("plain", "s@one#p", 25, extra={"volume_type": "slow"})
    content = only_on_two(storage(*volumes[:2], more, volume("other", "s@two#p", 20)))
    report = run(content, NAME, both)
    assert steps(report) == [("retype", "v0", "slow"), ("retype", "v1", "slow")]
    assert "volume plain (s@two#p has room for volumes of its type only)" in report.warnings[0]


def test_another_type_is_a_retype() -> None:
    report = run(storage(volume("f", "s@one#p")), NAME, pools(dst_type="slow"))
    assert steps(report) == [("retype", "f", "slow")]
    assert report.actions[0].input_parameters == {
        "resource_id": "f",
        "resource_name": "f",
        "migration_type": "retype",
        "destination_type": "slow",
    }
    assert indicators(report)["planned_volume_migrate_count"] == 1


def test_attached_volumes_are_counted_apart_and_their_instances_follow() -> None:
    attached = volume(
        "root", "s@one#p", status="in-use", attachments=(Attachment(consumer_uuid="x"),)
    )
    content = storage(attached, volume("free", "s@one#p"), vms=(vm("x", "a"), vm("y", "a")))
    given = {**nodes("a"), **TO_TWO, "with_attached_volume": True, "migration_limit": 2}
    report = run(content, NAME, given)
    assert {s[1] for s in steps(report)} == {"root", "x"}
    found = indicators(report)
    assert (found["volume_update_count"], found["planned_volume_update_count"]) == (1, 1)
    assert (found["volume_migrate_count"], found["planned_volume_migrate_count"]) == (1, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "error"},
        {"status": "in-use", "attachments": (Attachment(consumer_uuid="off"),)},
        {"extra": {"volume_type": "fast", "migration_status": "migrating"}},
        {"watcher_exclude": True},
    ],
    ids=str,
)
def test_volumes_that_cinder_would_not_move_stay(fields: dict[str, Any]) -> None:
    content = storage(volume("v", "s@one#p", **fields), vms=(vm("off", "a", state="stopped"),))
    assert run(content, NAME, TO_TWO).actions == []


def test_a_pool_without_room_takes_nothing() -> None:
    content = storage(volume("v", "s@one#p", 60), volume("w", "s@two#p", 50))
    report = run(content, NAME, TO_TWO)
    assert report.actions == []
    assert "v (" in report.warnings[0]
