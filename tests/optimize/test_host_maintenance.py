"""The strategy `host_maintenance`: one node is cleared, or there is no plan and a reason."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import NoDestination, ParametersInvalid, ProviderNotFound
from tachyon.optimize.strategies.host_maintenance import HostMaintenance
from tests.optimize.checker import Replay
from tests.optimize.clusters import actions, host, indicators, run, small, steps, view_of, vm

NAME = "host_maintenance"
NODE = {"maintenance_node": "a"}


def test_the_node_has_to_be_named() -> None:
    with pytest.raises(ParametersInvalid, match="maintenance_node"):
        HostMaintenance()
    given = HostMaintenance(NODE).parameters
    assert given["disable_live_migration"] is given["disable_cold_migration"] is False


@pytest.mark.parametrize("parameters", [{"maintenance_node": "zz"}, {**NODE, "backup_node": "zz"}])
def test_an_unknown_node_is_named(parameters: dict[str, Any]) -> None:
    with pytest.raises(ProviderNotFound, match="zz"):
        run(small([host("a"), host("b")], [vm("x", "a")]), NAME, parameters)


def test_a_node_out_of_scope_is_unknown() -> None:
    content = small([host("a"), host("b")], [vm("x", "a")])
    scope = view_of(content).provider_mask(uuids=["b"])
    with pytest.raises(ProviderNotFound):
        run(content, NAME, NODE, scope=scope)


def test_an_empty_node_is_only_disabled() -> None:
    report = run(small([host("a"), host("b")], []), NAME, NODE)
    assert steps(report) == [("disabled", "a")]
    assert report.actions[0].input_parameters["disabled_reason"] == "watcher_maintaining"
    assert indicators(report) == {
        "instances_count": 0,
        "instance_migrations_count": 0,
        "stopped_instances_count": 0,
    }


@pytest.mark.parametrize("reason", ["watcher_maintaining", "repair", None])
def test_a_node_that_is_disabled_already_is_only_cleared(reason: str | None) -> None:
    fields: dict[str, Any] = {"status": "disabled", "disabled_reason": reason}
    report = run(small([host("a", **fields), host("b")], [vm("x", "a")]), NAME, NODE)
    assert steps(report) == [("live", "x", "b")]


def test_a_node_that_tachyon_disabled_gets_the_reason_of_maintenance() -> None:
    node = host("a", status="disabled", disabled_reason="watcher_disabled")
    report = run(small([node, host("b")], []), NAME, NODE)
    assert steps(report) == [("disabled", "a")]
    assert report.actions[0].input_parameters["disabled_reason"] == "watcher_maintaining"


def test_the_service_is_disabled_first() -> None:
    report = run(small([host("a"), host("b")], [vm("x", "a"), vm("y", "a")]), NAME, NODE)
    assert steps(report) == [("disabled", "a"), ("live", "x", "b"), ("live", "y", "b")]
    assert [(g.name, g.value) for g in report.global_efficacy] == [
        ("handled_instances_ratio", 100.0)
    ]


TABLE = [
    # live disabled, cold disabled, what happens to: active, stopped, paused
    (False, False, "live", "cold", "live"),
    (False, True, "live", None, "live"),
    (True, False, "cold", "cold", None),
    (True, True, "stop", None, None),
]


@pytest.mark.parametrize(("no_live", "no_cold", "active", "stopped", "paused"), TABLE)
def test_the_table_of_disabled_migrations(
    no_live: bool, no_cold: bool, active: str, stopped: str | None, paused: str | None
) -> None:
    content = small(
        [host("a"), host("b")],
        [vm("up", "a"), vm("off", "a", state="stopped"), vm("held", "a", state="paused")],
    )
    given = {**NODE, "disable_live_migration": no_live, "disable_cold_migration": no_cold}
    report = run(content, NAME, given)
    found = {s[1]: s[0] for s in steps(report)}
    wanted = {"a": "disabled", "up": active, "off": stopped, "held": paused}
    assert found == {k: v for k, v in wanted.items() if v}
    stay = [name for name, what in (("off", stopped), ("held", paused)) if what is None]
    assert all(name in report.warnings[0] for name in stay) if stay else not report.warnings
    assert Replay(content).run(actions(report)).problems == []


def test_all_go_to_the_backup_node() -> None:
    content = small([host("a"), host("b", 64), host("spare")], [vm("x", "a", 2), vm("y", "a", 2)])
    report = run(content, NAME, {**NODE, "backup_node": "spare"})
    assert {s[2] for s in steps(report) if s[0] == "live"} == {"spare"}


def test_the_backup_node_is_enabled_if_tachyon_disabled_it() -> None:
    spare = host("spare", status="disabled", disabled_reason="watcher_disabled")
    report = run(
        small([host("a"), host("b"), spare], [vm("x", "a", 2)]),
        NAME,
        {**NODE, "backup_node": "spare"},
    )
    assert steps(report)[-1] == ("live", "x", "spare")
    assert set(steps(report)[:-1]) == {("enabled", "spare"), ("disabled", "a")}


def test_a_backup_node_that_somebody_else_disabled_is_not_enabled() -> None:
    spare = host("spare", status="disabled", disabled_reason="repair")
    report = run(
        small([host("a"), host("b"), spare], [vm("x", "a", 2)]),
        NAME,
        {**NODE, "backup_node": "spare"},
    )
    assert ("live", "x", "b") in steps(report)


def test_where_the_backup_node_is_too_small_for_all_they_are_spread() -> None:
    content = small([host("a"), host("b", 2), host("small", 2)], [vm("x", "a", 2), vm("y", "a", 2)])
    report = run(content, NAME, {**NODE, "backup_node": "small"})
    assert {s[2] for s in steps(report) if s[0] == "live"} == {"b", "small"}


def test_instances_are_spread_over_the_least_full_hosts() -> None:
    content = small(
        [host("a"), host("full"), host("b"), host("c")],
        [vm("x", "a", 2), vm("y", "a", 2), vm("z", "full", 4)],
    )
    moves = [s for s in steps(run(content, NAME, NODE)) if s[0] == "live"]
    assert sorted(s[2] for s in moves) == ["b", "c"]


def test_they_stand_close_together_where_only_so_all_find_room() -> None:
    content = small(
        [host("a", 16), host("c", 6), host("b", 4)],
        [vm("x", "a", 4), vm("y", "a", 3), vm("z", "a", 3)],
    )
    assert {s[1:] for s in steps(run(content, NAME, NODE)) if s[0] == "live"} == {
        ("x", "b"),
        ("y", "c"),
        ("z", "c"),
    }


def test_an_unused_host_of_tachyons_is_preferred_to_spreading() -> None:
    spare = host("spare", status="disabled", disabled_reason="watcher_disabled")
    report = run(
        small([host("a"), host("b"), spare], [vm("x", "a", 2), vm("y", "a", 2)]), NAME, NODE
    )
    assert {s[2] for s in steps(report) if s[0] == "live"} == {"spare"}
    assert ("enabled", "spare") in steps(report)


def test_an_unused_host_that_is_too_small_stays_disabled() -> None:
    spare = host("spare", 2, status="disabled", disabled_reason="watcher_disabled")
    report = run(
        small([host("a"), host("b"), spare], [vm("x", "a", 2), vm("y", "a", 2)]), NAME, NODE
    )
    assert {s[2] for s in steps(report) if s[0] == "live"} == {"b"}
    assert ("enabled", "spare") not in steps(report)


def test_where_an_instance_fits_nowhere_there_is_no_plan() -> None:
    """Watcher leaves it to the scheduler, which then finds no host."""
    content = small([host("a"), host("b", 4)], [vm("x", "a", 2), vm("big", "a", 6)])
    with pytest.raises(NoDestination, match="big") as caught:
        run(content, NAME, NODE)
    assert caught.value.details["instances"] == ["big"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"watcher_exclude": True}, "watcher_exclude"),
        ({"locked": True}, "locked"),
        ({"state": "error"}, "its state"),
        ({"state": "building"}, "its state"),
        ({"state": "suspended"}, "its state"),
    ],
    ids=str,
)
def test_what_cannot_or_must_not_move_stays_and_is_named(
    fields: dict[str, Any], reason: str
) -> None:
    """Watcher plans migrations of excluded instances and of those in error."""
    content = small([host("a"), host("b")], [vm("x", "a", **fields), vm("y", "a")])
    report = run(content, NAME, NODE)
    assert steps(report) == [("disabled", "a"), ("live", "y", "b")]
    assert "x (" in report.warnings[0]
    assert reason in report.warnings[0]
    assert report.global_efficacy[0].value == 50.0


def test_limits_are_kept_by_making_no_plan() -> None:
    content = small([host("a"), host("b")], [vm("x", "a"), vm("y", "a", locked=True)])
    assert run(content, NAME, {**NODE, "migration_limit": 1}).migrations == 1
    with pytest.raises(NoDestination, match="could leave"):
        run(content, NAME, {**NODE, "minimum_gain": 0.8})
    two = small([host("a"), host("b")], [vm("x", "a"), vm("y", "a")])
    with pytest.raises(NoDestination, match="1 allowed"):
        run(two, NAME, {**NODE, "migration_limit": 1})
