"""The strategy `basic`: hosts with little CPU use are emptied wholly, by measured load."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import MetricsMissing, ParametersInvalid
from tachyon.graph.entities import Consumer, ResourceProvider
from tachyon.optimize.strategies.basic import Basic
from tachyon.optimize.strategies.options import StrategyOptions
from tests.optimize.clusters import host, indicators, run, small, steps, vm


def metrics(hosts: dict[str, float], instances: dict[str, float]) -> dict[str, dict[str, float]]:
    return {"host_cpu_usage": hosts, "instance_cpu_usage": instances}


def two(
    *, a: dict[str, Any] | None = None, x: dict[str, Any] | None = None
) -> tuple[list[ResourceProvider], list[Consumer]]:
    """An instance on a, a larger one on b."""
    return (
        [host("a", **(a or {})), host("b")],
        [vm("x", "a", 2, **(x or {})), vm("y", "b", 4)],
    )


USED = metrics({"a": 10.0, "b": 60.0}, {"x": 10.0, "y": 60.0})


def test_defaults_are_those_of_watcher() -> None:
    given = Basic().parameters
    assert given["migration_attempts"] == 0
    assert (given["period"], given["granularity"]) == (7200, 300)
    assert given["aggregation_method"] == {"instance": "mean", "compute_node": "mean", "node": ""}
    assert (given["migration_limit"], given["minimum_gain"]) == (0, 0)


def test_the_needs_follow_from_the_parameters() -> None:
    needs = Basic(
        {"period": 60, "aggregation_method": {"instance": "max", "node": "min"}}
    ).metrics()
    assert [(n.metric, n.resource_type, n.aggregate, n.period) for n in needs] == [
        ("host_cpu_usage", "compute_node", "min", 60),
        ("instance_cpu_usage", "instance", "max", 60),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"aggregation_method": {"instance": "median"}},
        {"migration_attempts": -1},
        {"unknown": 1},
        {"missing_metrics": "guess"},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        Basic(wrong)


def test_the_least_used_host_is_emptied_and_disabled() -> None:
    report = run(small(*two()), "basic", metrics=USED)
    assert steps(report) == [("disabled", "a"), ("live", "x", "b")]
    disable = report.actions[0].input_parameters
    assert (disable["disabled_reason"], disable["resource_name"]) == ("watcher_disabled", "a")
    assert indicators(report) == {
        "compute_nodes_count": 2,
        "released_compute_nodes_count": 1,
        "instance_migrations_count": 1,
    }


@pytest.mark.parametrize(
    "x",
    [
        {"locked": True},
        {"watcher_exclude": True},
        {"state": "stopped"},
        {"state": "paused"},
        {"state": "error"},
        {"pinned_az": "z1"},
    ],
    ids=str,
)
def test_an_instance_that_must_stay_keeps_its_host(x: dict[str, Any]) -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 2, **x), vm("y", "b", 8)])
    assert run(content, "basic", metrics=USED).actions == []


@pytest.mark.parametrize(
    "b",
    [
        {"status": "disabled"},
        {"status": "disabled", "disabled_reason": "watcher_disabled"},
        {"state": "down"},
        {"maintenance": True},
    ],
    ids=str,
)
def test_hosts_out_of_service_take_nothing(b: dict[str, Any]) -> None:
    """Watcher's basic moves instances to disabled hosts and leaves them disabled."""
    content = small([host("a"), host("b", **b)], [vm("x", "a", 2), vm("y", "b", 4)])
    assert run(content, "basic", metrics=USED).actions == []


def test_a_host_that_cannot_be_emptied_keeps_every_instance() -> None:
    """Watcher's basic moves what fits and leaves the host switched on."""
    content = small([host("a"), host("b")], [vm("x", "a", 2), vm("big", "a", 4), vm("y", "b", 4)])
    used = metrics({"a": 10.0, "b": 60.0}, {"x": 10.0, "big": 10.0, "y": 60.0})
    assert run(content, "basic", metrics=used).actions == []


def test_empty_hosts_are_not_opened() -> None:
    content = small([host("a"), host("b"), host("empty", 64)], [vm("x", "a", 5), vm("y", "b", 5)])
    used = metrics({"a": 10.0, "b": 60.0, "empty": 0.0}, {"x": 10.0, "y": 60.0})
    assert run(content, "basic", metrics=used).actions == []


def test_every_instance_moves_once_at_most() -> None:
    content = small(
        [host("a"), host("b"), host("c", 16)],
        [vm("x", "a", 1), vm("y", "b", 2), vm("z", "c", 8)],
    )
    used = metrics({"a": 1.0, "b": 2.0, "c": 90.0}, {"x": 1.0, "y": 2.0, "z": 90.0})
    report = run(content, "basic", metrics=used)
    moved = [s[1] for s in steps(report) if s[0] == "live"]
    assert sorted(moved) == ["x", "y"]
    assert indicators(report)["instance_migrations_count"] == 2


def test_fruitless_hosts_in_a_row_end_the_run() -> None:
    full = [vm(f"full{n}", f"h{n}", 8) for n in range(3)]
    hosts = [host(f"h{n}") for n in range(3)] + [host("a"), host("b")]
    content = small(hosts, [*full, vm("x", "a", 2), vm("y", "b", 4)])
    used = metrics(
        {"h0": 1.0, "h1": 2.0, "h2": 3.0, "a": 10.0, "b": 60.0},
        dict.fromkeys(["full0", "full1", "full2", "x", "y"], 10.0),
    )
    assert run(content, "basic", {"migration_attempts": 2}, used).migrations == 0
    assert run(content, "basic", {"migration_attempts": 3}, used).migrations == 1
    assert run(content, "basic", {}, used).migrations == 1


def test_the_limit_and_the_gain_are_kept() -> None:
    stays = vm("y", "b", 4, locked=True)
    content = small([host("a"), host("b")], [vm("x", "a"), vm("w", "a"), stays])
    used = metrics({"a": 10.0, "b": 60.0}, {"x": 10.0, "w": 10.0, "y": 60.0})
    assert run(content, "basic", {"migration_limit": 1}, used).actions == []
    assert run(content, "basic", {"minimum_gain": 0.6}, used).actions == []
    assert run(content, "basic", {"migration_limit": 2, "minimum_gain": 0.5}, used).migrations == 2


def test_without_any_measurement_the_audit_fails() -> None:
    with pytest.raises(MetricsMissing) as caught:
        run(small(*two()), "basic", metrics={})
    missing = caught.value.details["missing"]
    assert {(m["metric"], m["resource_type"], m["count"]) for m in missing} == {
        ("host_cpu_usage", "compute_node", 2),
        ("instance_cpu_usage", "instance", 2),
    }


def test_a_host_without_a_value_is_named_and_left_out() -> None:
    """Watcher's basic takes it to be fully loaded."""
    hosts, vms = two()
    content = small([*hosts, host("c")], [*vms, vm("z", "c", 1)])
    used = metrics({"a": 10.0, "b": 60.0}, {"x": 10.0, "y": 60.0, "z": 5.0})
    report = run(content, "basic", metrics=used)
    assert steps(report) == [("disabled", "a"), ("live", "x", "b")]
    assert report.warnings == ["host_cpu_usage is missing for 1 compute nodes (c); left out"]
    with pytest.raises(MetricsMissing, match=r"host_cpu_usage .* 1 compute nodes \(c\)"):
        run(content, "basic", {"missing_metrics": "fail"}, used)


def test_an_instance_without_a_value_stays_and_so_does_its_host() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 2), vm("y", "b", 8)])
    used = metrics({"a": 10.0, "b": 60.0}, {"y": 60.0})
    report = run(content, "basic", metrics=used)
    assert report.actions == []
    assert "instance_cpu_usage is missing for 1 instances (x); left out" in report.warnings


@pytest.mark.parametrize(
    ("metadata", "moves"),
    [({"optimize": "False"}, 0), ({"optimize": "true"}, 1), ({"other": "False"}, 1), ({}, 1)],
    ids=str,
)
def test_metadata_opts_out_only_where_it_says_so(metadata: dict[str, str], moves: int) -> None:
    """Watcher drops instances that have metadata without the key."""
    content = small(
        [host("a"), host("b")],
        [vm("x", "a", 2, metadata=metadata), vm("y", "b", 4, locked=True)],
    )
    used = metrics({"a": 10.0, "b": 60.0}, {"x": 10.0, "y": 60.0})
    options = StrategyOptions(check_optimize_metadata=True)
    assert run(content, "basic", {}, used, options).migrations == moves
    assert run(content, "basic", {}, used).migrations == 1
