"""The strategy `storage_capacity_balance`: volumes leave pools that are too full."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import ParametersInvalid
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Consumer, Flavor, Inventory, ResourceProvider
from tachyon.optimize.strategies.options import StrategyOptions
from tachyon.optimize.strategies.storage_capacity_balance import StorageCapacityBalance
from tests.optimize.checker import Replay
from tests.optimize.clusters import actions, indicators, run, small, steps

NAME = "storage_capacity_balance"


def pool(name: str, used: float | str | None, total: float | str | None = 100, **extra: Any) -> Any:
    free = total - used if isinstance(total, int) and isinstance(used, int) else used
    return ResourceProvider(
        uuid=name,
        name=name,
        type="pool",
        parent_uuid=name.partition("#")[0],
        inventories={"DISK_GB": Inventory(total=100, allocation_ratio=2.0)},
        extra={"total_capacity_gb": total, "free_capacity_gb": free, **extra},
    )


def volume(name: str, size: int, on: str = "s@one#p", **fields: Any) -> Consumer:
    fields.setdefault("status", "available")
    fields.setdefault("extra", {})
    return Consumer(
        uuid=name, name=name, type="volume", allocations={on: {"DISK_GB": size}}, **fields
    )


def cloud(
    *volumes: Consumer,
    one: Any = None,
    two: Any = None,
    types: tuple[Flavor, ...] = (),
    **of_two: Any,
) -> ClusterFile:
    served = {"one": ["gold"], "two": ["silver"]}
    return small(
        [
            *(
                ResourceProvider(
                    uuid=f"s@{name}",
                    name=f"s@{name}",
                    type="storage",
                    extra={"volume_types": names},
                    **(of_two if name == "two" else {}),
                )
                for name, names in served.items()
            ),
            one or pool("s@one#p", 90),
            two or pool("s@two#p", 10),
        ],
        list(volumes),
        flavors=list(types),
    )


def test_defaults_are_those_of_watcher() -> None:
    assert StorageCapacityBalance().parameters["volume_threshold"] == 80.0
    assert StorageCapacityBalance().options.ex_pools == ("local_vstorage",)
    assert StorageCapacityBalance.models == ("storage",)
    with pytest.raises(ParametersInvalid):
        StorageCapacityBalance({"volume_threshold": 101})


def test_a_full_pool_gives_volumes_until_it_is_below_the_threshold() -> None:
    """Watcher's planner has no place for such actions: every audit fails."""
    content = cloud(volume("v1", 8), volume("v2", 5), volume("v3", 40))
    report = run(content, NAME)
    assert sorted(steps(report)) == [("migrate", "v1", "s@two#p"), ("migrate", "v2", "s@two#p")]
    assert Replay(content).run(actions(report)).problems == []
    found = indicators(report)
    assert (found["volume_migrations_count"], found["volumes_count"]) == (2, 3)
    assert found["instance_migrations_count"] == 0
    assert found["standard_deviation_after_audit"] < found["standard_deviation_before_audit"]


def test_detached_volumes_go_first_and_bootable_ones_last() -> None:
    content = cloud(
        volume("boot", 1, status="in-use", bootable=True),
        volume("used", 2, status="in-use", bootable=False),
        volume("free", 3),
    )
    for limit, wanted in ((1, {"free"}), (2, {"free", "used"}), (3, {"free", "used", "boot"})):
        report = run(content, NAME, {"migration_limit": limit})
        assert {s[1] for s in steps(report)} == wanted


def test_destinations_stay_below_the_threshold() -> None:
    content = cloud(volume("v", 30), two=pool("s@two#p", 55))
    assert run(content, NAME).actions == []
    assert run(content, NAME, {"volume_threshold": 86.0}).migrations == 1


def test_the_pool_with_the_largest_free_share_is_taken() -> None:
    content = cloud(volume("v", 15))
    content = small(
        [*content.cluster.providers, pool("s@two#q", 5)], list(content.cluster.consumers)
    )
    assert steps(run(content, NAME)) == [("migrate", "v", "s@two#q")]


@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {"snapshots": 2}},
        {"extra": {"migration_status": "error"}},
        {"status": "error"},
        {"status": "creating"},
        {"locked": True},
        {"watcher_exclude": True},
    ],
    ids=str,
)
def test_volumes_that_must_stay_stay(fields: dict[str, Any]) -> None:
    assert run(cloud(volume("v", 15, **fields)), NAME).actions == []


@pytest.mark.parametrize("type_name", [None, "__DEFAULT__", "silver", "anywhere"])
def test_a_volume_whose_type_the_pool_serves_migrates(type_name: str | None) -> None:
    """Watcher migrates volumes without a type only, and every volume has one."""
    extra = {} if type_name is None else {"volume_type": type_name}
    content = cloud(volume("v", 15, extra=extra), types=(Flavor(id="t", name="anywhere"),))
    assert steps(run(content, NAME)) == [("migrate", "v", "s@two#p")]


def typed(name: str, backend: str, **specs: str) -> Flavor:
    return Flavor(id=name, name=name, extra_specs={"volume_backend_name": backend, **specs})


def test_another_backend_asks_for_a_type_that_is_else_alike() -> None:
    gold = volume("v", 15, extra={"volume_type": "gold"})
    types = (
        typed("gold", "one", replication="yes"),
        typed("silver", "two"),
        typed("mirrored", "two", replication="yes"),
    )
    report = run(cloud(gold, types=types), NAME)
    assert steps(report) == [("retype", "v", "mirrored")]
    assert run(cloud(gold, types=types[:2]), NAME).actions == []


@pytest.mark.parametrize("capacity", [None, "infinite", "unknown", 0])
def test_a_pool_of_unknown_capacity_is_left_out_and_named(capacity: Any) -> None:
    """Watcher's whole model fails."""
    content = cloud(volume("v", 15), two=pool("s@two#p", 0, capacity))
    report = run(content, NAME)
    assert report.actions == []
    assert report.warnings == ["pools of unknown capacity are left out: s@two#p"]


@pytest.mark.parametrize("fields", [{"status": "disabled"}, {"state": "down"}], ids=str)
def test_backends_out_of_service_take_nothing(fields: dict[str, Any]) -> None:
    assert run(cloud(volume("v", 15), **fields), NAME).actions == []


def test_pools_that_the_operator_names_are_left_alone() -> None:
    content = cloud(volume("v", 15))
    for name in ("s@two#p", "p"):
        assert run(content, NAME, options=StrategyOptions(ex_pools=(name,))).actions == []


def test_a_volume_that_gains_too_little_stays() -> None:
    content = cloud(volume("v1", 4), volume("v2", 8))
    report = run(content, NAME, {"minimum_gain": 5})
    assert [s[1] for s in steps(report)] == ["v2"]
