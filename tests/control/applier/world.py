"""A database with a goal, a strategy and an audit, and plans on it, for tests of the applier."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tachyon.control.applier.actions import Patience, Patiences, action_types
from tachyon.control.applier.applier import Applier, ApplierOptions
from tachyon.control.applier.execution import Means
from tachyon.control.notifications import Notifier
from tachyon.control.objects import ActionPlan, Database, Objects
from tachyon.control.objects.migrations import upgrade
from tachyon.control.objects.service import APPLIER
from tachyon.control.services import Heartbeat, Liveness

DOWN_TIME = 90.0
#: Short enough for tests; the emulator's clock decides how long work takes.
SOON = Patience(times=400, interval=0.02)


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Events(Notifier):
    """A notifier that keeps what it would send."""

    def __init__(self) -> None:
        super().__init__(None, "test")
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self._level = 1

    def _send(self, event_type: str, priority: Any, payload: dict[str, Any]) -> None:
        self.sent.append((event_type, priority, payload["watcher_object.data"]))

    def named(self, prefix: str) -> list[str]:
        return [event for event, _, _ in self.sent if event.startswith(prefix)]


class World:
    """A control plane's database in a file, and what tests do on it."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.clock = Clock()
        self.url = url or f"sqlite:///{folder}/control.db"
        database = Database(self.url, clock=self.clock)
        upgrade(database)
        self.objects = Objects(database)
        goal = self.objects.goals.create(name="dummy", display_name="Dummy")
        self.strategy = self.objects.strategies.create(
            name="dummy", display_name="Dummy", goal_id=goal.id
        )
        self.goal = goal
        self.events = Events()

    def audit(self, **fields: Any) -> Any:
        return self.objects.audits.create(
            **{
                "name": f"audit-{uuid4()}",
                "audit_type": "ONESHOT",
                "goal_id": self.goal.id,
                "strategy_id": self.strategy.id,
                "auto_trigger": False,
                "force": False,
                **fields,
            }
        )

    def plan(
        self,
        actions: Sequence[tuple[str, Mapping[str, Any], Sequence[int]]],
        state: str = "PENDING",
        **audit: Any,
    ) -> ActionPlan:
        """Create a plan of (type, parameters, positions of the parents)."""
        plan = self.objects.action_plans.create(
            audit_id=self.audit(**audit).id, strategy_id=self.strategy.id, state=state
        )
        uuids = [str(uuid4()) for _ in actions]
        self.objects.actions.create_many(
            [
                {
                    "uuid": uuids[k],
                    "action_plan_id": plan.id,
                    "action_type": kind,
                    "input_parameters": dict(given),
                    "parents": [uuids[p] for p in parents],
                }
                for k, (kind, given, parents) in enumerate(actions)
            ]
        )
        return plan

    def applier(self, host: str = "one", *, beat: bool = True, **given: Any) -> Applier:
        means = {f: given.pop(f) for f in list(given) if f in Means.__struct_fields__}
        liveness = Liveness(self.objects, APPLIER, DOWN_TIME)
        if beat:
            Heartbeat(liveness, host, 60).beat()
        return Applier(
            Means(
                **{
                    "objects": self.objects,
                    "notifier": self.events,
                    "host": host,
                    "types": action_types(),
                    "patience": Patiences(migration=SOON, power=SOON, stop=SOON, volume=SOON),
                    **means,
                }
            ),
            liveness,
            ApplierOptions(**{"interval": 0.05, "shutdown_timeout": 5.0, **given}),
        )

    def states(self, plan: ActionPlan) -> list[str]:
        return [a.state for a in self.objects.actions.find({"action_plan_id": plan.id})]

    def messages(self, plan: ActionPlan) -> list[str | None]:
        return [a.status_message for a in self.objects.actions.find({"action_plan_id": plan.id})]

    def state(self, plan: ActionPlan) -> str:
        return self.objects.action_plans.get(plan.uuid).state

    def close(self) -> None:
        self.objects.close()


def settle(applier: Applier, *, rounds: int = 400) -> None:
    """Let an applier look until it has nothing under way."""
    for _ in range(rounds):
        applier.look()
        if not applier.busy:
            return
        applier.join(0.05)
    raise AssertionError("the applier has not finished")


def background(applier: Applier) -> threading.Thread:
    thread = threading.Thread(target=applier.run, daemon=True)
    thread.start()
    return thread
