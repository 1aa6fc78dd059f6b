"""Strategies that take single instances off hosts at fault: heat, airflow, noisy neighbours."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tachyon.errors import MetricsMissing, ParametersInvalid
from tests.optimize.clusters import PLUGINS, host, indicators, run, small, steps, vm

HEAT, AIR, NOISE = "outlet_temperature", "uniform_airflow", "noisy_neighbor"


def heat(**values: float) -> dict[str, dict[str, float]]:
    return {"host_outlet_temp": values}


def air(
    airflow: dict[str, float], inlet: float = 30.0, power: float = 400.0
) -> dict[str, dict[str, float]]:
    return {
        "host_airflow": airflow,
        "host_inlet_temp": dict.fromkeys(airflow, inlet),
        "host_power": dict.fromkeys(airflow, power),
    }


def cache(now: dict[str, float], before: dict[str, float]) -> dict[str, dict[str, float]]:
    return {
        "instance_l3_cache_usage": now,
        "instance_l3_cache_usage over two periods": {
            uuid: (now[uuid] + before[uuid]) / 2 for uuid in now
        },
    }


def test_defaults_are_those_of_watcher() -> None:
    given = PLUGINS.strategy(HEAT)().parameters
    assert (given["threshold"], given["period"], given["granularity"]) == (35.0, 30, 300)
    given = PLUGINS.strategy(AIR)().parameters
    assert given["threshold_airflow"] == 400.0
    assert (given["threshold_inlet_t"], given["threshold_power"]) == (28.0, 350.0)
    given = PLUGINS.strategy(NOISE)().parameters
    assert (given["cache_threshold"], given["period"]) == (35.0, 100)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (HEAT, {"threshold": "hot"}),
        (AIR, {"threshold_power": -1}),
        (NOISE, {"cache_threshold": 200}),
    ],
)
def test_wrong_parameters_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        PLUGINS.strategy(name)(wrong)


@pytest.mark.parametrize("name", [HEAT, AIR, NOISE])
def test_without_any_measurement_the_audit_fails(name: str) -> None:
    with pytest.raises(MetricsMissing):
        run(small([host("a"), host("b")], [vm("x", "a"), vm("y", "a")]), name, metrics={})


def test_the_hottest_host_gives_an_instance_to_the_coolest() -> None:
    content = small(
        [host("warm"), host("hot"), host("cool"), host("cold", 1)],
        [vm("w", "warm"), vm("x", "hot", 2), vm("y", "hot", 2)],
    )
    report = run(content, HEAT, metrics=heat(warm=36.0, hot=40.0, cool=20.0, cold=10.0))
    assert steps(report) == [("live", "x", "cool")]
    # Watcher writes uuids here, with which nothing can be migrated.
    assert report.actions[0].input_parameters["source_node"] == "hot"
    assert indicators(report) == {
        "affected_compute_nodes_count": 2,
        "relieved_compute_nodes_count": 1,
        "instance_migrations_count": 1,
    }
    assert [(g.name, g.unit, g.value) for g in report.global_efficacy] == [
        ("relieved_nodes_ratio", "%", 50.0)
    ]


def test_names_of_nodes_are_host_names_not_uuids() -> None:
    hosts = [replace(host(uuid), name=name) for uuid, name in (("u1", "node-1"), ("u2", "node-2"))]
    content = small(hosts, [vm("x", "u1")])
    given = run(content, HEAT, metrics=heat(u1=50.0, u2=20.0)).actions[0].input_parameters
    assert (given["source_node"], given["destination_node"]) == ("node-1", "node-2")


def test_where_the_first_instance_finds_no_place_the_next_one_goes() -> None:
    content = small([host("hot"), host("cool", 2)], [vm("big", "hot", 4), vm("little", "hot", 1)])
    assert [s[1] for s in steps(run(content, HEAT, metrics=heat(hot=40.0, cool=20.0)))] == [
        "little"
    ]


def test_the_instance_with_the_most_vcpus_takes_its_heat_along() -> None:
    content = small(
        [host("hot"), host("cool")], [vm("x", "hot", 1), vm("y", "hot", 4), vm("z", "hot", 4)]
    )
    assert steps(run(content, HEAT, metrics=heat(hot=40.0, cool=20.0))) == [("live", "y", "cool")]


def test_every_hot_host_is_relieved_where_there_is_no_limit() -> None:
    content = small([host("h1"), host("h2"), host("cool")], [vm("x", "h1"), vm("y", "h2")])
    metrics = heat(h1=40.0, h2=38.0, cool=20.0)
    assert run(content, HEAT, {"migration_limit": 0}, metrics).migrations == 2
    assert run(content, HEAT, {"migration_limit": 0, "minimum_gain": 19}, metrics).migrations == 1


@pytest.mark.parametrize(
    "fields", [{"locked": True}, {"watcher_exclude": True}, {"state": "stopped"}], ids=str
)
def test_what_must_stay_stays_on_a_hot_host(fields: dict[str, Any]) -> None:
    content = small([host("hot"), host("cool")], [vm("x", "hot", **fields)])
    assert run(content, HEAT, metrics=heat(hot=40.0, cool=20.0)).actions == []


def test_a_host_without_a_temperature_is_neither_source_nor_destination() -> None:
    content = small([host("hot"), host("dark"), host("cool")], [vm("x", "hot")])
    report = run(content, HEAT, metrics=heat(hot=40.0, cool=20.0))
    assert steps(report) == [("live", "x", "cool")]
    assert report.warnings == ["host_outlet_temp is missing for 1 compute nodes (dark); left out"]
    with pytest.raises(MetricsMissing, match="dark"):
        run(content, HEAT, {"missing_metrics": "fail"}, heat(hot=40.0, cool=20.0))


def airy() -> Any:
    return small(
        [host("a"), host("b"), host("c")],
        [vm("x", "a", 1), vm("y", "a", 2), vm("out", "a", 1, watcher_exclude=True)],
    )


AIRFLOW = {"a": 500.0, "b": 300.0, "c": 200.0}


def test_a_host_with_good_reason_for_its_airflow_gives_one_instance() -> None:
    report = run(airy(), AIR, metrics=air(AIRFLOW))
    assert steps(report) == [("live", "y", "c")]


def test_a_host_without_reason_gives_all_but_those_that_must_stay() -> None:
    """Watcher moves excluded and stopped instances in this case."""
    report = run(airy(), AIR, metrics=air(AIRFLOW, inlet=20.0, power=200.0))
    assert sorted(steps(report)) == [("live", "x", "c"), ("live", "y", "c")]


def test_either_all_instances_of_a_broken_host_find_a_place_or_none_moves() -> None:
    content = small([host("a"), host("b", 2)], [vm("x", "a", 2), vm("y", "a", 2)])
    metrics = air({"a": 500.0, "b": 100.0}, inlet=20.0, power=200.0)
    assert run(content, AIR, metrics=metrics).actions == []


def test_a_host_that_lacks_one_of_the_three_metrics_is_left_out() -> None:
    """Watcher compares None with a number and fails."""
    metrics = air(AIRFLOW)
    del metrics["host_power"]["a"]
    report = run(airy(), AIR, metrics=metrics)
    assert report.actions == []
    assert report.warnings == ["host_power is missing for 1 compute nodes (a); left out"]


def test_reserved_resources_and_ratios_count_on_destinations() -> None:
    content = small([host("a"), host("b", 1), host("c")], [vm("x", "a", 2)])
    report = run(content, AIR, metrics=air({"a": 500.0, "b": 10.0, "c": 20.0}))
    assert steps(report) == [("live", "x", "c")]


def important(name: str, on: str, priority: Any = None, **fields: Any) -> Any:
    metadata = {} if priority is None else {"watcher-priority": priority}
    return vm(name, on, metadata=metadata, **fields)


def test_the_least_important_instance_that_took_cache_moves() -> None:
    content = small(
        [host("a"), host("b")],
        [
            important("victim", "a", "1"),
            important("noisy", "a", "8"),
            important("noisier", "a", "10"),
            important("calm", "b", "1"),
        ],
    )
    metrics = cache(
        {"victim": 10.0, "noisy": 90.0, "noisier": 80.0, "calm": 50.0},
        {"victim": 50.0, "noisy": 30.0, "noisier": 30.0, "calm": 50.0},
    )
    report = run(content, NOISE, metrics=metrics)
    # As text "10" would stand before "8".
    assert steps(report) == [("live", "noisier", "b")]
    assert report.actions[0].input_parameters["source_node"] == "a"
    assert indicators(report) == {
        "affected_compute_nodes_count": 1,
        "relieved_compute_nodes_count": 1,
        "instance_migrations_count": 1,
        "noisy_instances_count": 2,
    }


def test_priorities_that_are_missing_or_senseless_count_as_five() -> None:
    content = small(
        [host("a"), host("b")],
        [important("victim", "a", "4"), important("noisy", "a"), important("odd", "a", "high")],
    )
    metrics = cache(
        {"victim": 10.0, "noisy": 90.0, "odd": 50.0}, {"victim": 50.0, "noisy": 30.0, "odd": 50.0}
    )
    assert steps(run(content, NOISE, metrics=metrics)) == [("live", "noisy", "b")]


def test_an_equal_is_no_noisy_neighbour() -> None:
    content = small([host("a"), host("b")], [important("victim", "a"), important("noisy", "a")])
    metrics = cache({"victim": 10.0, "noisy": 90.0}, {"victim": 50.0, "noisy": 30.0})
    assert run(content, NOISE, metrics=metrics).actions == []


def test_several_hosts_with_pairs_are_no_end_and_none_of_them_takes_anything() -> None:
    """Watcher compares instances with one another and fails."""
    pairs = [
        important(f"{what}{n}", host_name, priority)
        for n, host_name in enumerate("ab")
        for what, priority in (("victim", "1"), ("noisy", "9"))
    ]
    now = {f"victim{n}": 10.0 for n in (0, 1)} | {f"noisy{n}": 90.0 for n in (0, 1)}
    before = {f"victim{n}": 50.0 for n in (0, 1)} | {f"noisy{n}": 30.0 for n in (0, 1)}
    content = small([host("a"), host("b"), host("c")], pairs)
    report = run(content, NOISE, {"migration_limit": 0}, cache(now, before))
    assert steps(report) == [("live", "noisy0", "c"), ("live", "noisy1", "c")]
    assert run(content, NOISE, {}, cache(now, before)).migrations == 1
