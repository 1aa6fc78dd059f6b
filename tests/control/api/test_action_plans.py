"""Action plans and actions over HTTP (control plane contract, 2.15 and 2.16)."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.control.objects import Objects
from tachyon.graph.client import GraphClient
from tachyon.graph.deltas import Move
from tests.conformance.cluster import host, instance
from tests.control.api.conftest import Api, Bus
from tests.control.databases import Clock
from tests.control.objects.examples import World, add_plan

PATH = "/v1/action_plans"
STATES = ["RECOMMENDED", "PENDING", "ONGOING", "CANCELLING", "SUCCEEDED", "FAILED"]
STATES += ["CANCELLED", "SUPERSEDED"]
MOVES = {
    ("RECOMMENDED", "PENDING"),
    ("RECOMMENDED", "CANCELLED"),
    ("PENDING", "CANCELLED"),
    ("ONGOING", "CANCELLING"),
}


def patch(path: str, value: Any, op: str = "replace") -> list[dict[str, Any]]:
    return [{"op": op, "path": path, "value": value}]


def put(objects: Objects, plural: str, number: int, state: str) -> None:
    """Bring a record into a state, whatever it was in."""
    table = getattr(objects, plural).kind.table
    with objects.database.engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == number).values(state=state))


def test_a_plan_is_shown_with_what_it_is_worth(api: Api, here: World) -> None:
    """All fields; the short form has the same values."""
    shown = api.ok("GET", f"{PATH}/{here.plan.uuid}")
    assert shown == {
        **{"uuid": here.plan.uuid, "links": shown["links"], "state": "RECOMMENDED"},
        **{"audit_uuid": here.audit.uuid, "strategy_uuid": here.strategy.uuid},
        **{"strategy_name": "dummy", "global_efficacy": [], "hostname": None},
        "efficacy_indicators": [{"name": "n", "description": "d", "unit": "%", "value": 12.5}],
        **{"status_message": None, "rollback_of": None, "updated_at": None, "deleted_at": None},
        **{"created_at": "2026-01-01T00:00:00+00:00"},
    }
    short = api.ok("GET", f"{PATH}?audit_uuid={here.audit.uuid}")["action_plans"]
    assert short == [{key: shown[key] for key in short[0]}]
    assert shown.keys() - short[0].keys() == {
        *("hostname", "status_message", "rollback_of", "created_at", "deleted_at"),
    }
    assert "status_message" not in api.ok("GET", f"{PATH}/{here.plan.uuid}", version="1.4")
    assert "rollback_of" not in api.ok("GET", f"{PATH}/{here.plan.uuid}", version="1.7")


@pytest.mark.parametrize("query", ["audit_uuid=x", "audit_uuid=None", "unheard_of=1"])
def test_wrong_filters_are_refused(api: Api, query: str) -> None:
    """A uuid is a uuid."""
    api.fails(400, "GET", f"{PATH}?{query}")


def test_plans_have_no_name(api: Api, here: World) -> None:
    """Only a uuid finds one, by every method."""
    for method, path in (("GET", PATH), ("DELETE", PATH), ("GET", "/v1/actions")):
        api.fails(400, method, f"{path}/1")
        api.fails(404, method, f"{path}/00000000-0000-4000-8000-000000000000")


@pytest.mark.integration
@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize("old", STATES)
def test_states_change_as_users_may(
    api: Api, objects: Objects, here: World, old: str, op: str
) -> None:
    """Every cell of the matrix, by either operation."""
    for new in [*STATES, "DELETED", "JUNK", None]:
        put(objects, "action_plans", here.plan.id, old)
        answer = api("PATCH", f"{PATH}/{here.plan.uuid}", patch("/state", new, op))
        if (old, new) in MOVES:
            assert (answer.status, answer.body["state"]) == (200, new)
            continue
        assert answer.status == 400, (old, new, answer.body)
        reason = "State transition not allowed" if new in STATES else "Invalid state"
        assert reason in str(answer.body) or new == "DELETED"


@pytest.mark.parametrize(
    "body",
    [
        [],
        patch("/hostname", "h"),
        patch("/state/x", "PENDING"),
        [{"op": "remove", "path": "/state"}],
        patch("/uuid", "x"),
        [*patch("/state", "PENDING"), *patch("/audit_uuid", "x")],
        {},
    ],
)
def test_nothing_but_the_state_changes(api: Api, here: World, body: Any) -> None:
    """And a patch must say something."""
    api.fails(400, "PATCH", f"{PATH}/{here.plan.uuid}", body)
    assert api.ok("GET", f"{PATH}/{here.plan.uuid}")["state"] == "RECOMMENDED"


@pytest.mark.parametrize("way", ["start", "start with body", "patch"])
def test_a_plan_is_started(api: Api, here: World, bus: Bus, way: str) -> None:
    """It is PENDING, and an applier is told."""
    path = f"{PATH}/{here.plan.uuid}"
    if way == "patch":
        shown = api.ok("PATCH", path, patch("/state", "PENDING"))
    else:
        shown = api.ok("POST", f"{path}/start", {} if "body" in way else None)
    assert shown["state"] == "PENDING"
    bus.wait_for(("launch_action_plan", here.plan.uuid))
    said = api.fails(400, "POST", f"{path}/start")
    assert "Couldn't start when state is 'PENDING'." in said
    api.fails(404, "POST", f"{PATH}/00000000-0000-4000-8000-000000000000/start")
    api.fails(400, "POST", f"{path}/start", [1])


def test_cancelling_a_waiting_plan_cancels_its_actions(
    api: Api, objects: Objects, here: World, bus: Bus
) -> None:
    """Those that were skipped stay skipped."""
    first, *rest = objects.actions.find({"action_plan_id": here.plan.id})
    objects.actions.transition(first.id, "SKIPPED")
    for state in ("PENDING", "CANCELLED"):
        api.ok("PATCH", f"{PATH}/{here.plan.uuid}", patch("/state", state))
    # Nothing of this test is on its way when the next one begins.
    bus.wait_for(("launch_action_plan", here.plan.uuid))
    found = objects.actions.find({"action_plan_id": here.plan.id})
    assert [a.state for a in found] == ["SKIPPED", *["CANCELLED"] * len(rest)]


def test_cancelling_a_plan_at_work_tells_its_applier(
    api: Api, objects: Objects, here: World, bus: Bus
) -> None:
    """The plan is CANCELLING until the applier has stopped."""
    put(objects, "action_plans", here.plan.id, "ONGOING")
    api.ok("PATCH", f"{PATH}/{here.plan.uuid}", patch("/state", "CANCELLING"))
    bus.wait_for(("cancel_action_plan", here.plan.uuid))


@pytest.mark.parametrize("state", STATES)
def test_plans_that_nobody_works_on_are_deleted(
    api: Api, objects: Objects, here: World, state: str
) -> None:
    """With their actions; others are refused with words that clients look for."""
    put(objects, "action_plans", here.plan.id, state)
    path = f"{PATH}/{here.plan.uuid}"
    if state in ("PENDING", "ONGOING", "CANCELLING"):
        assert f"Couldn't delete when state is '{state}'." in api.fails(400, "DELETE", path)
        return
    assert api("DELETE", path).status == 204
    api.fails(404, "GET", path)
    query = f"action_plan_uuid={here.plan.uuid}"
    assert api.ok("GET", f"/v1/actions?{query}")["actions"] == []


def test_a_finished_plan_is_taken_back(
    api: Api, objects: Objects, here: World, bus: Bus, clock: Clock
) -> None:
    """By a plan of its own, which is shown; not while it runs, and not for ever."""
    path = f"{PATH}/{here.plan.uuid}/rollback"
    assert "Couldn't roll back when state is 'RECOMMENDED'." in api.fails(400, "POST", path)
    put(objects, "action_plans", here.plan.id, "SUCCEEDED")
    back = add_plan(objects, here.audit, here.strategy)
    objects.action_plans.update(back.id, {"rollback_of": here.plan.uuid})
    bus.answers["rollback"] = back.uuid
    shown = api.ok("POST", path)
    assert (shown["uuid"], shown["rollback_of"]) == (back.uuid, here.plan.uuid)
    assert bus.told == [("rollback_action_plan", here.plan.uuid)]
    clock.forward(hours=2)
    assert "ended more than 3600 s ago" in api.fails(400, "POST", path)
    api.fails(406, "POST", path, version="1.7")


def test_the_session_and_the_metrics_of_a_plan(
    api: Api, objects: Objects, here: World, graph: GraphClient
) -> None:
    """What it would do, delta by delta and in all, and the load before and after."""
    path = f"{PATH}/{here.plan.uuid}"
    assert "not made in a session" in api.fails(404, "GET", f"{path}/session")
    assert api.ok("GET", f"{path}/metrics") == {"before": None, "after": None}
    for name in ("h1", "h2"):
        graph.put_provider(host(name))
    graph.put_consumer(instance("vm", "h1"))
    session = graph.sessions.create(persistence="store")
    graph.sessions.record(session.id, Move(consumer_uuid="vm", to_provider="h2"))
    metrics = {"before": {"VCPU": {"mean": 1}}, "after": {"VCPU": {"mean": 2}}}
    objects.action_plans.update(here.plan.id, {"session_id": session.id, "metrics": metrics})
    shown = api.ok("GET", f"{path}/session")
    assert shown["session"]["id"] == session.id
    assert [d["type"] for d in shown["deltas"]] == ["MOVE"]
    assert "vm" in str(shown["effect"])
    assert api.ok("GET", f"{path}/metrics") == metrics
    graph.sessions.delete(session.id)
    api.fails(404, "GET", f"{path}/session")


# Actions


def first(objects: Objects, here: World) -> Any:
    return objects.actions.find({"action_plan_id": here.plan.id})[0]


def test_an_action_is_shown(api: Api, objects: Objects, here: World) -> None:
    """With the description of its type, and its parents."""
    objects.action_descriptions.create(action_type="nop", description="Logging a NOP message")
    chain = objects.actions.find({"action_plan_id": here.plan.id})
    shown = api.ok("GET", f"/v1/actions/{chain[1].uuid}")
    assert shown == {
        **{"uuid": chain[1].uuid, "links": shown["links"], "state": "PENDING"},
        **{"action_plan_uuid": here.plan.uuid, "parents": [chain[0].uuid]},
        **{"action_type": "nop", "description": "Logging a NOP message"},
        **{"input_parameters": {"message": "1"}, "status_message": None},
        **{"updated_at": None, "deleted_at": None, "created_at": "2026-01-01T00:00:00+00:00"},
    }
    listed = api.ok("GET", f"/v1/actions?action_plan_uuid={here.plan.uuid}")["actions"]
    assert [a["uuid"] for a in listed] == [a.uuid for a in chain]
    both = f"action_plan_uuid={here.plan.uuid}&audit_uuid={here.audit.uuid}"
    api.fails(400, "GET", f"/v1/actions?{both}")
    assert "status_message" not in api.ok("GET", f"/v1/actions/{chain[1].uuid}", version="1.4")


def test_an_action_is_skipped(api: Api, objects: Objects, here: World) -> None:
    """Once or again, with a reason or without; the words are those that clients look for."""
    path = f"/v1/actions/{first(objects, here).uuid}"
    skip = patch("/state", "SKIPPED")
    assert "1.5 or higher" in api.fails(400, "PATCH", path, skip, version="1.4")
    for body, message in (
        (skip, "Action skipped by user."),
        ([*skip, *patch("/status_message", "T")], "Action skipped by user. Reason: T"),
        (patch("/status_message", "U"), "Action skipped by user. Reason: U"),
        ([], "Action skipped by user. Reason: U"),
        (skip, "Action skipped by user."),
    ):
        shown = api.ok("PATCH", path, body)
        assert (shown["state"], shown["status_message"]) == ("SKIPPED", message)


@pytest.mark.integration
@pytest.mark.parametrize("plan", STATES)
@pytest.mark.parametrize("state", ["PENDING", "ONGOING", "SUCCEEDED", "FAILED", "CANCELLED"])
def test_only_what_nobody_has_begun_is_skipped(
    api: Api, objects: Objects, here: World, state: str, plan: str
) -> None:
    """The action is PENDING and its plan waits; else 409 and nothing changes."""
    action = first(objects, here)
    put(objects, "actions", action.id, state)
    put(objects, "action_plans", here.plan.id, plan)
    path = f"/v1/actions/{action.uuid}"
    if state == "PENDING" and plan in ("RECOMMENDED", "PENDING"):
        assert api.ok("PATCH", path, patch("/state", "SKIPPED"))["state"] == "SKIPPED"
        return
    api.fails(409, "PATCH", path, patch("/state", "SKIPPED"))
    api.fails(409, "PATCH", path, patch("/status_message", "why"))
    assert objects.actions.get(action.id).state == state


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 200),
        (patch("/state", "SUCCEEDED"), 409),
        (patch("/state", "skipped"), 400),
        (patch("/state", "JUNK"), 400),
        (patch("/state", None), 400),
        ([{"op": "remove", "path": "/state"}], 400),
        (patch("/input_parameters", {}), 400),
        (patch("/state/x", "SKIPPED"), 400),
        ([*patch("/state", "SKIPPED"), *patch("/status_message", "x" * 223)], 200),
        ([*patch("/state", "SKIPPED"), *patch("/status_message", "x" * 224)], 400),
        ([*patch("/state", "SKIPPED"), *patch("/status_message", None)], 400),
        ([*patch("/state", "SKIPPED"), *patch("/status_message", "a\0b")], 400),
        ({}, 400),
    ],
)
def test_patches_of_actions(
    api: Api, objects: Objects, here: World, body: Any, status: int
) -> None:
    """State and message are all that users change."""
    answer = api("PATCH", f"/v1/actions/{first(objects, here).uuid}", body)
    assert answer.status == status, answer.body
