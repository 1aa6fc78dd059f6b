"""Audits end in plans that change a real cloud, and plans that are taken back undo it.

Every test leaves the cloud as it found it, by the rollback that it tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop_cloud.facts import Facts, until
from tests.interop_cloud.operator import Operator, kinds

MAINTAINED = ("disabled", "watcher_maintaining")


def test_dummy(operator: Operator) -> None:
    """The way from an audit to actions that are done, without touching the cloud."""
    plan = operator.audit("dummy", "dummy", para1=1.0, para2="hello")
    actions = operator.carry_out(plan)
    assert [one["Action"] for one in actions] == ["nop", "nop", "sleep"]


@pytest.fixture
def stopped(facts: Facts) -> Iterator[str]:
    """A server of the fullest host that is stopped for the time of the test."""
    uuid = min(facts.on(facts.fullest()))
    sdk = facts.cloud.sdk.compute
    sdk.stop_server(uuid)
    until("the server to stop", lambda: facts.states()[uuid] == "SHUTOFF")
    yield uuid
    sdk.start_server(uuid)
    until("the server to start", lambda: facts.states()[uuid] == "ACTIVE")


def test_host_maintenance_moves_live_and_cold(
    operator: Operator, facts: Facts, stopped: str
) -> None:
    """Running servers go live and stopped ones cold; the rollback brings all back."""
    host, backup = facts.fullest(), facts.emptiest()
    before, states, there = facts.placement(), facts.states(), facts.on(host)
    plan = operator.audit(
        "cluster_maintaining", "host_maintenance", maintenance_node=host, backup_node=backup
    )
    actions = operator.carry_out(plan)
    assert kinds(actions) == {"change_nova_service_state", "live migrate", "cold migrate"}
    assert facts.services()[host] == MAINTAINED
    assert facts.on(host) == set()
    assert there <= facts.on(backup)
    assert facts.states() == states
    facts.check()

    operator.take_back(plan)
    assert facts.placement() == before
    assert facts.states() == states
    assert facts.services()[host] == ("enabled", None)
    facts.check()


def test_host_maintenance_moves_cold_where_live_is_not_wanted(
    operator: Operator, facts: Facts
) -> None:
    """Nova stops and starts running servers on their way; they run again afterwards."""
    host = facts.fullest()
    before, states = facts.placement(), facts.states()
    plan = operator.audit(
        "cluster_maintaining",
        "host_maintenance",
        maintenance_node=host,
        disable_live_migration=True,
    )
    actions = operator.carry_out(plan)
    assert kinds(actions) == {"change_nova_service_state", "cold migrate"}
    assert (facts.on(host), facts.states()) == (set(), states)
    facts.check()

    operator.take_back(plan)
    assert (facts.placement(), facts.states()) == (before, states)
    facts.check()


def test_host_maintenance_stops_what_must_not_move(operator: Operator, facts: Facts) -> None:
    """The servers stay and stop; the rollback starts them again."""
    host = facts.fullest()
    before, states, there = facts.placement(), facts.states(), facts.on(host)
    plan = operator.audit(
        "cluster_maintaining",
        "host_maintenance",
        maintenance_node=host,
        disable_live_migration=True,
        disable_cold_migration=True,
    )
    actions = operator.carry_out(plan)
    assert kinds(actions) == {"change_nova_service_state", "stop"}
    assert facts.placement() == before
    assert facts.states() == states | dict.fromkeys(there, "SHUTOFF")
    facts.check()

    operator.take_back(plan)
    assert (facts.placement(), facts.states()) == (before, states)
    facts.check()


def test_a_plan_is_cancelled_midway_and_what_it_did_taken_back(
    operator: Operator, facts: Facts
) -> None:
    """What runs is aborted, the rest does not begin, and nothing is left half done."""
    host = facts.fullest()
    before, states = facts.placement(), facts.states()
    plan = operator.audit("cluster_maintaining", "host_maintenance", maintenance_node=host)
    operator.client.ok("actionplan", "start", plan)
    until(
        "a migration to begin",
        lambda: any(
            (one["Action"], one["State"]) == ("migrate", "ONGOING")
            for one in operator.actions(plan)
        ),
    )
    operator.client.ok("actionplan", "cancel", plan)
    assert operator.over("actionplan", plan)["State"] == "CANCELLED"
    found = [(one["Action"], one["State"]) for one in operator.actions(plan)]
    assert {state for _, state in found} <= {"SUCCEEDED", "CANCELLED"}
    assert ("migrate", "CANCELLED") in found
    assert facts.on(host) != set()
    facts.check()

    operator.take_back(plan)
    assert (facts.placement(), facts.states()) == (before, states)
    assert facts.services()[host] == ("enabled", None)
    facts.check()


def test_an_event_starts_an_audit_whose_plan_starts_by_itself(operator: Operator) -> None:
    """The audit has succeeded then, and runs again upon the next event, until it is deleted."""
    audit = operator.client.ok(
        *("audit", "create", "-t", "EVENT", "-g", "dummy", "-s", "dummy"),
        *("-p", "para1=1.0", "--auto-trigger"),
    )["UUID"]

    def plans() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = operator.client.ok("actionplan", "list", "--audit", audit)
        return found

    for number in (1, 2):
        operator.call("POST", f"/v1/webhooks/{audit}", {})
        until("the plan of the event", lambda number=number: len(plans()) == number)
        for plan in plans():
            operator.succeeded(plan["UUID"])
        assert operator.client.ok("audit", "show", audit)["State"] == "SUCCEEDED"
    operator.client.ok("audit", "delete", audit)
    assert "404" in operator.client.fails("audit", "show", audit)


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        ("consolidation", {}),
        ("node_resource_consolidation", {"host_choice": "specify"}),
        ("node_resource_consolidation", {"host_choice": "auto"}),
    ],
)
def test_consolidation_empties_hosts(
    operator: Operator, facts: Facts, strategy: str, parameters: dict[str, Any]
) -> None:
    """Fewer hosts are in use afterwards, and none that was empty is."""
    before, states, services = facts.placement(), facts.states(), facts.services()
    plan = operator.audit("server_consolidation", strategy, **parameters)
    actions = operator.carry_out(plan)
    assert "live migrate" in kinds(actions)
    after = facts.placement()
    released = set(before.values()) - set(after.values())
    assert released
    assert set(after.values()) < set(before.values())
    assert facts.states() == states
    facts.check()

    operator.take_back(plan)
    assert (facts.placement(), facts.services()) == (before, services)
    facts.check()


@pytest.mark.parametrize("volume", ["data-1", "data-4"], ids=["detached", "attached"])
def test_zone_migration_clears_a_pool(operator: Operator, facts: Facts, volume: str) -> None:
    """Its volumes go to the backend's other pool, attached ones by way of Nova, and come back."""
    before, states = facts.pools(), facts.volume_states()
    source = before[volume]
    (target,) = facts.pools_beside(source)
    plan = operator.audit(
        "hardware_maintenance",
        "zone_migration",
        storage_pools=[{"src_pool": source, "dst_pool": target}],
    )
    actions = operator.carry_out(plan)
    assert {one["Action"] for one in actions} == {"volume_migrate"}
    cleared = {name: target if pool == source else pool for name, pool in before.items()}
    assert (facts.pools(), facts.volume_states()) == (cleared, states)

    operator.take_back(plan)
    assert (facts.pools(), facts.volume_states()) == (before, states)
