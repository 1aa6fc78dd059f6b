"""The strategy `workload_stabilization`: less deviation of measured load, whatever the metrics."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import MetricsMissing, ParametersInvalid
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Consumer, Inventory
from tachyon.optimize.strategies.workload_stabilization import WorkloadStabilization
from tests.optimize.clusters import cluster, host, indicators, run, small, steps, vm
from tests.optimize.test_strategy_plans import drawn

NAME = "workload_stabilization"
BOTH = ["instance_cpu_usage", "instance_ram_usage"]


def loads(hosts: dict[str, float], instances: dict[str, float]) -> dict[str, dict[str, float]]:
    return {"host_cpu_usage": hosts, "instance_cpu_usage": instances}


def test_defaults_are_those_of_watchers_code() -> None:
    given = WorkloadStabilization().parameters
    assert given["metrics"] == ["instance_cpu_usage"]
    assert given["thresholds"] == {"instance_cpu_usage": 0.1, "instance_ram_usage": 0.1}
    assert given["weights"] == {
        "instance_cpu_usage_weight": 1.0,
        "instance_ram_usage_weight": 1.0,
    }
    assert (given["host_choice"], given["retry_count"], given["granularity"]) == ("retry", 1, 300)
    assert given["periods"] == {"instance": 720, "compute_node": 600, "node": 0}


def test_objects_may_be_given_in_part() -> None:
    given = WorkloadStabilization(
        {"thresholds": {"instance_ram_usage": 0.3}, "periods": {"instance": 60}}
    ).parameters
    assert given["thresholds"] == {"instance_cpu_usage": 0.1, "instance_ram_usage": 0.3}
    assert given["periods"] == {"instance": 60, "compute_node": 600, "node": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"host_choice": "best"},
        {"retry_count": 1.5},
        {"retry_count": 0},
        {"metrics": ["disk"]},
        {"metrics": []},
        {"thresholds": {"instance_cpu_usage": 2}},
        {"periods": {"instance": -1}},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        WorkloadStabilization(wrong)


def skewed() -> ClusterFile:
    return small([host("a"), host("b")], [vm(f"v{n}", "a", 1) for n in range(4)])


ALL = {f"v{n}": 100.0 for n in range(4)}


def test_instances_move_until_the_deviation_is_at_the_threshold() -> None:
    report = run(skewed(), NAME, metrics=loads({"a": 50.0, "b": 0.0}, ALL))
    assert [s[2] for s in steps(report)] == ["b", "b"]
    found = indicators(report)
    assert found["standard_deviation_before_audit"] == pytest.approx(0.25)
    assert found["standard_deviation_after_audit"] == pytest.approx(0.0)
    assert found["instances_count"] == 4


def test_nothing_moves_at_the_threshold() -> None:
    given = {"thresholds": {"instance_cpu_usage": 0.25}}
    assert run(skewed(), NAME, given, loads({"a": 50.0, "b": 0.0}, ALL)).actions == []


@pytest.mark.parametrize("choice", ["cycle", "retry", "fullsearch"])
def test_no_choice_of_hosts_ends_in_an_error(choice: str) -> None:
    """Watcher's full search always fails, and its retry with more tries than there are hosts."""
    given = {"host_choice": choice, "retry_count": 100, "metrics": BOTH}
    content = cluster("skewed", 3)
    report = run(content, NAME, given, drawn(content, 3))
    found = indicators(report)
    assert report.migrations > 0
    assert found["standard_deviation_after_audit"] < found["standard_deviation_before_audit"]
    moved = [s[1] for s in steps(report)]
    assert len(moved) == len(set(moved))


def test_it_goes_on_until_every_metric_is_even_enough() -> None:
    """Watcher stops when any metric is; CPU is even here from the start."""
    room = {"VCPU": Inventory(total=8), "MEMORY_MB": Inventory(total=8192)}
    vms = [
        Consumer(uuid=f"v{n}", name=f"v{n}", allocations={h: {"VCPU": 1, "MEMORY_MB": 1024}})
        for n, h in enumerate("aaaa")
    ]
    content = small([host("a", inventories=room), host("b", inventories=room)], vms)
    metrics = {
        "host_cpu_usage": {"a": 5.0, "b": 5.0},
        "instance_cpu_usage": {v.uuid: 0.0 for v in vms},
        "host_ram_usage": {"a": 4096 * 1024.0, "b": 0.0},
        "instance_ram_usage": {v.uuid: 1024.0 for v in vms},
    }
    assert run(content, NAME, {"metrics": BOTH}, metrics).migrations == 2


def test_a_host_without_a_value_is_left_out() -> None:
    """Watcher's audit fails with a KeyError."""
    content = small([host("a"), host("b"), host("dark")], [vm(f"v{n}", "a", 1) for n in range(4)])
    report = run(content, NAME, metrics=loads({"a": 50.0, "b": 0.0}, ALL))
    assert {s[2] for s in steps(report)} == {"b"}
    assert report.warnings == ["host_cpu_usage is missing for 1 compute nodes (dark); left out"]
    with pytest.raises(MetricsMissing):
        run(content, NAME, {"missing_metrics": "fail"}, loads({"a": 50.0, "b": 0.0}, ALL))


def test_an_instance_without_a_value_stays() -> None:
    known = {f"v{n}": 100.0 for n in range(3)}
    report = run(skewed(), NAME, metrics=loads({"a": 50.0, "b": 0.0}, known))
    assert {s[1] for s in steps(report)} <= set(known)


def test_destinations_have_room() -> None:
    """Watcher looks at the total of the disk only."""
    content = small(
        [host("a"), host("b", 4)],
        [*(vm(f"v{n}", "a", 1) for n in range(4)), vm("fat", "b", 4)],
    )
    metrics = loads({"a": 50.0, "b": 0.0}, {**ALL, "fat": 0.0})
    assert run(content, NAME, metrics=metrics).actions == []


def test_the_same_seed_gives_the_same_plan() -> None:
    content = cluster("skewed", 4)
    first, second = (run(content, NAME, {}, drawn(content, 4), seed=5) for _ in range(2))
    assert steps(first) == steps(second)


def test_the_limit_is_kept() -> None:
    report = run(skewed(), NAME, {"migration_limit": 1}, loads({"a": 50.0, "b": 0.0}, ALL))
    assert report.migrations == 1
