"""Consolidation releases hosts wholly, and touches nothing that it may not."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import Cancelled, InvalidInput, ParametersInvalid
from tachyon.graph.entities import Flavor, Inventory, ResourceProvider, ServerGroup
from tachyon.graph.importers import import_path
from tachyon.optimize.strategies.consolidation import Consolidation
from tachyon.optimize.strategies.context import Context
from tests.optimize.clusters import (
    SHAPES,
    actions,
    audit,
    cluster,
    host,
    planetlab,
    small,
    view_of,
    vm,
)

GOAL = "server_consolidation"


def indicators(report: Any) -> dict[str, float]:
    return {i.name: i.value for i in report.indicators}


@pytest.mark.parametrize("shape", SHAPES)
def test_it_never_raises_the_number_of_hosts_in_use_nor_beats_the_bound(shape: str) -> None:
    for seed in range(3):
        report = audit(cluster(shape, seed), GOAL)
        assert report.after.hosts_in_use <= report.before.hosts_in_use
        assert report.after.hosts_in_use >= float(report.facts["hosts_lower_bound"])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_host_is_emptied_wholly_or_not_left_by_anything(shape: str) -> None:
    report = audit(cluster(shape, 0), GOAL)
    left = {a["movement"]["source"] for a in actions(report) if a["action_type"] == "migrate"}
    emptied = {h.uuid for h in report.hosts if h.instances_before and not h.instances_after}
    assert left == emptied


def test_it_comes_close_to_the_lower_bound() -> None:
    report = audit(cluster("skewed", 1), GOAL)
    bound = float(report.facts["hosts_lower_bound"])
    assert report.after.hosts_in_use <= 1.15 * bound + 1


def test_released_hosts_are_disabled_before_the_first_instance_leaves_them() -> None:
    found = actions(audit(cluster("plain", 2), GOAL))
    disabled: set[str] = set()
    for action in found:
        given = action["input_parameters"]
        if action["action_type"] == "change_nova_service_state":
            assert (given["state"], given["disabled_reason"]) == ("disabled", "watcher_disabled")
            disabled.add(action["resource_id"])
        else:
            assert action["movement"]["source"] in disabled


def test_nothing_is_disabled_on_request() -> None:
    found = actions(audit(cluster("plain", 2), GOAL, {"disable_released": False}))
    assert {a["action_type"] for a in found} == {"migrate"}


@pytest.mark.parametrize(
    "fields",
    [
        {"locked": True},
        {"watcher_exclude": True},
        {"state": "suspended"},
        {"state": "error"},
        {"pinned_az": "west"},
        {"flavor_id": "trait"},
        {"server_group": "apart"},
        {"vcpus": 7},
    ],
    ids=str,
)
def test_an_instance_that_must_stay_keeps_its_host_in_use(fields: dict[str, Any]) -> None:
    content = small(
        [
            host("a", traits=("CUSTOM_T",), availability_zone="west"),
            host("b", availability_zone="east"),
        ],
        [
            vm("stays", "a", **fields),
            vm("other", "b", 2, server_group="apart", locked=True),
        ],
        flavors=[Flavor(id="trait", extra_specs={"trait:CUSTOM_T": "required"})],
        server_groups=[ServerGroup(uuid="apart", policy="anti-affinity")],
    )
    assert audit(content, GOAL).actions == []


def test_without_such_a_reason_the_same_host_is_released() -> None:
    content = small([host("a"), host("b")], [vm("goes", "a"), vm("other", "b", 2)])
    report = audit(content, GOAL)
    assert [a["action_type"] for a in actions(report)] == ["change_nova_service_state", "migrate"]
    assert indicators(report) == {
        "compute_nodes_count": 2,
        "released_compute_nodes_count": 1,
        "instance_migrations_count": 1,
    }
    assert [(g.name, g.unit, g.value) for g in report.global_efficacy] == [
        ("released_nodes_ratio", "%", 50.0)
    ]


def test_members_of_an_affinity_group_stay_together_where_they_are() -> None:
    content = small(
        [host("a"), host("b")],
        [vm("x", "a", server_group="g"), vm("y", "a", server_group="g"), vm("z", "b", 3)],
        server_groups=[ServerGroup(uuid="g", policy="affinity")],
    )
    moved = {
        a["resource_id"] for a in actions(audit(content, GOAL)) if a["action_type"] == "migrate"
    }
    assert moved == {"z"}


def test_empty_and_disabled_hosts_take_nothing() -> None:
    content = small(
        [host("a", 4), host("b", 4), host("empty", 32), host("off", 32, status="disabled")],
        [vm("x", "a", 3), vm("y", "b", 3), vm("z", "off", 3)],
    )
    assert audit(content, GOAL).actions == []


def test_instances_leave_a_disabled_host_that_is_up() -> None:
    content = small(
        [host("a", 8), host("off", 8, status="disabled", disabled_reason="repair")],
        [vm("x", "a", 3), vm("z", "off", 3)],
    )
    found = actions(audit(content, GOAL))
    # The operator's own reason stays.
    assert [(a["action_type"], a["resource_id"]) for a in found] == [("migrate", "z")]


def test_nothing_leaves_a_host_that_is_down() -> None:
    content = small([host("a", state="down"), host("b")], [vm("x", "a"), vm("y", "b", 8)])
    assert audit(content, GOAL).actions == []


def test_unit_rules_of_destinations_are_kept() -> None:
    strict = ResourceProvider(
        uuid="b", name="b", inventories={"VCPU": Inventory(total=8, step_size=2)}
    )
    content = small([host("a"), strict], [vm("odd", "a", 3), vm("y", "b", 4)])
    moved = {
        a["resource_id"] for a in actions(audit(content, GOAL)) if a["action_type"] == "migrate"
    }
    assert moved == {"y"}


def test_stopped_instances_migrate_cold_unless_that_is_switched_off() -> None:
    content = small(
        [host("a"), host("b")], [vm("x", "a", state="stopped"), vm("y", "b", 7, locked=True)]
    )
    kinds = [a["input_parameters"].get("migration_type") for a in actions(audit(content, GOAL))]
    assert kinds == [None, "cold"]
    assert audit(content, GOAL, {"cold_migration": False}).actions == []


@pytest.mark.parametrize("limit", [1, 7, 40])
def test_the_migration_limit_is_kept(limit: int) -> None:
    report = audit(cluster("skewed", 0), GOAL, {"migration_limit": limit})
    assert report.migrations <= limit
    assert indicators(report)["instance_migrations_count"] == report.migrations


def test_hosts_whose_release_gains_too_little_are_left_alone() -> None:
    report = audit(cluster("skewed", 0), GOAL, {"minimum_gain": 0.25})
    assert report.migrations
    for one in report.hosts:
        if one.instances_before and not one.instances_after:
            assert one.instances_before <= 4


def test_measured_load_stays_below_the_threshold_on_destinations() -> None:
    report = audit(cluster("measured", 1), GOAL, {"threshold": 0.5})
    assert report.migrations
    for one in report.hosts:
        if one.instances_after > one.instances_before:
            assert one.after["cpu_usage"] <= 0.5


def test_a_scope_is_not_left() -> None:
    content = cluster("plain", 3)
    view = view_of(content)
    scope = view.provider_mask(uuids=view.providers.uuid[:10])
    report = audit(content, GOAL, context=Context(scope=scope))
    inside = set(view.providers.uuid[:10])
    assert report.migrations
    assert report.before.hosts == 10
    for action in actions(report):
        if action["action_type"] == "migrate":
            assert {action["movement"]["source"], action["movement"]["destination"]} <= inside


def test_the_same_input_gives_the_same_plan() -> None:
    assert actions(audit(cluster("zones", 1), GOAL)) == actions(audit(cluster("zones", 1), GOAL))


def test_all_wrong_parameters_are_named_at_once() -> None:
    with pytest.raises(ParametersInvalid) as caught:
        Consolidation({"threshold": 2, "migration_limit": "many", "unknown": 1})
    assert {e["path"] for e in caught.value.details["errors"]} == {
        "$",
        "migration_limit",
        "threshold",
    }


def test_a_limit_on_an_unknown_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no resource class or metric WATTS"):
        audit(cluster("plain", 0), GOAL, {"limits": {"WATTS": 0.5}})


def test_cancelling_ends_the_run() -> None:
    with pytest.raises(Cancelled):
        audit(cluster("plain", 0), GOAL, context=Context(cancelled=lambda: True))


def test_progress_is_reported_to_the_end() -> None:
    steps: list[tuple[int, int, str]] = []
    audit(cluster("plain", 0), GOAL, context=Context(progress=lambda *a: steps.append(a)))
    done, total, text = steps[-1]
    assert done == total > 0
    assert text.endswith("hosts released")


def test_real_traces_release_hosts() -> None:
    report = audit(import_path(planetlab("20110303")), GOAL)
    assert indicators(report)["released_compute_nodes_count"] >= 50
