"""The strategy `workload_balance`: an instance off a host at the threshold, to the least loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tachyon.errors import MetricsMissing, ParametersInvalid
from tachyon.graph.entities import Consumer, Inventory
from tachyon.graph.generator import generate
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.hosts import on_hosts, physical
from tachyon.optimize.strategies.measurements import Measurements
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.workload_balance import WorkloadBalance
from tests.optimize.clusters import PLUGINS, host, indicators, run, small, steps, view_of, vm
from tests.optimize.test_packing import straightforward

NAME = "workload_balance"


def cpu(**values: float) -> dict[str, dict[str, float]]:
    return {"instance_cpu_usage": values}


def test_defaults_are_those_of_watcher() -> None:
    given = WorkloadBalance().parameters
    assert given["metrics"] == "instance_cpu_usage"
    assert (given["threshold"], given["period"], given["granularity"]) == (25.0, 300, 300)
    assert given["migration_limit"] == 1


@pytest.mark.parametrize(
    "wrong", [{"metrics": "host_cpu_usage"}, {"threshold": -1}, {"metrics": 3}], ids=str
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    """Watcher takes any text for the metric."""
    with pytest.raises(ParametersInvalid):
        WorkloadBalance(wrong)


def test_the_instance_that_brings_the_host_closest_to_the_mean_goes_to_the_least_loaded() -> None:
    content = small(
        [host("a"), host("b"), host("c")],
        [vm("x", "a", 2), vm("y", "a", 2), vm("z", "a", 2), vm("b1", "b"), vm("c1", "c", 2)],
    )
    # a: 2.4 of 8, b: 0.4, c: 0.2; mean 1. x leaves the least above the mean.
    used = cpu(x=60.0, y=40.0, z=20.0, b1=40.0, c1=10.0)
    report = run(content, NAME, metrics=used)
    assert steps(report) == [("live", "x", "c")]
    found = indicators(report)
    assert (found["instance_migrations_count"], found["instances_count"]) == (1, 5)
    assert found["standard_deviation_after_audit"] < found["standard_deviation_before_audit"]


def test_nothing_moves_below_the_threshold() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 2), vm("y", "b", 2)])
    assert run(content, NAME, metrics=cpu(x=90.0, y=10.0)).actions == []


def test_destinations_stay_below_the_threshold() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 4), vm("w", "a", 4), vm("y", "b", 4)])
    used = cpu(x=40.0, w=60.0, y=10.0)
    assert run(content, NAME, {"threshold": 25.0}, used).actions == []
    assert run(content, NAME, {"threshold": 40.0}, used).migrations == 1


def test_where_the_best_instance_finds_no_place_the_next_one_goes() -> None:
    """Watcher tries one instance only."""
    content = small([host("a", 16), host("b")], [vm("x", "a", 8), vm("w", "a", 4), vm("y", "b", 4)])
    used = cpu(x=60.0, w=60.0, y=1.0)
    assert steps(run(content, NAME, {"threshold": 40.0}, used)) == [("live", "w", "b")]


def test_an_instance_without_a_value_on_an_overloaded_host_is_no_end() -> None:
    """Watcher's audit fails with a KeyError."""
    content = small([host("a"), host("b")], [vm("x", "a", 2), vm("dark", "a", 2), vm("w", "a", 2)])
    report = run(content, NAME, {"threshold": 20.0}, cpu(x=90.0, w=50.0))
    assert steps(report) == [("live", "w", "b")]
    assert report.warnings == ["instance_cpu_usage is missing for 1 instances (dark); left out"]
    with pytest.raises(MetricsMissing):
        run(content, NAME, {"missing_metrics": "fail"}, cpu(x=90.0, w=50.0))


def test_nothing_goes_to_a_host_with_an_unmeasured_instance() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 2), vm("w", "a", 2), vm("dark", "b")])
    assert run(content, NAME, {"threshold": 20.0}, cpu(x=90.0, w=50.0)).actions == []


def test_memory_is_balanced_by_megabytes() -> None:
    def sized(name: str, on: str) -> Consumer:
        return Consumer(uuid=name, name=name, allocations={on: {"VCPU": 1, "MEMORY_MB": 512}})

    room = {"VCPU": Inventory(total=8), "MEMORY_MB": Inventory(total=4096)}
    content = small(
        [host("a", inventories=room), host("b", inventories=room)],
        [sized("x", "a"), sized("y", "a"), sized("z", "a")],
    )
    used = {"instance_ram_usage": {"x": 500.0, "y": 400.0, "z": 450.0}}
    report = run(content, NAME, {"metrics": "instance_ram_usage"}, used)
    assert steps(report) == [("live", "x", "b")]


@pytest.mark.parametrize(
    "fields", [{"locked": True}, {"watcher_exclude": True}, {"state": "paused"}], ids=str
)
def test_only_active_instances_that_may_go_are_moved(fields: dict[str, Any]) -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 4, **fields), vm("w", "a", 4, **fields)])
    assert run(content, NAME, metrics=cpu(x=90.0, w=90.0)).actions == []


def test_without_a_limit_it_goes_on_until_nothing_helps() -> None:
    content = small([host("a"), host("b"), host("c")], [vm(f"v{n}", "a", 1) for n in range(6)])
    used = cpu(**{f"v{n}": 50.0 for n in range(6)})
    report = run(content, NAME, {"migration_limit": 0}, used)
    assert report.migrations == 3
    assert [s[2] for s in steps(report)] == ["b", "c", "b"]


def test_a_migration_that_gains_too_little_is_not_made() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 4), vm("w", "a", 4)])
    used = cpu(x=40.0, w=40.0)
    assert run(content, NAME, {"minimum_gain": 30}, used).actions == []
    assert run(content, NAME, {"minimum_gain": 20}, used).migrations == 1


def straightforwardly(view: View, values: F64, threshold: float, gain: float) -> Session:
    """Relieve hosts as the strategy's documentation says, everything worked out anew each time."""
    session = Session(view)
    packer = Packer(Eligibility(session, states=("active",)), {}, vacate=True)
    movable, targets = packer.eligibility.movable.copy(), packer.eligibility.targets
    total = physical(view, "VCPU")
    start = session.homes().copy()
    values = np.where(packer.eligibility.running(("active",)) & targets[start], values, 0.0)
    mean = on_hosts(values, start, view.provider_rows)[targets].sum() / targets.sum()
    stuck: set[int] = set()
    while True:
        load = on_hosts(values, session.homes(), view.provider_rows)
        percent = np.where(targets, 100.0 * load / np.maximum(total, 1.0), 0.0)
        hot = [h for h in np.flatnonzero(percent >= threshold).tolist() if h not in stuck]
        if not hot:
            return session
        source = max(hot, key=lambda h: percent[h])
        rows = np.flatnonzero(movable & (start == source) & (values > 0)).tolist()
        left = {row: load[source] - mean - values[row] for row in rows}
        for row in sorted((r for r in rows if left[r] >= 0), key=lambda r: left[r]):
            after = 100.0 * (load + values[row]) / np.maximum(total, 1.0)
            fits = (percent < threshold) & (after < threshold) & (percent[source] - after >= gain)
            rank = np.where(fits & targets, percent, np.inf)[packer.rows]
            if straightforward(packer, session, row, rank) >= 0:
                movable[row] = False
                break
        else:
            stuck.add(source)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("nested", [0, 2])
def test_instances_go_as_the_straightforward_way_has_it(nested: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = generate(12, 70, seed, load=0.7, server_groups=8, nested=nested, zones=2)
    view = view_of(content)
    # Shares of a vcpu whose sums are exact in any order.
    percent = rng.integers(0, 257, view.consumer_rows) * 100.0 / 256
    values = percent / 100.0 * view.consumers.demand[:, view.column("VCPU")]
    threshold, gain = float(rng.integers(20, 60)), float(rng.integers(0, 10))
    session = Session(view)
    given = {"threshold": threshold, "migration_limit": 0, "minimum_gain": gain}
    context = Context(measurements=Measurements({"instance_cpu_usage": percent}))
    PLUGINS.strategy("workload_balance")(given).execute(session, context)
    assert session.deltas
    assert session.deltas == straightforwardly(view, values, threshold, gain).deltas
