"""The strategy `node_resource_consolidation`: whole hosts, by allocations."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import ParametersInvalid
from tachyon.graph.generator import generate
from tachyon.optimize.strategies.node_resource_consolidation import NodeResourceConsolidation
from tests.optimize.clusters import cluster, host, indicators, run, small, steps, vm

NAME = "node_resource_consolidation"
SPECIFY = {"host_choice": "specify"}


def test_defaults_are_those_of_watcher_and_its_planner_orders_the_plan() -> None:
    assert NodeResourceConsolidation().parameters["host_choice"] == "auto"
    assert NodeResourceConsolidation.planner == NAME
    with pytest.raises(ParametersInvalid):
        NodeResourceConsolidation({"host_choice": "anything"})


def test_specify_names_every_destination_and_changes_no_service() -> None:
    content = small(
        [host("a"), host("b"), host("c")], [vm("x", "a", 2), vm("y", "b", 4), vm("z", "c", 5)]
    )
    report = run(content, NAME, SPECIFY)
    assert steps(report) == [("live", "x", "c")]
    assert indicators(report) == {
        "compute_nodes_count": 3,
        "released_compute_nodes_count": 1,
        "instance_migrations_count": 1,
    }


def test_auto_leaves_the_destination_to_nova_and_enables_the_hosts_again() -> None:
    content = small(
        [host("a"), host("b"), host("free")], [vm("x", "a", 2), vm("w", "a"), vm("y", "b", 4)]
    )
    report = run(content, NAME)
    assert steps(report) == [
        ("disabled", "free"),
        ("disabled", "a"),
        ("live", "x", None),
        ("live", "w", None),
        ("enabled", "free"),
        ("enabled", "a"),
    ]
    migrate = report.actions[2].input_parameters
    assert (migrate["source_node"], migrate["resource_name"]) == ("a", "x")
    assert indicators(report)["released_compute_nodes_count"] == 1
    assert indicators(report)["instance_migrations_count"] == 2
    # What Nova's scheduler is expected to make of it.
    assert (report.before.hosts_in_use, report.after.hosts_in_use) == (2, 1)
    assert report.migrations == 2
    by_uuid = {a.uuid: a for a in report.actions}
    first, second = (a for a in report.actions if a.action_type == "migrate")
    # One instance leaves a host at a time, after all services are disabled.
    assert [by_uuid[p].resource_id for p in second.parents] == [first.resource_id]
    assert {by_uuid[p].input_parameters["state"] for p in first.parents} == {"disabled"}


def test_a_source_is_emptied_wholly_or_not_at_all() -> None:
    """Watcher accepts a source of which only a part fits."""
    content = small(
        [host("a", 16), host("b", 10)],
        [*(vm(f"x{n}", "a", 4) for n in range(2)), vm("y", "b", 8, locked=True)],
    )
    assert run(content, NAME, SPECIFY).actions == []


def test_room_is_taken_once() -> None:
    """Watcher lets several sources target the same room."""
    content = small(
        [host("a"), host("b"), host("c")],
        [vm("x", "a", 3), vm("y", "b", 3), vm("z", "c", 4)],
    )
    report = run(content, NAME, SPECIFY)
    assert report.migrations == 1


@pytest.mark.parametrize(
    "fields",
    [{"state": "down"}, {"status": "disabled"}, {"maintenance": True}],
    ids=str,
)
def test_hosts_out_of_service_take_and_give_nothing(fields: dict[str, Any]) -> None:
    """Watcher migrates to hosts that are down."""
    content = small([host("a"), host("b", **fields)], [vm("x", "a", 2), vm("y", "b", 4)])
    assert run(content, NAME, SPECIFY).actions == []


@pytest.mark.parametrize(
    "fields", [{"locked": True}, {"watcher_exclude": True}, {"state": "error"}], ids=str
)
def test_what_must_stay_keeps_its_host(fields: dict[str, Any]) -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 2, **fields), vm("y", "b", 7)])
    assert run(content, NAME, SPECIFY).actions == []


@pytest.mark.parametrize("choice", ["auto", "specify"])
def test_stopped_servers_are_migrated_cold(choice: str) -> None:
    """Watcher migrates them live, which Nova refuses."""
    content = small(
        [host("a"), host("b")], [vm("x", "a", 2, state="stopped"), vm("y", "b", 4, locked=True)]
    )
    report = run(content, NAME, {"host_choice": choice})
    assert [s[:2] for s in steps(report) if s[1] == "x"] == [("cold", "x")]


def test_hosts_with_a_failed_migration_are_no_sources() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 2), vm("y", "b", 4, locked=True)])
    assert run(content, NAME, SPECIFY).migrations == 1
    # An instance that is gone meanwhile is no reason to fail.
    assert run(content, NAME, SPECIFY, failed=["x", "gone"]).migrations == 0


def test_limits_are_kept() -> None:
    content = cluster("skewed", 0)
    assert 0 < run(content, NAME, {**SPECIFY, "migration_limit": 7}).migrations <= 7
    report = run(content, NAME, {**SPECIFY, "minimum_gain": 0.25})
    for one in report.hosts:
        if one.instances_before and not one.instances_after:
            assert one.instances_before <= 4


def test_migrations_whose_destination_nova_chooses_cost_what_they_copy() -> None:
    content = generate(20, 200, seed=3)
    report = run(content, NAME)
    moved = {a.resource_id for a in report.actions if a.action_type == "migrate"}
    assert report.migrations == len(moved) > 0
    copied = {
        c.uuid: sum(held.get("MEMORY_MB", 0) for held in c.allocations.values())
        for c in content.cluster.consumers
        if c.uuid in moved and c.state != "stopped"
    }
    assert report.cost.memory_mb == sum(copied.values())
