"""Audit templates over HTTP (control plane contract, 2.13)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control.api.conftest import Api
from tests.control.objects.examples import World

PATH = "/v1/audit_templates"
SCOPE = [{"compute": [{"availability_zones": [{"name": "az1"}]}]}]
STORAGE = [{"storage": [{"volume_types": [{"name": "gold"}]}]}]


@pytest.fixture
def template(api: Api, here: World) -> dict[str, Any]:
    body = {"name": "t", "goal": "dummy", "strategy": "dummy", "description": "ünicode ☃"}
    made: dict[str, Any] = api.ok("POST", PATH, body)
    return made


def patch(path: str, value: Any, op: str = "replace") -> list[dict[str, Any]]:
    return [{"op": op, "path": path, "value": value}]


def test_a_template_is_created(api: Api, here: World) -> None:
    """201, its own URL in Location, and all fields as GET shows them."""
    body = {
        "name": "a name with spaces",
        "goal": here.goal.uuid,
        "strategy": "dummy",
        "description": "dé",
        "scope": SCOPE,
        "default_parameters": {"para1": 5.5},
    }
    answer = api("POST", PATH, body)
    made = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"{api.url}{PATH}/{made['uuid']}"
    assert made == api.ok("GET", f"{PATH}/a%20name%20with%20spaces")
    assert made == {
        **{"uuid": made["uuid"], "links": made["links"]},
        **{"name": "a name with spaces", "description": "dé", "scope": SCOPE},
        **{"goal_uuid": here.goal.uuid, "goal_name": "dummy"},
        **{"strategy_uuid": here.strategy.uuid, "strategy_name": "dummy"},
        **{"default_parameters": {"para1": 5.5}},
        **{"created_at": "2026-01-01T00:00:00+00:00", "updated_at": None, "deleted_at": None},
    }


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"name": None}, 400, "Mandatory field missing"),
        ({"name": ""}, 400, "1 to 63"),
        ({"name": "x" * 64}, 400, "1 to 63"),
        ({"name": "a\nb"}, 400, "control characters"),
        ({"goal": None}, 400, "Mandatory field missing"),
        ({"goal": "nobody"}, 400, "nobody"),
        ({"strategy": "nobody"}, 400, "nobody"),
        ({"strategy": "other"}, 400, "Possible choices: dummy"),
        ({"description": "x" * 256}, 400, "0 to 255"),
        ({"scope": [{"compute": [{"nothing": 1}]}]}, 400, "scope"),
        ({"scope": "junk"}, 400, "scope"),
        ({"scope": {}}, 400, "scope"),
        ({"default_parameters": {"para1": "x"}}, 400, "Invalid default_parameters for strategy"),
        ({"default_parameters": {"nothing": 1}}, 400, "are not allowed"),
        ({"default_parameters": {"para1": 5}, "strategy": None}, 400, "default_parameters"),
        ({"unheard_of": 1}, 400, 'Unknown attribute: "unheard_of"'),
        ({"uuid": "x"}, 400, 'Unknown attribute: "uuid"'),
    ],
)
def test_a_wrong_template_is_refused(
    api: Api, here: World, change: dict[str, Any], status: int, reason: str
) -> None:
    """With the reason, and nothing is created."""
    body = {"name": "t", "goal": "dummy", "strategy": "dummy", **change}
    assert reason in api.fails(status, "POST", PATH, body)
    assert api.ok("GET", PATH)["audit_templates"] == []


def test_all_wrong_fields_are_told_at_once(api: Api, here: World) -> None:
    """One answer names every field."""
    said = api.fails(400, "POST", PATH, {"name": 1, "goal": [], "description": 7, "x": 1})
    assert all(name in said for name in ("name", "goal", "description", '"x"'))


@pytest.mark.parametrize(
    "scope", [SCOPE, STORAGE, SCOPE[0]["compute"], [{"compute": []}, *STORAGE]]
)
def test_scopes_of_every_kind_are_kept(api: Api, here: World, scope: Any) -> None:
    """Storage alone is one, too; the oldest form is wrapped."""
    made = api.ok("POST", PATH, {"name": "t", "goal": "dummy", "scope": scope})
    wrapped = scope if "compute" in scope[0] or "storage" in scope[0] else [{"compute": scope}]
    assert made["scope"] == wrapped


def test_a_name_is_taken_once(api: Api, template: dict[str, Any]) -> None:
    """409; after deletion the name is free."""
    body = {"name": "t", "goal": "dummy"}
    api.fails(409, "POST", PATH, body)
    assert api("DELETE", f"{PATH}/t").status == 204
    api.fails(404, "DELETE", f"{PATH}/t")
    api.ok("POST", PATH, body)


def test_default_parameters_came_with_1_7(api: Api, template: dict[str, Any]) -> None:
    """Refused before, hidden before."""
    body = {"name": "u", "goal": "dummy", "strategy": "dummy", "default_parameters": {"para1": 5}}
    api.fails(406, "POST", PATH, body, version="1.6")
    change = patch("/default_parameters", {"para1": 5})
    api.fails(406, "PATCH", f"{PATH}/t", change, version="1.6")
    assert "default_parameters" not in api.ok("GET", f"{PATH}/t", version="1.6")
    assert api.ok("PATCH", f"{PATH}/t", change)["default_parameters"] == {"para1": 5}


def test_goal_and_strategy_change_together(api: Api, template: dict[str, Any]) -> None:
    """One patch may switch both; each alone must fit the other."""
    path = f"{PATH}/{template['uuid']}"
    assert "does not serve" in api.fails(400, "PATCH", path, patch("/goal", "other"))
    assert "does not serve" in api.fails(400, "PATCH", path, patch("/strategy", "other"))
    changed = api.ok("PATCH", path, [*patch("/goal", "other"), *patch("/strategy", "other")])
    assert (changed["goal_name"], changed["strategy_name"]) == ("other", "other")
    changed = api.ok("PATCH", path, [{"op": "remove", "path": "/strategy"}])
    assert changed["strategy_uuid"] is None


def test_parameters_go_with_their_strategy(api: Api, template: dict[str, Any]) -> None:
    """Another goal or strategy needs other default parameters in the same patch."""
    path = f"{PATH}/t"
    api.ok("PATCH", path, patch("/default_parameters", {"para1": 5}, "add"))
    switch = [*patch("/goal", "other"), *patch("/strategy", "other")]
    api.fails(409, "PATCH", path, switch)
    changed = api.ok("PATCH", path, [*switch, *patch("/default_parameters", {"para2": "x"})])
    assert changed["default_parameters"] == {"para2": "x"}
    changed = api.ok("PATCH", path, patch("/default_parameters/para1", 7.5, "add"))
    assert changed["default_parameters"] == {"para1": 7.5, "para2": "x"}
    changed = api.ok("PATCH", path, [{"op": "remove", "path": "/default_parameters/para2"}])
    assert changed["default_parameters"] == {"para1": 7.5}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 200),
        (patch("/name", "new"), 200),
        (patch("/description", None), 200),
        (patch("/description", "d", "add"), 200),
        ([{"op": "remove", "path": "/description"}], 200),
        (patch("/scope", SCOPE), 200),
        (patch("/scope", '[{"compute": []}]'), 200),
        (patch("/scope", "junk"), 400),
        (patch("/scope", [{"x": []}]), 400),
        (patch("/name", None), 400),
        (patch("/name", "x" * 64), 400),
        ([{"op": "remove", "path": "/name"}], 400),
        ([{"op": "remove", "path": "/goal"}], 400),
        (patch("/goal", "nobody"), 400),
        (patch("/uuid", "x"), 400),
        (patch("/created_at", "x"), 400),
        (patch("/links", []), 400),
        (patch("/id", 1), 400),
        (patch("/unheard_of", 1), 400),
        (patch("/name/x", 1), 400),
        (patch("name", "x"), 400),
        (patch("/", "x"), 400),
        (patch("/na me", "x"), 400),
        ([{"op": "move", "from": "/name", "path": "/description"}], 400),
        ([{"op": "test", "path": "/name", "value": "t"}], 400),
        ([{"op": "replace", "path": "/name"}], 400),
        ([{"path": "/name", "value": "x"}], 400),
        ([{"op": "replace", "value": "x"}], 400),
        ([{"op": "replace", "path": 1, "value": "x"}], 400),
        ({"op": "replace", "path": "/name", "value": "x"}, 400),
        ([1], 400),
        ("x", 400),
        (patch("/name", "x") * 101, 400),
    ],
)
def test_patches_follow_the_grammar(
    api: Api, template: dict[str, Any], body: Any, status: int
) -> None:
    """What is right answers with the whole object, what is wrong changes nothing."""
    answer = api("PATCH", f"{PATH}/{template['uuid']}", body)
    assert answer.status == status, answer.body
    shown = api.ok("GET", f"{PATH}/{template['uuid']}")
    assert shown == (answer.body if status == 200 else template)


@pytest.mark.parametrize("ident", ["dummy", "DUMMY", "uuid"])
def test_lists_are_filtered_by_goal_and_strategy(
    api: Api, here: World, template: dict[str, Any], ident: str
) -> None:
    """By uuid or by name; what nobody is called finds nothing."""
    api.ok("POST", PATH, {"name": "o", "goal": "other"})
    goal = here.goal.uuid if ident == "uuid" else ident
    strategy = here.strategy.uuid if ident == "uuid" else ident
    for query in (f"goal={goal}", f"strategy={strategy}", f"goal={goal}&strategy={strategy}"):
        assert [t["name"] for t in api.ok("GET", f"{PATH}?{query}")["audit_templates"]] == ["t"]
    assert api.ok("GET", f"{PATH}/detail?goal=nobody")["audit_templates"] == []
    assert len(api.ok("GET", f"{PATH}?name=o")["audit_templates"]) == 1
