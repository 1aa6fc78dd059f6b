"""Strategies leave those alone that are at the work that their owners describe."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.graph.entities import Inventory
from tachyon.optimize.plugins import Plugins
from tests.optimize.clusters import host, run, small, vm

pytestmark = pytest.mark.usefixtures("processor_time")

#: Strategies with the parameter, and what makes each move the instances of the test.
STRATEGIES: dict[str, dict[str, Any]] = {
    "consolidation": {},
    "basic": {},
    "vm_workload_consolidation": {},
    "standard_deviation": {"threshold": 0.0},
    "workload_balance": {"threshold": 50.0, "migration_limit": 0},
    "workload_stabilization": {"thresholds": {"instance_cpu_usage": 0.0}},
    "rebalance": {"time_limit": 0.2, "safety": 0.3},
    "node_resource_consolidation": {"host_choice": "specify", "measured_threshold": 1.0},
    "host_maintenance": {"maintenance_node": "a"},
    "zone_migration": {"compute_nodes": [{"src_node": "a"}]},
    "outlet_temperature": {"migration_limit": 0},
    "uniform_airflow": {},
    "noisy_neighbor": {"migration_limit": 0},
}
#: Those that leave a host that is too full, hot, or to be cleared.
FROM_ONE = (
    *("standard_deviation", "workload_balance", "workload_stabilization", "rebalance"),
    *("host_maintenance", "zone_migration", "outlet_temperature", "uniform_airflow"),
    "noisy_neighbor",
)
BUSY = "busy: vcpus = 1 [-20] and cpu_util > 50 % [19]"


def report(name: str, texts: dict[str, str], threshold: float, busy: float | None) -> Any:
    """Three instances; consolidation wants them on one host, the others away from there."""
    on = dict.fromkeys("xyz", "a") if name in FROM_ONE else {"x": "a", "y": "b", "z": "b"}
    room = {"VCPU": Inventory(total=4), "MEMORY_MB": Inventory(total=4096)}
    machines = [
        vm(
            uuid,
            at,
            metadata={
                "watcher-priority": str("xyz".index(uuid)),
                **({"workload_character": texts[uuid]} if uuid in texts else {}),
            },
        )
        for uuid, at in on.items()
    ]
    content = small([host("a", inventories=room), host("b", inventories=room)], machines)
    cpu = dict.fromkeys(on, 90.0)
    hosts = {at: 22.5 * list(on.values()).count(at) for at in ("a", "b")}
    # y and z take the cache of x.
    cache = {"x": 10.0, "y": 90.0, "z": 90.0}
    measured = {
        "instance_cpu_usage": cpu,
        "instance_ram_usage": dict.fromkeys(on, 100.0),
        "host_cpu_usage": hosts,
        "host_outlet_temp": {"a": 50.0, "b": 20.0},
        "host_airflow": {"a": 500.0, "b": 100.0},
        "host_inlet_temp": {"a": 20.0, "b": 20.0},
        "host_power": {"a": 100.0, "b": 100.0},
        "instance_l3_cache_usage": cache,
        "instance_l3_cache_usage over two periods": dict.fromkeys(on, 50.0),
    }
    if busy is not None:
        measured["instance_cpu_usage of characters"] = dict.fromkeys(on, busy)
    given = {**STRATEGIES[name], "character_threshold": threshold}
    return run(content, name, given, measured)


@pytest.mark.parametrize("name", STRATEGIES)
def test_who_is_at_work_stays(name: str) -> None:
    texts = dict.fromkeys("xyz", BUSY)
    assert report(name, texts, 0.0, 90.0).migrations
    assert not report(name, texts, 1.0, 90.0).migrations
    # Not at work: of 41 parts of importance 40 hold.
    assert report(name, texts, 1.0, 10.0).migrations
    assert not report(name, texts, 0.9, 10.0).migrations
    # Whoever has no character may be moved.
    assert report(name, {}, 1.0, 90.0).migrations


@pytest.mark.parametrize("name", STRATEGIES)
def test_only_who_has_a_character_is_measured_for_it(name: str) -> None:
    strategy, given = Plugins().strategy(name), STRATEGIES[name]
    plain = strategy(given).metrics()
    heeding = strategy({**given, "character_threshold": 0.5}).metrics()
    added = heeding[len(plain) :]
    assert heeding[: len(plain)] == plain
    assert {need.metric for need in added} == {
        "instance_cpu_usage",
        "instance_ram_usage",
        "instance_l3_cache_usage",
        "instance_root_disk_size",
    }
    assert all(need.optional and need.name.endswith(" of characters") for need in added)


def test_every_strategy_that_migrates_heeds_characters() -> None:
    heeding = {n for n, s in Plugins().strategies.items() if "character_threshold" in s(given_of(n))
               .parameters}  # fmt: skip
    assert heeding == set(STRATEGIES)
    # The rest has fixed actions, or moves volumes or nodes.
    assert set(Plugins().strategies) - heeding == {
        *("actuator", "dummy", "dummy_with_resize", "dummy_with_scorer"),
        *("saving_energy", "storage_capacity_balance"),
    }


def given_of(name: str) -> dict[str, Any]:
    return {"actions": []} if name == "actuator" else STRATEGIES.get(name, {})


def test_what_is_not_measured_decides_nothing() -> None:
    only_measured = dict.fromkeys("xyz", "cpu_util > 50")
    assert report("consolidation", only_measured, 1.0, None).migrations
    # The flavor is known whatever is measured.
    assert not report("consolidation", dict.fromkeys("xyz", BUSY), 1.0, None).migrations


def test_mistakes_are_told_and_count_as_no_character() -> None:
    found = report("consolidation", dict.fromkeys("xyz", "vcpus ="), 1.0, 90.0)
    assert found.migrations
    assert [w for w in found.warnings if "instance x" in w and "expected" in w]
    assert sum("workload character" in w for w in found.warnings) == 3
