"""Consolidation by CPU use: overloaded hosts are relieved, calm moments deceive nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachyon.errors import MetricsMissing
from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.optimize.strategies.consolidation import Consolidation
from tachyon.optimize.strategies.overload import cheapest
from tests.optimize.checker import Replay
from tests.optimize.clusters import SHAPES, actions, cluster, host, run, small, steps
from tests.optimize.test_strategy_plans import drawn

NAME = "consolidation"
ROOM = {
    "VCPU": Inventory(total=4, allocation_ratio=16.0),
    "MEMORY_MB": Inventory(total=65_536),
}


def machine(name: str, on: str, memory: int = 1024, **fields: Any) -> Consumer:
    """An instance with one VCPU, of which 100 % are a quarter of a host."""
    return Consumer(
        uuid=name, name=name, allocations={on: {"VCPU": 1, "MEMORY_MB": memory}}, **fields
    )


def node(name: str, **fields: Any) -> ResourceProvider:
    return host(name, inventories=ROOM, **fields)


def plan(
    hosts: list[ResourceProvider],
    machines: list[Consumer],
    now: dict[str, float],
    usual: dict[str, float] | None = None,
    **parameters: Any,
) -> list[tuple[Any, ...]]:
    metrics = {"instance_cpu_usage": now}
    if usual is not None:
        metrics["usual_cpu_usage"] = usual
    given = {"overload": 0.9, "disable_released": False, **parameters}
    return steps(run(small(hosts, machines), NAME, given, metrics))


def crowd(on: str, count: int, **fields: Any) -> list[Consumer]:
    return [machine(f"{on}{number}", on, **fields) for number in range(count)]


def test_nothing_is_measured_unless_there_is_an_overload() -> None:
    assert Consolidation().metrics() == ()
    now, usual = Consolidation({"overload": 0.9, "forecast_hours": 2}).metrics()
    assert (now.metric, now.period, now.optional) == ("instance_cpu_usage", 300, False)
    assert (usual.metric, usual.period, usual.ahead) == ("instance_cpu_usage", 3600, 7200.0)
    assert usual.optional


def test_an_overloaded_host_gives_the_cheapest_instance_that_is_enough() -> None:
    machines = [
        machine("small", "a", 512),
        machine("cheap", "a", 1024),
        machine("dear", "a", 4096),
        *crowd("a", 2),
        *crowd("b", 2, locked=True),
    ]
    now = {"small": 10.0, "cheap": 80.0, "dear": 90.0, "a0": 95.0, "a1": 95.0, "b0": 5.0, "b1": 5.0}
    # 370 of 400 % are used; one of more than 10 % has to go.
    assert plan([node("a"), node("b")], machines, now) == [("live", "cheap", "b")]


def test_where_no_single_one_is_enough_several_go() -> None:
    machines = [*crowd("a", 12), *crowd("b", 1, locked=True)]
    now = {**{f"a{k}": 33.0 for k in range(12)}, "b0": 10.0}
    # 396 of 400 % are used; below 360 % it is no more overloaded.
    assert len(plan([node("a"), node("b")], machines, now)) == 2


def test_a_host_that_tachyon_disabled_is_enabled_where_nothing_else_has_room() -> None:
    machines = [*crowd("a", 4), *crowd("b", 4)]
    now = {**{f"a{k}": 95.0 for k in range(4)}, **{f"b{k}": 78.0 for k in range(4)}}
    off = node("off", status="disabled", disabled_reason="watcher_disabled")
    broken = node("broken", status="disabled", disabled_reason="power supply")
    assert plan([node("a"), node("b"), off, broken], machines, now) == [
        ("enabled", "off"),
        ("live", "a0", "off"),
    ]
    assert plan([node("a"), node("b"), broken], machines, now) == []


def test_hosts_are_released_only_if_there_is_room_for_the_usual_use() -> None:
    machines = [*crowd("a", 2), *crowd("b", 2)]
    calm = {one.uuid: 5.0 for one in machines}
    busy = {one.uuid: 95.0 for one in machines}
    assert len(plan([node("a"), node("b")], machines, calm, calm)) == 2
    assert plan([node("a"), node("b")], machines, calm, busy) == []
    assert len(plan([node("a"), node("b")], machines, calm, busy, usual_threshold=1)) == 2
    # Without a past, instances are what they are now.
    assert len(plan([node("a"), node("b")], machines, calm)) == 2
    assert plan([node("a"), node("b")], machines, busy) == []


def test_ratios_make_no_processors() -> None:
    machines = crowd("a", 5)
    # 16 × 4 VCPUs are for sale, but four are there.
    now = {f"a{k}": 80.0 for k in range(5)}
    assert len(plan([node("a"), node("b"), node("c")], [*machines, *crowd("b", 1)], now)) == 1


def test_an_instance_without_a_value_stays_and_counts_as_all_that_it_holds() -> None:
    machines = [*crowd("a", 4), *crowd("b", 1)]
    now = {"a0": 90.0, "a1": 90.0, "a2": 90.0, "b0": 0.0}
    # a3 is taken for 100 %: 370 of 400 %; a0 to a2 are as good as each other.
    assert plan([node("a"), node("b")], machines, now) == [("live", "a0", "b")]
    with pytest.raises(MetricsMissing, match="a3"):
        plan([node("a"), node("b")], machines, now, missing_metrics="fail")
    with pytest.raises(MetricsMissing, match="instance_cpu_usage"):
        plan([node("a"), node("b")], machines, {})


def test_the_limit_counts_both_kinds_of_migrations() -> None:
    machines = [*crowd("a", 12), *crowd("b", 1, locked=True), *crowd("c", 2)]
    now = {one.uuid: 33.0 for one in machines}
    hosts = [node("a"), node("b"), node("c")]
    assert len(plan(hosts, machines, now)) > 2
    for limit in (1, 2, 3):
        assert len(plan(hosts, machines, now, migration_limit=limit)) <= limit


@pytest.mark.parametrize("shape", SHAPES)
def test_plans_of_generated_clusters_can_be_carried_out(shape: str) -> None:
    content = cluster(shape, 3)
    given = {"overload": 0.5, "threshold": 0.4, "usual_threshold": 0.4}
    report = run(content, NAME, given, drawn(content, 3))
    assert report.migrations
    assert Replay(content).run(actions(report)).problems == []


@given(
    load=st.lists(st.floats(0, 100), min_size=1, max_size=8),
    excess=st.floats(0.1, 300),
    data=st.data(),
)
def test_the_first_to_go_is_the_best(load: list[float], excess: float, data: st.DataObject) -> None:
    cost = data.draw(st.lists(st.integers(1, 9), min_size=len(load), max_size=len(load)))
    order = cheapest(excess, np.array(load), np.array(cost, np.float64)).tolist()
    assert sorted(order) == list(range(len(load)))
    enough = [k for k in range(len(load)) if load[k] >= excess]
    if enough:
        assert cost[order[0]] == min(cost[k] for k in enough)
        assert order[0] in enough
    else:
        gains = [load[k] / cost[k] for k in range(len(load))]
        assert gains[order[0]] == max(gains)
