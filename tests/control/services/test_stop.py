"""SIGTERM ends a service cleanly: what it cannot finish is anybody's at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachyon.control.synchronisation import synchronise
from tests.control.services.fleet import Fleet
from tests.control.world import World
from tests.waiting import until

pytestmark = pytest.mark.integration

CONFIG = """
[DEFAULT]
transport_url = fake://
[database]
connection = {database}
[graph]
url = sqlite:///{folder}/graph.db
[watcher_decision_engine]
continuous_audit_interval = 0.2
shutdown_timeout = 1
health_port = 0
[watcher_applier]
interval = 0.2
shutdown_timeout = 1
health_port = 0
"""


@pytest.fixture
def fleet(world: World, tmp_path: Path) -> Iterator[Fleet]:
    config = tmp_path / "tachyon.conf"
    config.write_text(CONFIG.format(database=world.url, folder=tmp_path))
    synchronise(world.objects)
    fleet = Fleet(config)
    yield fleet
    fleet.close()


def stop(fleet: Fleet, kind: str) -> None:
    """Stop a service as an operator does; it ends well, and soon."""
    process = fleet.processes[kind, "one"]
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(30) == 0
    assert time.monotonic() - began < 20


def test_an_applier_hands_its_plan_back(world: World, fleet: Fleet) -> None:
    """And says good-bye, so that nobody waits for it."""
    plan = world.plan([("sleep", {"duration": 3600}, ()), ("nop", {"message": ""}, (0,))])
    fleet.start("applier", "one")
    until(lambda: world.states(plan)[0] == "ONGOING", 60)
    stop(fleet, "applier")
    found = world.objects.action_plans.get(plan.uuid)
    assert (found.state, found.hostname) == ("PENDING", None)
    (service,) = world.objects.services.find()
    assert service.last_seen_up is not None
    assert service.last_seen_up.year == 1970


def test_an_engine_ends_its_rounds(world: World, fleet: Fleet) -> None:
    """What is found is stored; a round is not run again by the next engine."""
    strategy = world.objects.strategies.get("dummy")
    fields = {"strategy_id": strategy.id, "goal_id": strategy.goal_id}
    audit = world.audit(audit_type="CONTINUOUS", interval="600", **fields)
    fleet.start("decision-engine", "one")
    until(lambda: len(world.plans(audit)) == 1, 60)
    stop(fleet, "decision-engine")
    fleet.start("decision-engine", "two")
    until(lambda: world.objects.services.count() == 2, 60)
    time.sleep(1)
    fleet.processes["decision-engine", "one"] = fleet.processes.pop(("decision-engine", "two"))
    stop(fleet, "decision-engine")
    assert len(world.plans(audit)) == 1
