"""Strategies whose actions do not depend on the cloud: actuator and the dummies."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import ParametersInvalid
from tests.optimize.clusters import PLUGINS, host, indicators, run, small

EMPTY = small([host("a")], [])


def made(name: str, parameters: dict[str, Any] | None = None) -> list[tuple[str, dict[str, Any]]]:
    return [(a.action_type, a.input_parameters) for a in run(EMPTY, name, parameters).actions]


@pytest.mark.illegal_plan("the actuator is told to stop what is not there")
def test_the_actuator_proposes_what_it_is_told_twice_if_it_is_told_twice() -> None:
    """Watcher drops actions that are equal to earlier ones."""
    nop = {"action_type": "nop", "input_parameters": {"message": "hi"}}
    stop = {"action_type": "stop", "resource_id": "x", "input_parameters": {}}
    report = run(EMPTY, "actuator", {"actions": [nop, nop, stop]})
    assert [(a.action_type, a.resource_id) for a in report.actions] == [
        ("nop", None),
        ("nop", None),
        ("stop", "x"),
    ]
    assert report.actions[2].input_parameters == {"resource_id": "x"}
    assert indicators(report)["proposed_actions_count"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"actions": [{"action_type": "nop"}]},
        {"actions": [{"input_parameters": {}}]},
        {"actions": [{"action_type": "nop", "input_parameters": {}, "when": "now"}]},
    ],
    ids=str,
)
def test_wrong_actions_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        PLUGINS.strategy("actuator")(wrong)


def test_dummy_says_hello_and_sleeps() -> None:
    assert made("dummy") == [
        ("nop", {"message": "hello World"}),
        ("nop", {"message": "hello"}),
        ("sleep", {"duration": 3.2}),
    ]
    assert (
        made("dummy", {"para1": 1.0, "para2": "hello World"})[:2]
        == [("nop", {"message": "hello World"})] * 2
    )


@pytest.mark.parametrize("name", ["dummy", "dummy_with_resize"])
@pytest.mark.parametrize("wrong", [{"para1": 0.5}, {"para1": 11}, {"para2": 3}], ids=str)
def test_bounds_of_the_dummies_are_kept(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParametersInvalid):
        PLUGINS.strategy(name)(wrong)


def test_dummy_with_resize_names_its_instances() -> None:
    found = made("dummy_with_resize")
    assert [t for t, _ in found] == ["nop", "nop", "sleep", "migrate", "migrate", "resize"]
    resize = found[-1][1]
    assert resize == {"resource_id": "8db1b3c1-7938-4c34-8c03-6de14b874f8f", "flavor": "x2"}
    assert found[3][1] == {
        "resource_id": "b199db0c-1408-4d52-b5a5-5ca14de0ff36",
        "migration_type": "live",
        "source_node": "compute2",
        "destination_node": "compute3",
    }


def test_dummy_with_scorer_tells_what_the_engines_said() -> None:
    found = made("dummy_with_scorer", {"param2": "ahoy"})
    assert [t for t, _ in found] == ["nop", "nop", "nop", "sleep"]
    assert found[0][1]["message"].startswith("ahoy")
    assert "workload: " in found[1][1]["message"]
    assert found[3][1] == {"duration": 5.0}
    assert made("dummy_with_scorer") == made("dummy_with_scorer")
