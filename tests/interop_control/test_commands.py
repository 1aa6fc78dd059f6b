"""Every command of python-watcherclient against the running API (control plane contract, 8.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tachyon.control.objects import ActionPlan
from tests.control.objects.examples import add_plan
from tests.interop_control.client import Client
from tests.interop_control.conftest import Stack


@pytest.fixture
def plan(stack: Stack, client: Client) -> ActionPlan:
    """A recommended plan of three actions."""
    made = client.ok("audit", "create", "-g", "dummy", "-s", "dummy")
    audit = stack.objects.audits.get(made["UUID"])
    assert audit.strategy is not None
    return add_plan(stack.objects, audit, audit.strategy)


def names(rows: list[dict[str, Any]]) -> set[str]:
    return {row["Name"] for row in rows}


@pytest.mark.parametrize("program", ["openstack", "watcher"])
def test_both_programs_work(client: Client, program: str) -> None:
    """`watcher goal list` is `openstack optimize goal list`."""
    words = ["optimize"] if program == "openstack" else []
    done = client.run(program, *words, "goal", "list", "-f", "json")
    assert done.status == 0, done.err
    assert "dummy" in names(json.loads(done.out))


def test_goals(client: Client) -> None:
    """List with every option, show by name in any letter case and by uuid."""
    goals = client.ok("goal", "list")
    assert {"dummy", "server_consolidation", "unclassified"} <= names(goals)
    some = client.ok("goal", "list", "--limit", "2", "--sort-key", "name", "--sort-dir", "desc")
    assert [g["Name"] for g in some] == sorted(names(goals), reverse=True)[:2]
    rest = client.ok("goal", "list", "--marker", goals[0]["UUID"])
    assert [g["UUID"] for g in rest] == [g["UUID"] for g in goals[1:]]
    assert len(client.ok("goal", "list", "--limit", "0")) == len(goals)
    assert "Efficacy specification" in client.ok("goal", "list", "--detail")[0]
    assert client.ok("goal", "show", "DUMMY")["UUID"] == client.ok("goal", "show", "dummy")["UUID"]
    assert "404" in client.fails("goal", "show", "nobody")


def test_strategies(stack: Stack, client: Client) -> None:
    """List, also of one goal, show, and the state that a decision engine tells."""
    found = names(client.ok("strategy", "list", "--goal", "dummy"))
    assert found == {"dummy", "dummy_with_scorer", "dummy_with_resize"}
    shown = client.ok("strategy", "show", "basic")
    assert (shown["Name"], shown["Goal"]) == ("basic", "server_consolidation")
    stack.bus.answers["strategy"] = [
        {"type": "Datasource", "state": "gnocchi: available", "mandatory": True, "comment": ""},
        {"type": "Metrics", "state": [{"cpu": "available"}], "mandatory": False, "comment": ""},
        {
            "type": "CDM",
            "state": [{"compute_model": "available"}],
            "mandatory": True,
            "comment": "",
        },
        {"type": "Name", "state": "basic", "mandatory": "", "comment": ""},
    ]
    assert len(client.ok("strategy", "state", "basic")) == 4


def test_scoring_engines_and_services(stack: Stack, client: Client) -> None:
    """List and show both; services by number and by name."""
    assert "dummy_scorer" in names(client.ok("scoringengine", "list", "--detail"))
    assert client.ok("scoringengine", "show", "dummy_scorer")["Name"] == "dummy_scorer"
    service = stack.objects.services.create(
        name="watcher-applier", host="h", last_seen_up=stack.objects.database.clock()
    )
    (listed,) = client.ok("service", "list")
    assert (listed["Name"], listed["Host"], listed["Status"]) == ("watcher-applier", "h", "ACTIVE")
    assert client.ok("service", "list", "--detail")[0]["Last seen up"]
    for ident in (str(service.id), "watcher-applier"):
        assert client.ok("service", "show", ident)["Host"] == "h"


def test_audit_templates(client: Client, tmp_path: Path) -> None:
    """Create with scope and description, list, show, update in every way, delete."""
    scope = tmp_path / "scope.json"
    scope.write_text(json.dumps([{"compute": [{"availability_zones": [{"name": "az1"}]}]}]))
    made = client.ok(
        *("audittemplate", "create", "at ☃", "dummy", "-s", "dummy", "-d", "d é"),
        *("--scope", str(scope)),
    )
    ident = made["UUID"]
    assert made["Description"] == "d é"
    assert "az1" in str(made["Audit Scope"])
    listed = client.ok("audittemplate", "list", "--goal", "dummy", "--strategy", "dummy")
    assert "at ☃" in names(listed)
    assert client.ok("audittemplate", "list", "--goal", "nobody") == []
    for words in (
        ("replace", "description=other"),
        ("remove", "description"),
        ("add", "description=again"),
        ("replace", "goal=server_consolidation", "strategy=basic"),
        ("replace", 'scope=[{"compute": [{"host_aggregates": [{"id": "*"}]}]}]'),
        ("remove", "strategy"),
    ):
        assert client.optimize("audittemplate", "update", ident, *words).status == 0, words
    shown = client.ok("audittemplate", "show", "at ☃")
    assert (shown["Goal"], shown["Description"]) == ("server_consolidation", "again")
    assert "host_aggregates" in str(shown["Audit Scope"])
    assert "409" in client.fails("audittemplate", "create", "at ☃", "dummy")
    assert client.optimize("audittemplate", "delete", ident).status == 0
    assert "404" in client.fails("audittemplate", "show", ident)


def test_default_parameters_of_templates(client: Client) -> None:
    """From 1.7 on a template brings parameters, below those of the audit."""
    made = client.ok(
        *("audittemplate", "create", "with parameters", "dummy", "-s", "dummy"),
        *("-p", "para1=5.0"),
        version="1.7",
    )
    assert json.loads(str(made["Default Parameters"]).replace("'", '"')) == {"para1": 5.0}
    audit = client.ok("audit", "create", "-a", "with parameters", "-p", "para2=hi", version="1.7")
    parameters = json.loads(str(audit["Parameters"]).replace("'", '"'))
    assert {**parameters, "para1": 5.0, "para2": "hi"} == parameters
    client.ok("audittemplate", "delete", made["UUID"])


def test_audits(stack: Stack, client: Client) -> None:
    """Create of every type, list, show, update, cancel, delete."""
    once = client.ok(
        *("audit", "create", "-g", "dummy", "-s", "dummy", "--name", "once", "-p", "para1=4.5")
    )
    assert (once["State"], once["Audit Type"]) == ("PENDING", "ONESHOT")
    again = client.ok(
        *("audit", "create", "-t", "CONTINUOUS", "-g", "dummy", "-s", "dummy", "-i", "600"),
        *("--auto-trigger", "--start-time", "2027-01-01 00:00:00"),
        *("--end-time", "2027-01-02T00:00:00", "--force"),
        version="1.2",
    )
    assert (again["Interval"], again["Auto Trigger"], again["Force"]) == ("600", True, True)
    event = client.ok("audit", "create", "-t", "EVENT", "-g", "dummy", version="1.4")
    assert event["Audit Type"] == "EVENT"
    listed = client.ok("audit", "list", "--goal", "dummy", "--sort-key", "name")
    assert {once["UUID"], event["UUID"]} <= {row["UUID"] for row in listed}
    assert client.ok("audit", "show", "once")["UUID"] == once["UUID"]
    client.ok("audit", "update", again["UUID"], "replace", "interval=*/5 * * * *")
    assert client.ok("audit", "show", again["UUID"])["Interval"] == "*/5 * * * *"
    assert "400" in client.fails("audit", "delete", once["UUID"])
    for audit in (once, again, event):
        client.ok("audit", "update", audit["UUID"], "replace", "state=CANCELLED")
    # A finished ONESHOT takes them, too: the client's own suite asks for that.
    client.ok("audit", "update", once["UUID"], "add", "interval=2")
    client.ok(
        *("audit", "update", once["UUID"], "replace", "end_time=2027-01-02T00:00:00"),
        version="1.1",
    )
    assert client.ok("audit", "show", once["UUID"])["Interval"] == "2"
    client.ok("audit", "delete", once["UUID"], again["UUID"], event["UUID"])
    assert "404" in client.fails("audit", "show", once["UUID"])


def test_wrong_audits_are_refused(client: Client) -> None:
    """The client shows the status and the reason."""
    said = client.fails("audit", "create", "-g", "dummy", "-t", "CONTINUOUS")
    assert "Interval of audit must be specified for CONTINUOUS" in said
    assert "400" in client.fails("audit", "create", "-t", "CONTINUOUS", "-g", "dummy", "-i", "junk")
    assert "404" in client.fails("audit", "create", "-g", "nobody")
    said = client.fails("audit", "create", "-g", "dummy", "-s", "dummy", "-p", "nothing=1")
    assert "are not allowed" in said


def test_action_plans(stack: Stack, client: Client, plan: ActionPlan) -> None:
    """List, show, start, cancel, delete."""
    audit = plan.audit.uuid
    (listed,) = client.ok("actionplan", "list", "--audit", audit)
    assert (listed["UUID"], listed["State"]) == (plan.uuid, "RECOMMENDED")
    (full,) = client.ok("actionplan", "list", "--audit", audit, "--detail")
    assert full["Strategy"] == "dummy"
    assert client.ok("actionplan", "show", plan.uuid)["Audit"] == audit
    assert client.ok("actionplan", "start", plan.uuid)["State"] == "PENDING"
    stack.bus.wait_until("launch_action_plan", plan.uuid)
    assert "400" in client.fails("actionplan", "start", plan.uuid)
    client.ok("actionplan", "cancel", plan.uuid)
    assert client.ok("actionplan", "show", plan.uuid)["State"] == "CANCELLED"
    client.ok("actionplan", "delete", plan.uuid)
    assert "404" in client.fails("actionplan", "show", plan.uuid)


def test_action_plans_by_update(stack: Stack, client: Client, plan: ActionPlan) -> None:
    """`actionplan update … replace state=PENDING` starts a plan; ONGOING ones are CANCELLING."""
    client.ok("actionplan", "update", plan.uuid, "replace", "state=PENDING")
    stack.objects.action_plans.transition(plan.uuid, "ONGOING")
    client.ok("actionplan", "cancel", plan.uuid)
    assert client.ok("actionplan", "show", plan.uuid)["State"] == "CANCELLING"


def test_plans_of_a_deleted_audit_are_still_there(
    stack: Stack, client: Client, plan: ActionPlan
) -> None:
    """They are listed by the audit's uuid, and can be deleted."""
    audit = plan.audit.uuid
    client.ok("audit", "update", audit, "replace", "state=CANCELLED")
    client.ok("audit", "delete", audit)
    (listed,) = client.ok("actionplan", "list", "--audit", audit)
    assert len(client.ok("action", "list", "--audit", audit)) == 3
    client.ok("actionplan", "delete", listed["UUID"])


def test_actions(client: Client, plan: ActionPlan) -> None:
    """List by plan and audit, show, skip with and without a reason."""
    listed = client.ok("action", "list", "--action-plan", plan.uuid)
    assert [row["Action"] for row in listed] == ["nop"] * 3
    assert len(client.ok("action", "list", "--audit", plan.audit.uuid, "--detail")) == 3
    ident = listed[0]["UUID"]
    skip = ("action", "update", "--state", "SKIPPED", ident)
    client.ok(*skip, version="1.5")
    client.ok(*skip, "--reason", "Functional test skip", version="1.5")
    shown = client.ok("action", "show", ident, version="1.5")
    assert shown["State"] == "SKIPPED"
    reason = "Action skipped by user. Reason: Functional test skip"
    assert reason in str(shown)
    client.ok("action", "update", ident, "--reason", "another", version="1.5")
    assert "1.5" in client.fails(*skip, version="1.0")
    nobody = "00000000-0000-4000-8000-000000000000"
    assert "404" in client.fails("action", "update", "--state", "SKIPPED", nobody, version="1.5")


def test_the_data_model(client: Client) -> None:
    """The instances with their hosts, short and detailed, all or of an audit."""
    (row,) = client.ok("datamodel", "list")
    assert (row["Server UUID"], row["Node UUID"]) == ("vm-1", "host-1")
    audit = client.ok("audit", "create", "-g", "dummy")
    assert len(client.ok("datamodel", "list", "--audit", audit["UUID"], "--type", "compute")) == 1
    assert client.ok("datamodel", "list", "--detail")[0]["Server Vcpus"]
    assert "404" in client.fails("datamodel", "list", "--type", "storage")


def test_who_has_no_role_is_refused(stranger: Client) -> None:
    """The policy's refusal reaches the client."""
    said = stranger.fails("goal", "list")
    assert "403" in said
    assert "Policy doesn't allow goal:get_all to be performed." in said
