"""The strategy `vm_workload_consolidation`: relieve what is overloaded, then empty the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import MetricsMissing, ParametersInvalid
from tachyon.graph.entities import Inventory
from tachyon.optimize.strategies.vm_workload_consolidation import VMWorkloadConsolidation
from tests.optimize.clusters import host, indicators, run, small, steps, vm

NAME = "vm_workload_consolidation"


def cpu(**values: float) -> dict[str, dict[str, float]]:
    return {"instance_cpu_usage": values}


def test_defaults_are_those_of_watcher() -> None:
    given = VMWorkloadConsolidation().parameters
    assert (given["period"], given["granularity"]) == (3600, 300)
    assert given["capacity_coefficients"] == {"cpu": 1.0, "ram": 1.0, "disk": 1.0}


def test_needs_are_the_metrics_of_the_specification() -> None:
    needs = {n.metric: n.optional for n in VMWorkloadConsolidation().metrics()}
    assert needs == {
        "instance_cpu_usage": False,
        "instance_ram_usage": True,
        "instance_ram_allocated": True,
        "instance_root_disk_size": True,
        "host_cpu_usage": True,
        "host_ram_usage": True,
    }


def test_the_least_used_host_is_emptied_into_the_most_used_one() -> None:
    content = small(
        [host("a"), host("b"), host("c")], [vm("x", "a"), vm("y", "b", 2), vm("z", "c", 3)]
    )
    report = run(content, NAME, metrics=cpu(x=10.0, y=50.0, z=90.0))
    assert steps(report) == [
        ("disabled", "a"),
        ("disabled", "b"),
        ("live", "x", "c"),
        ("live", "y", "c"),
    ]
    assert indicators(report) == {
        "compute_nodes_count": 3,
        "released_compute_nodes_count": 2,
        "instance_migrations_count": 2,
    }


def test_measured_use_has_to_fit_as_well() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 4), vm("y", "b", 4)])
    used = cpu(x=90.0, y=90.0)
    assert run(content, NAME, metrics=used).migrations == 1
    # The hosts do more than their instances tell: 4.8 and 7.6 of 8 VCPU.
    busy = {**used, "host_cpu_usage": {"a": 60.0, "b": 95.0}}
    assert run(content, NAME, metrics=busy).migrations == 0
    coefficients = {"capacity_coefficients": {"cpu": 0.4}}
    assert run(content, NAME, coefficients, cpu(x=50.0, y=50.0)).migrations == 0
    assert run(content, NAME, metrics=cpu(x=50.0, y=50.0)).migrations == 1


def overcommitted(name: str, **fields: Any) -> Any:
    return host(name, inventories={"VCPU": Inventory(total=4, allocation_ratio=1.0)}, **fields)


def test_an_overloaded_host_gives_its_smallest_instances() -> None:
    content = small(
        [overcommitted("a"), overcommitted("b")],
        [
            vm("big", "a", 2, locked=True),
            vm("mid", "a"),
            vm("little", "a"),
            vm("y", "b", locked=True),
        ],
    )
    instances = cpu(big=100.0, mid=80.0, little=60.0, y=10.0)
    used = {**instances, "host_cpu_usage": {"a": 110.0, "b": 5.0}}
    report = run(content, NAME, metrics=used)
    assert [s for s in steps(report) if s[0] == "live"] == [("live", "little", "b")]


@pytest.mark.parametrize(
    ("reason", "enabled"),
    [("watcher_disabled", True), ("watcher_maintaining", False), ("repair", False), (None, False)],
)
def test_only_hosts_that_tachyon_disabled_are_enabled_for_relief(
    reason: str | None, enabled: bool
) -> None:
    """Watcher enables any disabled host."""
    content = small(
        [overcommitted("a"), overcommitted("off", status="disabled", disabled_reason=reason)],
        [vm("big", "a", 3, locked=True), vm("little", "a", 1)],
    )
    used = {**cpu(big=100.0, little=60.0), "host_cpu_usage": {"a": 110.0, "off": 0.0}}
    report = run(content, NAME, metrics=used)
    wanted = [("enabled", "off"), ("live", "little", "off")] if enabled else []
    assert [s for s in steps(report) if s[0] in ("enabled", "live")] == wanted


def test_several_moves_to_an_enabled_host_never_make_released_hosts_negative() -> None:
    """Watcher counts −1 for each of them, and its audit fails."""
    content = small(
        [
            overcommitted("a"),
            overcommitted("off", status="disabled", disabled_reason="watcher_disabled"),
        ],
        [vm(f"v{n}", "a", 1) for n in range(4)],
    )
    used = {
        **cpu(**{f"v{n}": 100.0 for n in range(4)}),
        "host_cpu_usage": {"a": 150.0, "off": 0.0},
    }
    report = run(content, NAME, {"minimum_gain": 1}, used)
    assert [s[0] for s in steps(report)] == ["enabled", "live", "live"]
    assert indicators(report)["released_compute_nodes_count"] == 0


def test_paused_goes_live_and_stopped_cold_and_what_is_stopped_needs_no_metric() -> None:
    content = small(
        [host("a"), host("b")],
        [vm("p", "a", state="paused"), vm("s", "a", state="stopped"), vm("y", "b", 4)],
    )
    report = run(content, NAME, metrics=cpu(p=1.0, y=90.0))
    kinds = {s[1]: s[0] for s in steps(report) if s[0] in ("live", "cold")}
    assert kinds == {"p": "live", "s": "cold"}
    assert report.warnings == []


def test_hosts_that_were_empty_are_disabled_but_not_counted_as_released() -> None:
    content = small([host("a"), host("idle")], [vm("x", "a")])
    report = run(content, NAME, metrics=cpu(x=10.0))
    assert steps(report) == [("disabled", "idle")]
    assert indicators(report)["released_compute_nodes_count"] == 0


def test_an_instance_without_a_value_stays_and_counts_as_all_that_it_holds() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 1), vm("dark", "b", 8)])
    report = run(content, NAME, metrics=cpu(x=10.0))
    assert report.migrations == 0
    assert report.warnings == ["instance_cpu_usage is missing for 1 instances (dark); left out"]
    with pytest.raises(MetricsMissing):
        run(content, NAME, {"missing_metrics": "fail"}, cpu(x=10.0))
    with pytest.raises(MetricsMissing):
        run(content, NAME, metrics={})


def test_an_idle_instance_is_idle() -> None:
    """Watcher takes a measured zero for missing, and the instance for fully busy."""
    content = small(
        [host("a"), host("b", inventories={"VCPU": Inventory(total=4, allocation_ratio=4.0)})],
        [vm("x", "a", 4), vm("y", "b", 8)],
    )
    coefficients = {"capacity_coefficients": {"cpu": 0.5}}
    used = cpu(x=0.0, y=90.0)
    assert run(content, NAME, coefficients, used).migrations == 1


@pytest.mark.parametrize(
    "wrong",
    [{"capacity_coefficients": {"cpu": 2}}, {"period": "long"}, {"minimum_gain": -1}],
    ids=str,
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        VMWorkloadConsolidation(wrong)


def test_a_host_without_inventory_ends_in_no_division() -> None:
    content = small(
        [host("a"), host("b"), host("bare", inventories={})], [vm("x", "a"), vm("y", "b", 4)]
    )
    assert run(content, NAME, metrics=cpu(x=10.0, y=90.0)).migrations == 1
