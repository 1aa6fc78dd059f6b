"""Audits over HTTP (control plane contract, 2.14 and 2.18)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tachyon.control.objects import Objects
from tests.control.api.conftest import Api, Bus
from tests.control.objects.examples import World

PATH = "/v1/audits"
ONCE = {"audit_type": "ONESHOT", "goal": "dummy", "strategy": "dummy"}
AGAIN = {**ONCE, "audit_type": "CONTINUOUS", "interval": "600"}


@pytest.fixture
def local_time() -> Iterator[None]:
    """A server whose local time is two hours before UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC+2"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def patch(path: str, value: Any, op: str = "replace") -> list[dict[str, Any]]:
    return [{"op": op, "path": path, "value": value}]


def test_an_audit_is_created_and_started(api: Api, here: World, bus: Bus) -> None:
    """A ONESHOT goes to a decision engine at once; others wait for their time."""
    answer = api("POST", PATH, {**ONCE, "interval": None, "parameters": None, "name": "mine"})
    made = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"{api.url}{PATH}/{made['uuid']}"
    bus.wait_for(("trigger_audit", made["uuid"]))
    for more in (AGAIN, {**ONCE, "audit_type": "EVENT"}):
        api.ok("POST", PATH, more)
    assert made == {
        **{"uuid": made["uuid"], "links": made["links"], "name": "mine", "state": "PENDING"},
        **{"goal_uuid": here.goal.uuid, "goal_name": "dummy"},
        **{"strategy_uuid": here.strategy.uuid, "strategy_name": "dummy"},
        **{"audit_type": "ONESHOT", "interval": None, "scope": [], "auto_trigger": False},
        **{"parameters": {"para1": 3.2, "para2": "hello"}, "next_run_time": None},
        **{"hostname": None, "start_time": None, "end_time": None, "force": False},
        **{"status_message": None, "updated_at": None, "deleted_at": None},
        **{"created_at": "2026-01-01T00:00:00+00:00"},
    }
    assert api.ok("GET", f"{PATH}/mine") == made
    assert bus.told == [("trigger_audit", made["uuid"])]


@pytest.mark.parametrize(
    ("version", "hidden"),
    [
        ("1.0", {"start_time", "end_time", "force", "status_message"}),
        ("1.1", {"force", "status_message"}),
        ("1.2", {"status_message"}),
        ("1.5", set()),
    ],
)
def test_newer_fields_are_hidden_from_older_versions(
    api: Api, here: World, version: str, hidden: set[str]
) -> None:
    """They are left out, not null."""
    full = api.ok("GET", f"{PATH}/{here.audit.uuid}").keys()
    assert full - api.ok("GET", f"{PATH}/{here.audit.uuid}", version=version).keys() == hidden


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({**ONCE, "audit_type": "oneshot"}, 400, "audit_type"),
        ({**ONCE, "audit_type": None}, 400, "Mandatory field missing"),
        ({"audit_type": "ONESHOT"}, 400, "Either audit_template_uuid or goal"),
        ({**ONCE, "audit_template_uuid": "INVALID"}, 400, "uuid"),
        (
            {**ONCE, "audit_template_uuid": "00000000-0000-4000-8000-000000000000"},
            400,
            "Either audit_template_uuid or goal",
        ),
        (
            {
                "audit_type": "ONESHOT",
                "audit_template_uuid": "00000000-0000-4000-8000-000000000000",
            },
            400,
            "is invalid",
        ),
        ({**ONCE, "goal": "nobody"}, 404, "Goal nobody could not be found"),
        ({**ONCE, "strategy": "nobody"}, 404, "Strategy nobody could not be found"),
        ({**ONCE, "strategy": "other"}, 400, "does not serve"),
        ({**ONCE, "interval": "10"}, 400, "must not be set for ONESHOT"),
        ({**ONCE, "start_time": "2026-01-01T00:00:00"}, 400, "must not be set for ONESHOT"),
        ({**AGAIN, "interval": None}, 400, "must be specified for CONTINUOUS"),
        ({**AGAIN, "interval": 10}, 400, "interval"),
        ({**AGAIN, "interval": ""}, 400, "interval"),
        ({**AGAIN, "interval": "0"}, 400, "interval"),
        ({**AGAIN, "interval": "-5"}, 400, "interval"),
        ({**AGAIN, "interval": "junk"}, 400, "interval"),
        ({**AGAIN, "interval": "* * * *"}, 400, "interval"),
        ({**AGAIN, "interval": "61 * * * *"}, 400, "interval"),
        ({**AGAIN, "interval": "0 0 30 2 *"}, 400, "interval"),
        ({**AGAIN, "interval": "* " * 200}, 400, "interval"),
        ({**AGAIN, "interval": "9" * 300}, 400, "interval"),
        ({**AGAIN, "start_time": "junk"}, 400, "start_time"),
        ({**AGAIN, "start_time": 5}, 400, "start_time"),
        ({**AGAIN, "end_time": "0001-01-01T00:00:00+14:00"}, 400, "end_time"),
        ({**AGAIN, "end_time": "9999-12-31T23:59:59-14:00"}, 400, "end_time"),
        (
            {**AGAIN, "start_time": "2027-01-02T00:00:00", "end_time": "2027-01-01T00:00:00"},
            400,
            "later than",
        ),
        ({**ONCE, "parameters": {"nothing": 1}}, 400, "are not allowed"),
        ({**ONCE, "parameters": {"para1": 99}}, 400, "Invalid parameters for strategy"),
        ({**ONCE, "parameters": []}, 400, "parameters"),
        ({**ONCE, "strategy": None, "parameters": {"para1": 5}}, 400, "no predefined strategy"),
        ({**ONCE, "auto_trigger": "maybe"}, 400, "auto_trigger"),
        ({**ONCE, "force": 2}, 400, "force"),
        ({**ONCE, "name": 5}, 400, "name"),
        ({**ONCE, "state": "PENDING"}, 400, 'Unknown attribute: "state"'),
        ({**ONCE, "scope": []}, 400, 'Unknown attribute: "scope"'),
        ({**ONCE, "hostname": "h"}, 400, 'Unknown attribute: "hostname"'),
    ],
)
def test_a_wrong_audit_is_refused(
    api: Api, here: World, bus: Bus, body: Any, status: int, reason: str
) -> None:
    """With the reason; nothing is created and nobody is told."""
    assert reason in api.fails(status, "POST", PATH, body)
    assert len(api.ok("GET", PATH)["audits"]) == 2
    assert bus.told == []


@pytest.mark.parametrize(
    "interval", ["1", "86400", " 60 ", "*/5 * * * *", "0 0 1 * *", "* * * * * */5", "0 0 29 2 *"]
)
def test_an_interval_comes_back_as_it_was_given(api: Api, here: World, interval: str) -> None:
    """Seconds or cron of five to seven fields."""
    assert api.ok("POST", PATH, {**AGAIN, "interval": interval})["interval"] == interval


def test_times_came_with_1_1(api: Api, here: World) -> None:
    """Before they are refused, in bodies and in patches."""
    body = {**AGAIN, "start_time": "2027-01-01T00:00:00"}
    api.fails(406, "POST", PATH, body, version="1.0")
    audit = api.ok("POST", PATH, body, version="1.1")
    change = patch("/end_time", "2027-02-01T00:00:00")
    api.fails(406, "PATCH", f"{PATH}/{audit['uuid']}", change, version="1.0")
    api.fails(406, "PATCH", f"{PATH}/{audit['uuid']}", patch("/force", True), version="1.1")


@pytest.mark.usefixtures("local_time")
@pytest.mark.parametrize(
    ("version", "given", "shown"),
    [
        ("1.1", "2027-01-01T12:00:00", "2027-01-01T14:00:00"),
        ("1.8", "2027-01-01T12:00:00", "2027-01-01T12:00:00"),
        ("1.1", "2027-01-01T12:00:00+05:00", "2027-01-01T07:00:00"),
        ("1.1", "2027-01-01 12:00:00", "2027-01-01T14:00:00"),
    ],
)
def test_times_are_shown_in_utc(
    api: Api, here: World, version: str, given: str, shown: str
) -> None:
    """Without a zone they are the server's local time, from 1.8 on UTC."""
    audit = api.ok("POST", PATH, {**AGAIN, "start_time": given}, version=version)
    assert audit["start_time"] == shown


def test_a_template_gives_what_the_audit_does_not(api: Api, here: World) -> None:
    """Goal, strategy, scope and parameters; the request's own come first."""
    scope = [{"compute": [{"availability_zones": [{"name": "az1"}]}]}]
    template = api.ok(
        "POST",
        "/v1/audit_templates",
        {
            "name": "t",
            "goal": "dummy",
            "strategy": "dummy",
            "scope": scope,
            "default_parameters": {"para1": 7.5, "para2": "low"},
        },
    )
    body = {"audit_type": "ONESHOT", "audit_template_uuid": template["uuid"]}
    audit = api.ok("POST", PATH, {**body, "parameters": {"para2": "high"}}, version="1.0")
    assert audit["parameters"] == {"para1": 7.5, "para2": "high"}
    assert (audit["goal_name"], audit["strategy_name"], audit["scope"]) == ("dummy", "dummy", scope)
    assert audit["name"].startswith("dummy-")


def test_names_are_made_up_cut_and_unique(api: Api, here: World) -> None:
    """Two audits without a name get two; a name of somebody else is refused."""
    first, second = (api.ok("POST", PATH, ONCE)["name"] for _ in range(2))
    assert first != second
    assert api.ok("POST", PATH, {**ONCE, "name": "x" * 100})["name"] == "x" * 63
    api.fails(409, "POST", PATH, {**ONCE, "name": "x" * 70})


@pytest.mark.parametrize("value", [True, "yes", 1, "on", "TRUE"])
def test_flags_are_taken_loosely_on_creation(api: Api, here: World, value: Any) -> None:
    """As older clients send them."""
    made = api.ok("POST", PATH, {**ONCE, "auto_trigger": value, "force": value})
    assert (made["auto_trigger"], made["force"]) == (True, True)


MOVES = {
    ("PENDING", "CANCELLED"),
    ("ONGOING", "CANCELLED"),
    ("ONGOING", "SUSPENDED"),
    ("SUSPENDED", "ONGOING"),
}
STATES = ["PENDING", "ONGOING", "SUSPENDED", "SUCCEEDED", "FAILED", "CANCELLED"]


@pytest.mark.integration
@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize("old", STATES)
def test_states_change_as_users_may(
    api: Api, objects: Objects, here: World, old: str, op: str
) -> None:
    """Every cell, by either operation; junk and null are no states."""
    path, table = f"{PATH}/{here.audit.uuid}", objects.audits.kind.table
    for new in [*STATES, "DELETED", "JUNK", "cancelled", None, 5]:
        with objects.database.engine.begin() as connection:
            connection.execute(table.update().where(table.c.id == here.audit.id).values(state=old))
        answer = api("PATCH", path, patch("/state", new, op))
        if (old, new) in MOVES:
            assert (answer.status, answer.body["state"]) == (200, new)
            continue
        assert answer.status == 400, (old, new, answer.body)
        if new in STATES:
            assert f"State transition not allowed: ({old} -> {new})" in str(answer.body)


@pytest.mark.parametrize("state", STATES)
def test_audits_are_deleted_when_they_are_over(
    api: Api, objects: Objects, here: World, state: str
) -> None:
    """Suspended ones, too; others are refused with words that clients look for."""
    table = objects.audits.kind.table
    with objects.database.engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == here.audit.id).values(state=state))
    path = f"{PATH}/{here.audit.uuid}"
    if state in ("PENDING", "ONGOING"):
        said = api.fails(400, "DELETE", path)
        assert f"Couldn't delete when state is '{state}'." in said
        return
    assert api("DELETE", path).status == 204
    api.fails(404, "GET", path)
    # Its plans stay, are found by its uuid, and no longer name it.
    (plan,) = api.ok("GET", f"/v1/action_plans?audit_uuid={here.audit.uuid}")["action_plans"]
    assert plan["audit_uuid"] is None
    assert len(api.ok("GET", f"/v1/actions?audit_uuid={here.audit.uuid}")["actions"]) == 3
    shown = api.ok("GET", f"/v1/action_plans/{plan['uuid']}", X_Show_Deleted="True")
    assert shown["audit_uuid"] == here.audit.uuid
    assert api("DELETE", f"/v1/action_plans/{plan['uuid']}").status == 204


def test_a_finished_audit_still_takes_interval_and_times(
    api: Api, objects: Objects, here: World
) -> None:
    """Clients change them on audits of every type and state."""
    objects.audits.transition(here.audit.id, "ONGOING")
    objects.audits.transition(here.audit.id, "SUCCEEDED")
    path = f"{PATH}/{here.audit.uuid}"
    assert api.ok("PATCH", path, patch("/interval", "2", "add"))["interval"] == "2"
    changed = api.ok("PATCH", path, patch("/end_time", "2027-01-01T00:00:00Z"))
    assert changed["end_time"] == "2027-01-01T00:00:00"


def test_another_interval_is_scheduled_anew(api: Api, objects: Objects, here: World) -> None:
    """The next round is worked out again by whoever schedules."""
    audit = objects.audits.get(api.ok("POST", PATH, AGAIN)["uuid"])
    due = objects.database.clock()
    objects.audits.update(audit.id, {"next_run_time": due})
    path = f"{PATH}/{audit.uuid}"
    shown = api.ok("PATCH", path, patch("/interval", "600"))
    assert shown["next_run_time"] == "2026-01-01T00:00:00"
    assert api.ok("PATCH", path, patch("/interval", "*/5 * * * *"))["next_run_time"] is None
    api.fails(400, "PATCH", path, [{"op": "remove", "path": "/interval"}])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (patch("/name", "new"), 200),
        (patch("/name", "x" * 64), 400),
        ([{"op": "remove", "path": "/name"}], 400),
        (patch("/name", "other-audit"), 409),
        (patch("/interval", 2), 400),
        (patch("/interval", "junk"), 400),
        (patch("/parameters", {"para1": 5}), 200),
        (patch("/parameters/para1", 6.5, "add"), 200),
        (patch("/parameters", {"nothing": 5}), 400),
        (patch("/parameters/para1", "x"), 400),
        (patch("/auto_trigger", True), 200),
        (patch("/auto_trigger", "yes"), 400),
        (patch("/force", True), 200),
        (patch("/force", 1), 400),
        (patch("/start_time", "junk"), 400),
        ([*patch("/name", "n"), *patch("/start_time", "2027-01-01T00:00:00")], 200),
        *((patch(f"/{name}", "x"), 400) for name in ("next_run_time", "hostname", "audit_type")),
        *((patch(f"/{name}", "x"), 400) for name in ("scope", "goal", "goal_id", "goal_uuid")),
        *((patch(f"/{name}", "x"), 400) for name in ("strategy", "strategy_id", "type", "uuid")),
        *((patch(f"/{name}", "x"), 400) for name in ("status_message", "links", "unheard_of")),
    ],
)
def test_patches_of_audits(api: Api, here: World, body: Any, status: int) -> None:
    """What users may change is held to its rules; the rest is read-only."""
    before = api.ok("GET", f"{PATH}/{here.audit.uuid}")
    answer = api("PATCH", f"{PATH}/{here.audit.uuid}", body)
    assert answer.status == status, answer.body
    after = api.ok("GET", f"{PATH}/{here.audit.uuid}")
    assert after == (answer.body if status == 200 else before)


@pytest.mark.parametrize("state", STATES)
def test_webhooks_trigger_audits_that_wait_for_events(
    api: Api, objects: Objects, here: World, bus: Bus, state: str
) -> None:
    """202 when the audit is idle; other states and types are refused."""
    audit = api.ok("POST", PATH, {**ONCE, "audit_type": "EVENT", "name": "event"})
    table = objects.audits.kind.table
    with objects.database.engine.begin() as connection:
        connection.execute(table.update().where(table.c.uuid == audit["uuid"]).values(state=state))
    path = "/v1/webhooks/event"
    if state not in ("PENDING", "SUCCEEDED"):
        assert f"Audit state {state} is disallowed." in api.fails(400, "POST", path, {})
        return
    answer = api("POST", path, {"alarm": "any"})
    assert (answer.status, answer.body) == (202, b"")
    bus.wait_for(("trigger_audit", audit["uuid"]))
    # No message has to arrive for the event to be found.
    assert objects.audits.get(audit["uuid"]).next_run_time == objects.database.clock()
    api.fails(400, "POST", path, b"")
    api.fails(404, "POST", "/v1/webhooks/nobody", {})
    said = api.fails(400, "POST", f"/v1/webhooks/{here.audit.uuid}", {})
    assert "Audit type ONESHOT is disallowed." in said


def test_a_dry_run_shows_what_would_be(api: Api, here: World, bus: Bus) -> None:
    """The engine's answer; a defect of the engine is 503, and its internals stay there."""
    path = f"{PATH}/{here.audit.uuid}/dry_run"
    said = api.fails(503, "POST", path)
    assert "defect" not in said
    bus.answers["dry_run"] = {"actions": [], "strategy": "dummy"}
    assert api.ok("POST", path) == {"audit": here.audit.uuid, "actions": [], "strategy": "dummy"}
    api.fails(406, "POST", path, version="1.7")


def test_filters_of_audits(api: Api, here: World) -> None:
    """Goal and strategy at every version, more from 1.8 on."""
    for query in ("goal=dummy", "strategy=dummy", "goal=dummy&strategy=dummy"):
        for form in ("", "/detail"):
            (found,) = api.ok("GET", f"{PATH}{form}?{query}", version="1.0")["audits"]
            assert found["uuid"] == here.audit.uuid
    assert api.ok("GET", f"{PATH}?goal=nobody")["audits"] == []
    assert len(api.ok("GET", f"{PATH}?name=dummy-audit&state=PENDING")["audits"]) == 1
    assert api.ok("GET", f"{PATH}?audit_type=EVENT")["audits"] == []
