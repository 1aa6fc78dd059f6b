"""Whatever comes, the answer is a 4xx at worst: every field, parameter and name, value by value."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tachyon.control.api.handlers import audit, audit_template
from tachyon.control.api.routes import ROUTES, Route
from tests.control.api.conftest import Api, fault
from tests.control.api.test_framing import filled
from tests.control.objects.examples import World

HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, 1.5, 1e308),
    *("", " ", "x" * 5000, "a\0b", "a\nb", "\U0010ffff", "__class__", "%s", "' OR 1=1 --"),
    *([], [None], [[]], ["x"], [{}], {}, {"": {}}, {"x" * 300: None}, {"$ref": "#"}),
    {"a": {"b": {"c": [2**70, 1e300]}}},
    [{"compute": [{"host_aggregates": [{"id": 2**70}]}]}],
    [{"compute": [{"exclude": [{"instances": [{"uuid": "a\0b"}]}]}]}],
]
RIGHT = {
    "/v1/audits": {"audit_type": "CONTINUOUS", "goal": "dummy", "strategy": "dummy"},
    "/v1/audit_templates": {"name": "t", "goal": "dummy", "strategy": "dummy"},
}
TEXTS = [
    "x" * 5000,
    "",
    "-1",
    "1e99",
    "9" * 30,
    "a\nb",
    "\0",
    "\U0010ffff",
    "null",
    "'",
    "%s",
    "../",
]


def decent(answer: Any) -> None:
    """Check that an answer is no failure of the service, and an error in its form."""
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert fault(answer)


@pytest.mark.parametrize("path", sorted(RIGHT))
def test_every_field_of_a_body(api: Api, here: World, path: str) -> None:
    """Alone wrong, beside right ones."""
    fields = audit.NEW if path == "/v1/audits" else audit_template.FIELDS
    for name in [*fields, "unheard_of", "", "x" * 5000]:
        for value in HOSTILE:
            decent(api("POST", path, {**RIGHT[path], name: value}))


@pytest.mark.integration
@pytest.mark.parametrize("noun", ["audit", "audit_template", "action_plan", "action"])
def test_every_field_of_a_patch(api: Api, here: World, noun: str) -> None:
    """Set to whatever, by every operation, also below it."""
    template = api.ok("POST", "/v1/audit_templates", RIGHT["/v1/audit_templates"])
    action = api.ok("GET", "/v1/actions")["actions"][0]
    path = {
        "audit": f"/v1/audits/{here.audit.uuid}",
        "audit_template": f"/v1/audit_templates/{template['uuid']}",
        "action_plan": f"/v1/action_plans/{here.plan.uuid}",
        "action": f"/v1/actions/{action['uuid']}",
    }[noun]
    shown = api.ok("GET", path)
    for name in {*shown, "goal", "strategy", "unheard_of"}:
        for value in HOSTILE:
            body = [{"op": "add", "path": f"/{name}", "value": value}]
            decent(api("PATCH", path, body))
        for below in ("0", "-", "x", "99999999999"):
            for op in ("add", "remove"):
                decent(api("PATCH", path, [{"op": op, "path": f"/{name}/{below}", "value": 1}]))
    for key in ("op", "path", "value"):
        for value in HOSTILE:
            decent(api("PATCH", path, [{"op": "add", "path": "/name", "value": "x", key: value}]))


@pytest.mark.integration
@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.operation)
def test_every_parameter_and_name(api: Api, here: World, route: Route) -> None:
    """In queries and in paths."""
    path = filled(route, here)
    for value in TEXTS:
        for name in route.query:
            decent(api(route.method, f"{path}?{name}={quote(value)}"))
        if "{" in route.path:
            hostile = "/".join(
                quote(value, safe="") if part.startswith("{") else part
                for part in route.path.split("/")
            )
            decent(api(route.method, hostile, {} if route.body != "none" else None))


@pytest.mark.parametrize("header", ["X-Show-Deleted", "Accept", "Content-Type", "X-Roles", "Host"])
def test_every_header(api: Api, here: World, header: str) -> None:
    """Headers that mean something, with what means nothing."""
    for value in ("x" * 3000, "", "\xff", "{}", "*", ";;;", "a/b/c"):
        decent(api("GET", "/v1/goals", **{header.replace("-", "_"): value}))
