"""Engines, appliers and the API on RabbitMQ and MariaDB, killed at random moments.

What is done is read from the database's own record of every change: no plan, action or round
runs twice, none is lost, and all have ended soon after the last one killed is back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tachyon.control.objects import Database, Objects
from tachyon.control.synchronisation import synchronise
from tests.control.services.fleet import (
    FINAL,
    Fleet,
    Ledger,
    User,
    check_action,
    check_plan,
    check_rounds,
)
from tests.control.world import fill
from tests.servers.process import free_port
from tests.waiting import until

#: Seconds between two rounds of the continuous audit.
INTERVAL = 3
#: Seconds within which everything has ended once the last one killed is back.
SETTLED = 30.0
MEMBERS = [(kind, host) for kind in ("decision-engine", "applier") for host in ("one", "two")]
CONFIG = """
[DEFAULT]
transport_url = {rabbit}
enable_authentication = false
periodic_interval = 1
service_down_time = 5
[api]
port = {port}
[database]
connection = {database}
[graph]
url = sqlite:///{folder}/graph.db
[watcher_decision_engine]
continuous_audit_interval = 0.5
shutdown_timeout = 1
health_port = 0
[watcher_applier]
workers = 4
interval = 0.3
shutdown_timeout = 1
health_port = 0
"""


@pytest.fixture
def database(mariadb_url: str, fresh_database: Callable[[str], str]) -> str:
    url = fresh_database(mariadb_url)
    fill(url)
    return url


def unsettled(objects: Objects) -> list[str]:
    """Say what has not ended, for whoever reads the failure."""
    records = [*objects.audits.find(), *objects.action_plans.find(), *objects.actions.find()]
    found = [r for r in records if r.state not in FINAL]
    said = [f"{type(r).__name__} {r.uuid}: {r.state}, {getattr(r, 'hostname', '')}" for r in found]
    services = [f"{s.name} {s.host} {s.last_seen_up}" for s in objects.services.find()]
    return [*said, *services, str(objects.database.clock())]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "kills",
    [pytest.param(4, marks=pytest.mark.integration), pytest.param(50, marks=pytest.mark.interop)],
)
def test_nothing_runs_twice_and_nothing_is_lost(
    tmp_path: Path, database: str, rabbitmq_url: str, kills: int
) -> None:
    rng = random.Random(5)
    config = tmp_path / "tachyon.conf"
    port = free_port()
    config.write_text(
        CONFIG.format(
            rabbit=rabbitmq_url,
            port=port,
            # oslo.config reads a percent sign as it is; only $ has a meaning.
            database=database.replace("$", "$$"),
            folder=tmp_path,
        )
    )
    objects = Objects(Database(database))
    # As installed, so that no synchronisation replaces a strategy meanwhile.
    synchronise(objects)
    strategy = objects.strategies.get("dummy")
    ledger = Ledger(objects.database)
    fleet = Fleet(config)
    for member in (*MEMBERS, ("api", "one")):
        fleet.start(*member)
    try:
        until(lambda: objects.services.count() >= len(MEMBERS), 240)
        rounds = objects.audits.create(
            name="rounds",
            goal_id=strategy.goal_id,
            strategy_id=strategy.id,
            audit_type="CONTINUOUS",
            interval=str(INTERVAL),
            auto_trigger=True,
            parameters={"para1": 1.0},
        )
        user = User(f"http://127.0.0.1:{port}", seed=7)
        user.start()
        for _ in range(kills):
            time.sleep(rng.uniform(0.2, 4.0))
            victim = rng.choice(list(fleet.processes))
            fleet.kill(victim)
            fleet.start(*victim)
        killed = objects.database.clock()
        until(
            lambda: all((s.last_seen_up or killed) > killed for s in objects.services.find()), 120
        )
        user.stop()
        objects.audits.transition(rounds.uuid, "CANCELLED", by_user=True)
        ended = time.monotonic()

        def settled() -> bool:
            for plan in objects.action_plans.find({"state": "RECOMMENDED"}):
                user.ask("POST", f"/v1/action_plans/{plan.uuid}/start", {})
            return (
                all(a.state in FINAL for a in objects.audits.find())
                and all(p.state in FINAL for p in objects.action_plans.find())
                and objects.audits.count() == len(user.audits) + 1
            )

        while not settled() and time.monotonic() - ended < SETTLED:
            time.sleep(0.1)
        if not settled():
            fleet.dump()
            raise AssertionError("\n".join(unsettled(objects)))
        _check(objects, ledger, user, kills)
        made = objects.action_plans.count({"audit_id": rounds.id})
        check_rounds(ledger.steps("audits")[rounds.uuid], made, INTERVAL)
    finally:
        fleet.close()
        objects.close()


def _check(objects: Objects, ledger: Ledger, user: User, kills: int) -> None:
    for name in user.audits:
        audit = objects.audits.get(name)
        assert audit.state == "SUCCEEDED"
        assert len(objects.action_plans.find({"audit_id": audit.id})) == 1, name
    plans, actions = ledger.steps("action_plans"), ledger.steps("actions")
    for plan in objects.action_plans.find():
        assert plan.state in ("SUCCEEDED", "CANCELLED"), plan
        check_plan(plans[plan.uuid], kills)
        of_plan = objects.actions.find({"action_plan_id": plan.id})
        assert len(of_plan) == 3
        for action in of_plan:
            assert action.state in FINAL
            assert plan.state == "CANCELLED" or action.state == "SUCCEEDED"
            check_action(actions[action.uuid], kills)
