"""Goals: names and indicators that clients know, values from the session, validated."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tachyon.errors import InvalidInput
from tachyon.graph.simulation import Session
from tachyon.optimize.goals.base import Goal, Indicator, Subject, count
from tests.optimize.clusters import PLUGINS, cluster, host, indicators, run, small, view_of, vm
from tests.optimize.test_strategy_plans import STRATEGIES, trial

DISPLAYED = {
    "dummy": "Dummy goal",
    "unclassified": "Unclassified",
    "server_consolidation": "Server Consolidation",
    "thermal_optimization": "Thermal Optimization",
    "workload_balancing": "Workload Balancing",
    "airflow_optimization": "Airflow Optimization",
    "noisy_neighbor": "Noisy Neighbor",
    "saving_energy": "Saving Energy",
    "hardware_maintenance": "Hardware Maintenance",
    "cluster_maintaining": "Cluster Maintaining",
}
SERVED = {
    "basic": "server_consolidation",
    "vm_workload_consolidation": "server_consolidation",
    "node_resource_consolidation": "server_consolidation",
    "workload_balance": "workload_balancing",
    "workload_stabilization": "workload_balancing",
    "storage_capacity_balance": "workload_balancing",
    "outlet_temperature": "thermal_optimization",
    "uniform_airflow": "airflow_optimization",
    "noisy_neighbor": "noisy_neighbor",
    "saving_energy": "saving_energy",
    "host_maintenance": "cluster_maintaining",
    "zone_migration": "hardware_maintenance",
    "actuator": "unclassified",
    "dummy": "dummy",
    "dummy_with_scorer": "dummy",
    "dummy_with_resize": "dummy",
}
WATCHERS = {
    "server_consolidation": {
        "compute_nodes_count",
        "released_compute_nodes_count",
        "instance_migrations_count",
    },
    "workload_balancing": {
        "instance_migrations_count",
        "instances_count",
        "standard_deviation_after_audit",
        "standard_deviation_before_audit",
    },
}


def test_goals_bear_the_names_that_clients_know() -> None:
    assert {n: g.display_name for n, g in PLUGINS.goals.items()} == DISPLAYED
    assert all(name == goal.name for name, goal in PLUGINS.goals.items())


def test_strategies_serve_the_goals_of_watcher() -> None:
    found = {n: s.goal for n, s in PLUGINS.strategies.items() if n in SERVED}
    assert found == SERVED
    assert all(name == strategy.name for name, strategy in PLUGINS.strategies.items())


def test_plans_of_balancing_are_ordered_by_weight() -> None:
    """As documented; the planner that Watcher's code takes limits nothing that runs at a time."""
    balancing = {n: s.planner for n, s in PLUGINS.strategies.items()
                 if s.goal == "workload_balancing"}  # fmt: skip
    assert set(balancing.values()) == {"weight"}
    assert {"workload_balance", "workload_stabilization", "storage_capacity_balance"} <= {
        *balancing
    }


@pytest.mark.parametrize("name", sorted(SERVED))
def test_every_strategy_takes_a_limit_and_a_least_gain_that_may_be_left_out(name: str) -> None:
    properties = PLUGINS.strategies[name].schema["properties"]
    for option in ("migration_limit", "minimum_gain"):
        assert "default" in properties[option]
    for rule in properties.values():
        assert rule["description"].endswith(".")


@pytest.mark.parametrize("name", sorted(DISPLAYED))
def test_every_goal_has_indicators_and_a_global_efficacy(name: str) -> None:
    goal = PLUGINS.goal(name)
    assert goal.indicators
    known = {spec.name for spec in goal.indicators}
    assert known >= WATCHERS.get(name, set())
    assert goal.global_efficacy(dict.fromkeys(known, 1))
    # Those without an aim have none to tell of where no action is about the cluster.
    nothing = goal.global_efficacy(dict.fromkeys(known, 0))
    assert bool(nothing) == (name not in ("dummy", "unclassified"))
    assert all(one.value == 0 for one in nothing)
    assert goal.objective(dict.fromkeys(known, 0))


def test_the_stock_clients_lists_of_plans_of_the_dummy_strategies_have_one_line_each() -> None:
    """Its functional suite takes the line after a figure for another plan."""
    for name in ("dummy", "dummy_with_scorer"):
        assert run(cluster("plain", 0), name).global_efficacy == []


@pytest.mark.illegal_plan("the actuator is told to stop what is not there")
def test_fixed_actions_are_judged_by_what_they_can_find() -> None:
    content = small([host("a")], [vm("v", "a")])
    nop = {"action_type": "nop", "input_parameters": {"message": "hi"}}
    stops = [
        {"action_type": "stop", "resource_id": uuid, "input_parameters": {}} for uuid in ("v", "x")
    ]
    disable = {
        "action_type": "change_nova_service_state",
        "resource_id": "a",
        "input_parameters": {"state": "disabled"},
    }
    report = run(content, "actuator", {"actions": [nop, *stops, disable, stops[1]]})
    assert indicators(report) == {
        "proposed_actions_count": 5,
        "resource_actions_count": 4,
        "known_resource_actions_count": 2,
    }
    (efficacy,) = report.global_efficacy
    assert (efficacy.name, efficacy.unit, efficacy.value) == ("known_resources_ratio", "%", 50.0)
    assert run(content, "actuator", {"actions": [nop]}).global_efficacy == []
    # What is about nothing is worse than nothing; of dummies the first is taken.
    goal = PLUGINS.goal("dummy")
    found = {n: indicators(run(content, n)) for n in ("dummy", "dummy_with_resize")}
    assert goal.objective(found["dummy"]) > goal.objective(found["dummy_with_resize"])


@pytest.mark.parametrize("name", STRATEGIES)
def test_indicators_of_every_strategy_pass_validation(name: str) -> None:
    report = trial(cluster("storage", 1), name, 1)
    if report is None:
        return
    specs = {s.name: s for s in PLUGINS.goal(report.goal).indicators}
    required = {n for n, s in specs.items() if s.required}
    assert required <= {i.name for i in report.indicators} <= set(specs)
    moved = sum(a.action_type == "migrate" for a in report.actions)
    for one in report.indicators:
        if one.name == "instance_migrations_count":
            assert one.value == moved


class Broken(Goal):
    name = display_name = "broken"
    indicators = (count("things_count", "Things."),)
    found: Mapping[str, float] = {}

    def values(self, subject: Subject) -> dict[str, float]:
        return dict(self.found)

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        return []


@pytest.mark.parametrize("found", [{}, {"things_count": -1}, {"things_count": 0.5}, {"other": 1}])
def test_values_that_break_their_schema_reach_no_plan(found: dict[str, float]) -> None:
    goal = Broken()
    goal.found = found
    with pytest.raises(InvalidInput):
        goal.efficacy(Subject(session=Session(view_of(cluster("plain", 0)))))


def test_storage_and_instances_are_counted_apart() -> None:
    report = run(cluster("storage", 1), "storage_capacity_balance", {"volume_threshold": 30.0})
    values = {i.name: i.value for i in report.indicators}
    assert values["instance_migrations_count"] == 0
    assert values["volume_migrations_count"] == len(report.actions) > 0
