"""The strategy `saving_energy`: as many unused nodes powered on as wanted, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import ParametersInvalid
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import ResourceProvider
from tachyon.optimize.strategies.saving_energy import SavingEnergy
from tests.optimize.clusters import host, indicators, run, small, steps, vm

NAME = "saving_energy"


def node(of: str, power: str | None = "power on", **fields: Any) -> ResourceProvider:
    fields.setdefault("extra", {"compute_node_id": of})
    return ResourceProvider(
        uuid=f"node-{of}", name=f"node-{of}", type="baremetal", power_state=power, **fields
    )


def cloud(used: int, idle: int, off: int) -> ClusterFile:
    names = [f"used{n}" for n in range(used)], [f"idle{n}" for n in range(idle)]
    dark = [f"off{n}" for n in range(off)]
    hosts = [*(host(n) for n in (*names[0], *names[1])), *(host(n, state="down") for n in dark)]
    nodes = [*(node(n) for n in (*names[0], *names[1])), *(node(n, "power off") for n in dark)]
    return small([*hosts, *nodes], [vm(f"vm-{n}", n) for n in names[0]])


def test_defaults_are_those_of_watcher() -> None:
    given = SavingEnergy().parameters
    assert (given["free_used_percent"], given["min_free_hosts_num"]) == (10.0, 1)
    assert SavingEnergy.models == ("compute", "baremetal")


@pytest.mark.parametrize("wrong", [{"free_used_percent": -1}, {"min_free_hosts_num": "one"}])
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        SavingEnergy(wrong)


@pytest.mark.parametrize(
    ("used", "idle", "off", "parameters", "wanted"),
    [
        (2, 3, 0, {}, ("off", 2)),
        (2, 1, 2, {}, None),
        (2, 0, 2, {}, ("on", 1)),
        (10, 5, 0, {"free_used_percent": 30.0}, ("off", 2)),
        (10, 1, 5, {"free_used_percent": 30.0}, ("on", 2)),
        (10, 0, 1, {"min_free_hosts_num": 4}, ("on", 1)),
        (0, 3, 0, {"min_free_hosts_num": 0}, ("off", 3)),
        (2, 3, 0, {"minimum_gain": 3}, None),
    ],
)
def test_the_standbys_are_as_many_as_wanted(
    used: int, idle: int, off: int, parameters: dict[str, Any], wanted: tuple[str, int] | None
) -> None:
    report = run(cloud(used, idle, off), NAME, parameters)
    states = {s[0] for s in steps(report)}
    assert (states, len(report.actions)) == (({wanted[0]}, wanted[1]) if wanted else (set(), 0))
    for _, uuid in steps(report):
        assert uuid.startswith("node-idle" if wanted and wanted[0] == "off" else "node-off")


def test_actions_name_the_bare_metal_node() -> None:
    (action,) = run(cloud(1, 2, 0), NAME).actions
    assert action.action_type == "change_node_power_state"
    assert action.input_parameters["state"] == "off"
    assert action.input_parameters["resource_id"] == action.resource_id
    assert str(action.resource_id).startswith("node-idle")


def test_indicators_count_the_nodes() -> None:
    report = run(cloud(2, 3, 0), NAME)
    assert indicators(report) == {
        "powered_on_nodes_count": 5,
        "switched_off_nodes_count": 2,
        "switched_on_nodes_count": 0,
    }
    assert [(g.name, g.unit, g.value) for g in report.global_efficacy] == [
        ("switched_off_nodes_ratio", "%", 40.0)
    ]


def test_the_choice_is_by_chance_and_the_same_for_the_same_seed() -> None:
    content = cloud(1, 10, 0)
    given = {"min_free_hosts_num": 5}
    assert steps(run(content, NAME, given, seed=3)) == steps(run(content, NAME, given, seed=3))
    seen = {tuple(steps(run(content, NAME, given, seed=s))) for s in range(5)}
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("of_host", "of_node"),
    [
        ({"status": "disabled", "disabled_reason": "repair"}, {}),
        ({"status": "disabled"}, {}),
        ({"maintenance": True}, {}),
        ({}, {"maintenance": True}),
        ({}, {"power_state": "rebooting"}),
        ({}, {"power_state": None}),
        ({}, {"extra": {}}),
        ({"state": "down"}, {}),
    ],
    ids=str,
)
def test_nodes_that_are_not_ours_to_switch_are_left_alone(
    of_host: dict[str, Any], of_node: dict[str, Any]
) -> None:
    fields = dict(of_node)
    power = fields.pop("power_state", "power on")
    content = small(
        [host("used"), host("x", **of_host), node("used"), node("x", power, **fields)],
        [vm("v", "used")],
    )
    assert run(content, NAME, {"min_free_hosts_num": 0, "free_used_percent": 0}).actions == []


def test_a_host_that_tachyon_disabled_may_be_switched_off() -> None:
    released = host("x", status="disabled", disabled_reason="watcher_disabled")
    content = small([host("used"), released, node("used"), node("x")], [vm("v", "used")])
    report = run(content, NAME, {"min_free_hosts_num": 0, "free_used_percent": 0})
    assert steps(report) == [("off", "node-x")]


@pytest.mark.parametrize("tie", ["compute_node_id", "hypervisor_hostname"])
def test_nodes_are_tied_by_id_or_by_name(tie: str) -> None:
    content = small(
        [host("used"), host("x"), node("used"), node("x", extra={tie: "x"})], [vm("v", "used")]
    )
    report = run(content, NAME, {"min_free_hosts_num": 0, "free_used_percent": 0})
    assert steps(report) == [("off", "node-x")]
