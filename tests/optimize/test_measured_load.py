"""Load that datasources measure, for the strategies that judge by allocations where there is none.

All instances hold the same; those on the first host are busy. By allocations everything is even.
"""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import InvalidInput, MetricsMissing, ParametersInvalid
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Inventory
from tachyon.optimize.audit import AuditReport
from tests.optimize.clusters import PLUGINS, cluster, host, indicators, run, small, steps, vm

pytestmark = pytest.mark.usefixtures("processor_time")

ROOM = {"VCPU": Inventory(total=8, allocation_ratio=4.0), "MEMORY_MB": Inventory(total=8192)}
BALANCING: dict[str, dict[str, Any]] = {
    "standard_deviation": {"threshold": 0.0, "minimum_gain": 0.0},
    "rebalance": {"time_limit": 0.2, "safety": 0.2},
}
NAMES = (*BALANCING, "node_resource_consolidation")

Values = dict[str, dict[str, float]]


def even(**fields: Any) -> ClusterFile:
    """Three hosts with three instances each, of four VCPUs."""
    names = [f"{at}{n}" for at in "abc" for n in range(3)]
    return small(
        [host(at, inventories=ROOM) for at in "abc"],
        [vm(name, name[0], 4, **fields.get(name, {})) for name in names],
    )


def cpu(busy: float = 90.0, idle: float = 5.0, **others: float) -> Values:
    names = [f"{at}{n}" for at in "abc" for n in range(3)]
    values = {name: busy if name[0] == "a" else idle for name in names}
    return {"instance_cpu_usage": values | others}


def trial(name: str, values: Values | None, **given: Any) -> AuditReport:
    return run(even(), name, {**BALANCING.get(name, {}), **given}, values)


@pytest.mark.parametrize("name", BALANCING)
def test_measured_load_is_evened_out_where_allocations_are_even(name: str) -> None:
    assert trial(name, None).migrations == 0
    assert trial(name, cpu(), measured="off").migrations == 0
    report = trial(name, cpu())
    leaving = {uuid for _, uuid, _ in steps(report) if uuid.startswith("a")}
    assert leaving
    found = indicators(report)
    before, after = (found[f"standard_deviation_{at}_audit"] for at in ("before", "after"))
    # 10.8, 0.6 and 0.6 of 8 VCPUs.
    assert before == pytest.approx(0.601, abs=0.001)
    assert after < before / 2
    assert "instance_ram_usage is missing for 9 instances" in report.warnings[0]
    assert report.warnings[0].endswith("; it counts for nothing")


@pytest.mark.parametrize("name", NAMES)
def test_one_need_for_each_metric_and_none_that_is_necessary_by_default(name: str) -> None:
    needs = PLUGINS.strategy(name)({}).metrics()
    assert [n.metric for n in needs] == ["instance_cpu_usage", "instance_ram_usage"]
    assert all(need.optional for need in needs)
    needs = PLUGINS.strategy(name)({"measured": "required", "period": 600}).metrics()
    assert [(n.period, n.optional) for n in needs] == [(600, False)] * 2
    assert PLUGINS.strategy(name)({"measured": "off"}).metrics() == ()
    one = PLUGINS.strategy(name)({"metrics": ["instance_ram_usage"]})
    assert [n.metric for n in one.metrics()] == ["instance_ram_usage"]
    with pytest.raises(ParametersInvalid):
        PLUGINS.strategy(name)({"metrics": ["host_power"]})


@pytest.mark.parametrize("name", NAMES)
def test_without_any_value_allocations_count_and_people_are_told(name: str) -> None:
    plain, without = trial(name, None), trial(name, {})
    assert steps(without) == steps(plain)
    assert [w.split(" for ")[0] for w in without.warnings] == [
        "instance_cpu_usage is missing",
        "instance_ram_usage is missing",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_required_and_missing_ends_the_audit(name: str) -> None:
    with pytest.raises(MetricsMissing, match="instance_ram_usage is missing for 9 instances"):
        trial(name, cpu(), measured="required")
    with pytest.raises(MetricsMissing, match="instance_cpu_usage"):
        trial(name, None, measured="required")
    trial(name, cpu(), measured="required", metrics=["instance_cpu_usage"])
    some = cpu(b1=float("nan"))
    with pytest.raises(MetricsMissing, match=r"for 1 instances \(b1\)"):
        trial(name, some, missing_metrics="fail")


@pytest.mark.parametrize("name", BALANCING)
def test_a_host_with_an_instance_of_unknown_load_neither_gives_nor_takes(name: str) -> None:
    report = trial(name, cpu(b1=float("nan")))
    assert report.migrations
    moves = steps(report)
    assert {uuid[0] for _, uuid, _ in moves} <= {"a", "c"}
    assert {to for _, _, to in moves} <= {"a", "c"}
    assert any(w.endswith("missing for 1 instances (b1); left out") for w in report.warnings)
    assert trial(name, cpu(a1=float("nan"))).migrations == 0


def test_a_stopped_instance_takes_nothing_and_needs_no_value() -> None:
    content = even(b1={"state": "stopped"})
    report = run(content, "standard_deviation", BALANCING["standard_deviation"],
                 cpu(b1=float("nan")))  # fmt: skip
    assert not any("b1" in w for w in report.warnings if "cpu" in w)
    assert {to for _, _, to in steps(report)} >= {"b"}


def test_weights_name_metrics_and_classes_alike() -> None:
    name = "standard_deviation"
    both = {"instance_cpu_usage": 1.0, "VCPU": 3.0}
    found = indicators(trial(name, cpu(), weights=both, migration_limit=1))
    assert found["standard_deviation_before_audit"] == pytest.approx(0.601, abs=0.001)
    assert found["instance_migrations_count"] == 0  # what evens out one is worse for the other
    # Where it is not measured, what is counts.
    assert trial(name, None, weights={"instance_cpu_usage": 1.0}).migrations == 0
    with pytest.raises(InvalidInput, match="GOLD"):
        trial(name, cpu(), weights={"GOLD": 1.0})
    with pytest.raises(InvalidInput, match="instance_cpu_usage"):
        trial(name, cpu(), limits={"instance_cpu_usage": 0.5})


def test_columns_of_a_cluster_file_count_before_what_is_measured() -> None:
    content = cluster("measured", 1)
    assert content.metrics
    uuids = [c.uuid for c in content.cluster.consumers]
    for name, given in BALANCING.items():
        report = run(content, name, given, {"instance_cpu_usage": dict.fromkeys(uuids, 1.0)})
        assert set(report.weights) == {m.name for m in content.metrics}


def test_hosts_are_emptied_only_into_room_for_what_is_measured() -> None:
    """Nine instances of four VCPUs are allowed on one host; at 90 % only two find room."""
    specify = {"host_choice": "specify"}

    def released(values: Values | None, **given: Any) -> float:
        found = indicators(trial("node_resource_consolidation", values, **specify, **given))
        return found["released_compute_nodes_count"]

    assert released(None) == 1
    assert released(cpu(busy=5.0)) == 1
    assert released(cpu(busy=90.0, idle=90.0)) == 0
    assert released(cpu(busy=90.0, idle=90.0), measured="off") == 1
    # 3 × 4 × 0.9 = 10.8 VCPUs stand on the first host of 8; 0.6 on each of the others.
    report = trial("node_resource_consolidation", cpu(), **specify)
    assert {to for _, _, to in steps(report)} <= {"b", "c"}
    assert {uuid[0] for _, uuid, _ in steps(report)} <= {"b", "c"}
    assert released(cpu(b1=float("nan")), measured_threshold=1.0) == 0
