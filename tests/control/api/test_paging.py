"""Pages of lists as clients follow them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tachyon.control.objects import Objects
from tests.control.api.conftest import Api
from tests.control.objects.examples import World, add_plan, world

LISTS = ["goals", "services", "audits", "action_plans"]


def follow(api: Api, path: str) -> list[list[Any]]:
    """Return all pages, by the links between them."""
    plural = path.partition("?")[0].split("/")[2]
    pages = []
    while path:
        body = api.ok("GET", path)
        pages.append(body[plural])
        path = body.get("next", "").removeprefix(api.url)
    return pages


@pytest.mark.parametrize("detail", ["", "/detail"])
def test_the_next_page_keeps_the_filters(api: Api, objects: Objects, detail: str) -> None:
    """Following `next` gives each object of the filtered list once, in order."""
    one, two = world(objects, "one", actions=0), world(objects, "two", actions=0)
    for number in range(9):
        here = (one, two)[number % 2]
        add_plan(objects, here.audit, here.strategy, actions=0)
    path = f"/v1/action_plans{detail}?audit_uuid={two.audit.uuid}&limit=2&sort_dir=desc"
    pages = follow(api, path)
    assert [len(page) for page in pages] == [2, 2, 1]
    found = [plan["uuid"] for page in pages for plan in page]
    wanted = objects.action_plans.find({"audit_id": two.audit.id}, sort_dir="desc")
    assert found == [plan.uuid for plan in wanted]


def test_next_is_there_when_the_page_is_full(api: Api, here: World) -> None:
    """An absolute URL with all that the client asked for."""
    body = api.ok("GET", "/v1/actions?limit=3&sort_key=action_plan_uuid")
    query = parse_qs(urlsplit(body["next"]).query)
    assert body["next"].startswith(f"{api.url}/v1/actions?")
    assert query == {
        "sort_key": ["action_plan_uuid"],
        "sort_dir": ["asc"],
        "limit": ["3"],
        "marker": [body["actions"][-1]["uuid"]],
    }
    assert "next" not in api.ok("GET", "/v1/actions?limit=7")


def test_a_page_is_bounded_by_the_service(api: Api, objects: Objects) -> None:
    """Whatever the client asks for, a page holds `max_limit` objects; so it does by default."""
    here = world(objects, actions=60)
    for path in ("/v1/actions", "/v1/actions?limit=1000", f"/v1/actions?limit={10**25}"):
        body = api.ok("GET", path)
        assert len(body["actions"]) == 50
    assert sum(map(len, follow(api, "/v1/actions"))) == 60
    order = [a["uuid"] for page in follow(api, "/v1/actions?limit=7") for a in page]
    assert order == [a.uuid for a in objects.actions.find({"action_plan_id": here.plan.id})]


@pytest.mark.integration
@pytest.mark.parametrize("plural", LISTS)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 400),
        ("limit=-1", 400),
        ("limit=x", 400),
        ("limit=1.5", 400),
        ("limit=", 400),
        ("limit=1&limit=2", 400),
        ("marker=x", 400),
        ("sort_key=nothing", 400),
        ("sort_key=goal", 400),
        ("sort_key=", 400),
        ("sort_key=__class__", 400),
        ("sort_key=uuid%00", 400),
        ("sort_dir=up", 400),
        ("sort_dir=", 400),
        ("unheard_of=1", 400),
        ("%ff=1", 400),
    ],
)
def test_wrong_parameters_are_refused(api: Api, plural: str, query: str, status: int) -> None:
    """Of every list, detailed or not."""
    assert api.fails(status, "GET", f"/v1/{plural}?{query}")
    assert api.fails(status, "GET", f"/v1/{plural}/detail?{query}")


@pytest.mark.parametrize("plural", LISTS)
def test_an_unknown_marker_is_not_found(api: Api, plural: str) -> None:
    """A well-formed marker of nothing is 404."""
    marker = "4711" if plural == "services" else "00000000-0000-4000-8000-000000000000"
    api.fails(404, "GET", f"/v1/{plural}?marker={marker}")


@pytest.mark.parametrize(
    ("plural", "key"),
    [
        ("strategies", "goal_name"),
        ("audits", "goal_name"),
        ("audits", "strategy_uuid"),
        ("audits", "next_run_time"),
        ("action_plans", "audit_uuid"),
        ("action_plans", "strategy_name"),
        ("action_plans", "global_efficacy"),
        ("actions", "action_plan_uuid"),
        ("goals", "efficacy_specification"),
    ],
)
def test_lists_are_sorted_as_a_whole(
    api: Api, objects: Objects, here: World, plural: str, key: str
) -> None:
    """By columns of related records, too, across pages and both ways."""
    world(objects, "between")
    up = [r for page in follow(api, f"/v1/{plural}?sort_key={key}&limit=1") for r in page]
    down = follow(api, f"/v1/{plural}?sort_key={key}&sort_dir=desc&limit=2")
    assert [r["uuid"] for r in up] == [r["uuid"] for page in down for r in page][::-1]
    if up[0].get(key) is not None and isinstance(up[0][key], str):
        assert [r[key] for r in up] == sorted(r[key] for r in up)


def test_deleted_objects_are_shown_to_those_who_ask(
    api: Api, objects: Objects, here: World
) -> None:
    """X-Show-Deleted brings them into lists, details and pages."""
    objects.action_plans.soft_delete(here.plan.uuid)
    path = f"/v1/action_plans/{here.plan.uuid}"
    api.fails(404, "GET", path)
    assert len(api.ok("GET", "/v1/action_plans")["action_plans"]) == 1
    shown = api.ok("GET", path, X_Show_Deleted="True")
    assert shown["state"] == "DELETED"
    assert shown["deleted_at"] == "2026-01-01T00:00:00+00:00"
    assert len(api.ok("GET", "/v1/action_plans", X_Show_Deleted="True")["action_plans"]) == 2
