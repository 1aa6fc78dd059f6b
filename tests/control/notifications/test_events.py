"""Every event as a consumer on the bus receives it, held against a sample file each.

`TACHYON_WRITE_SAMPLES=1` writes the samples anew; what changes in them changes for consumers.
"""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from msgspec.structs import replace
from oslo_config import cfg

from tachyon.control.notifications import Notifier
from tachyon.control.notifications.payloads import VERSIONS
from tachyon.control.objects import Service
from tachyon.control.rpc import open_transport
from tests.control.world import World

SAMPLES = Path(__file__).parent / "samples"
GOAL, STRATEGY, AUDIT, PLAN, ACTION = (
    f"{n}0000000-0000-4000-8000-000000000000" for n in range(1, 6)
)


class Consumer:
    """What somebody who listens to the bus has received."""

    def __init__(self) -> None:
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()

    def _note(self, priority: str, publisher: str, event: str, payload: Any, meta: Any) -> None:
        assert set(meta) == {"message_id", "timestamp"}
        self.received.put(
            {
                "event_type": event,
                "priority": priority,
                "publisher_id": publisher,
                "payload": payload,
            }
        )

    def info(self, _c: Any, publisher: str, event: str, payload: Any, meta: Any) -> None:
        self._note("INFO", publisher, event, payload, meta)

    def warn(self, _c: Any, publisher: str, event: str, payload: Any, meta: Any) -> None:
        self._note("WARNING", publisher, event, payload, meta)

    def error(self, _c: Any, publisher: str, event: str, payload: Any, meta: Any) -> None:
        self._note("ERROR", publisher, event, payload, meta)

    def next(self) -> dict[str, Any]:
        return self.received.get(timeout=30)


class Bus:
    """A transport in this process, with a consumer and a notifier on it."""

    def __init__(self) -> None:
        conf = cfg.ConfigOpts()
        conf([])
        open_transport(conf, "fake://").cleanup()
        self.transport = oslo_messaging.get_notification_transport(conf, "fake://")
        self.consumer = Consumer()
        self.listener = oslo_messaging.get_notification_listener(
            self.transport,
            [oslo_messaging.Target(topic="notifications")],
            [self.consumer],
            executor="threading",
        )
        # One thread: messages of one queue are received in their order.
        self.listener.start(override_pool_size=1)

    def notifier(self, level: str = "info") -> Notifier:
        return Notifier(
            self.transport, "controller", level=level, driver="messaging", topics=["notifications"]
        )

    def close(self) -> None:
        self.listener.stop()
        self.listener.wait()
        self.transport.cleanup()


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    bus = Bus()
    yield bus
    bus.close()


def failure() -> ValueError:
    try:
        raise ValueError("the reason")
    except ValueError as error:
        return error


def cause_all(world: World, notifier: Notifier) -> int:
    """Let everything happen that is told of; return how many notifications that makes."""
    objects = world.objects
    sent = [0]
    goal = objects.goals.create(uuid=GOAL, name="g", display_name="Goal")
    strategy = objects.strategies.create(
        uuid=STRATEGY,
        name="s",
        display_name="Strategy",
        goal_id=goal.id,
        parameters_spec={"type": "object"},
    )
    objects.observe(notifier.changed)
    objects.observe(lambda change: sent.__setitem__(0, sent[0] + 1))
    audit = objects.audits.create(
        uuid=AUDIT,
        name="nightly",
        audit_type="CONTINUOUS",
        interval="600",
        goal_id=goal.id,
        strategy_id=strategy.id,
        parameters={"threshold": 0.5},
        scope=[{"compute": [{"availability_zones": [{"name": "az1"}]}]}],
        auto_trigger=False,
        force=True,
        start_time=world.clock(),
        end_time=world.clock() + timedelta(days=1),
    )
    world.clock.advance(60)
    audit = objects.audits.transition(audit.uuid, "ONGOING", hostname="controller")
    for part in ("strategy", "planner"):
        notifier.audit(audit, part, "start")  # type: ignore[arg-type]
        notifier.audit(audit, part, "end")  # type: ignore[arg-type]
        notifier.audit(audit, part, "error", failure())  # type: ignore[arg-type]
    plan = objects.action_plans.create(
        uuid=PLAN,
        audit_id=audit.id,
        strategy_id=strategy.id,
        global_efficacy=[{"name": "x", "description": "", "unit": "%", "value": 12.5}],
    )
    (action,) = objects.actions.create_many(
        [
            {
                "uuid": ACTION,
                "action_plan_id": plan.id,
                "action_type": "nop",
                "input_parameters": {"message": "hello"},
                "parents": [],
            }
        ]
    )
    plan = objects.action_plans.transition(plan.uuid, "PENDING")
    action = objects.actions.transition(action.uuid, "SKIPPED", status_message="not needed")
    for part in ("execution", "cancel"):
        for phase in ("start", "end"):
            notifier.action_plan(plan, part, phase)  # type: ignore[arg-type]
            notifier.action(action, part, phase)  # type: ignore[arg-type]
        notifier.action_plan(plan, part, "error", failure())  # type: ignore[arg-type]
        notifier.action(action, part, "error", failure())  # type: ignore[arg-type]
    objects.action_plans.transition(plan.uuid, "CANCELLED")
    objects.audits.transition(audit.uuid, "CANCELLED")
    objects.action_plans.soft_delete(plan.uuid)
    objects.audits.soft_delete(audit.uuid)
    service = Service(id=1, name="watcher-applier", host="other", last_seen_up=world.clock())
    notifier.service(service, "ACTIVE", "FAILED")
    notifier.exception(failure())
    return sent[0] + 6 + 12 + 2


def test_every_event_is_as_its_sample_says(world: World, bus: Bus) -> None:
    count = cause_all(world, bus.notifier())
    found: dict[str, dict[str, Any]] = {}
    for _ in range(count):
        message = bus.consumer.next()
        # Of several of a kind (the bus keeps no order between threads) always the same one.
        known = found.setdefault(message["event_type"], message)
        found[message["event_type"]] = min(known, message, key=json.dumps)
    assert bus.consumer.received.empty()
    if os.environ.get("TACHYON_WRITE_SAMPLES"):
        SAMPLES.mkdir(exist_ok=True)
        for event, message in found.items():
            text = json.dumps(message, indent=2, sort_keys=True)
            (SAMPLES / f"{event}.json").write_text(text + "\n")
    samples = {path.stem: json.loads(path.read_text()) for path in SAMPLES.glob("*.json")}
    assert set(found) == set(samples)
    assert found == samples
    names = {m["payload"]["watcher_object.name"] for m in found.values()}
    nested = {n for n in VERSIONS if "Terse" in n or "State" in n or "Status" in n}
    assert names | nested | {"GoalPayload", "StrategyPayload"} == set(VERSIONS)


@pytest.mark.parametrize(
    ("level", "events"),
    [("info", 3), ("warning", 2), ("error", 1), ("critical", 0), ("", 0)],
)
def test_events_below_the_level_are_not_sent(
    world: World, bus: Bus, level: str, events: int
) -> None:
    notifier = bus.notifier(level)
    service = Service(id=1, name="n", host="h", last_seen_up=None)
    notifier.service(service, "FAILED", "ACTIVE")
    notifier.service(service, "ACTIVE", "FAILED")
    notifier.exception(failure())
    # Each priority is a queue of its own; behind what comes last in it nothing is left.
    last = bus.notifier()
    last.service(replace(service, host="end-mark"), "FAILED", "ACTIVE")
    last.service(replace(service, host="end-mark"), "ACTIVE", "FAILED")
    last.exception(LookupError("end-mark"))
    received: list[str] = []
    open_queues = {"INFO", "WARNING", "ERROR"}
    while open_queues:
        message = bus.consumer.next()
        if "end-mark" in json.dumps(message["payload"]):
            open_queues.remove(message["priority"])
        else:
            received.append(message["priority"])
    assert sorted(received) == sorted(["INFO", "WARNING", "ERROR"][3 - events :])


def test_a_bus_that_fails_stops_nobody(world: World) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no bus")

    notifier = Notifier(None, "controller")
    notifier._notifier = Broken()  # type: ignore[assignment]
    world.objects.observe(notifier.changed)
    assert world.audit().state == "PENDING"
