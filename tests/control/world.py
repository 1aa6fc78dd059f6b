"""A database with goals and strategies, audits and plans on it, and services that work with it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from tachyon.control.applier.actions import Patience, Patiences, action_types
from tachyon.control.applier.applier import Applier, ApplierOptions
from tachyon.control.applier.execution import Means
from tachyon.control.engine.engine import DecisionEngine, EngineOptions
from tachyon.control.engine.running import Brain
from tachyon.control.notifications import Notifier
from tachyon.control.objects import ActionPlan, Audit, Database, Objects
from tachyon.control.objects.migrations import upgrade
from tachyon.control.objects.service import APPLIER, DECISION_ENGINE
from tachyon.control.services import Heartbeat, Liveness
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.cluster_file import ClusterFile
from tachyon.optimize.plugins import Plugins
from tests.waiting import until

PLUGINS = Plugins()
DOWN_TIME = 90.0
#: Short enough for tests; the emulator's clock decides how long work takes.
SOON = Patience(times=3000, interval=0.02)
ONCE = Patience(times=1, interval=0.02)


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


def fill(url: str) -> None:
    """Make the tables of an empty database, with all goals and strategies."""
    database = Database(url)
    upgrade(database)
    objects = Objects(database)
    goals = {n: objects.goals.create(name=n, display_name=n).id for n in PLUGINS.goals}
    for name, strategy in PLUGINS.strategies.items():
        goal = goals[strategy.goal]
        objects.strategies.create(name=name, display_name=name, goal_id=goal)
    objects.close()


@cache
def _template() -> bytes:
    """A filled SQLite database, made once for all tests."""
    with TemporaryDirectory() as folder:
        fill(f"sqlite:///{folder}/control.db")
        return (Path(folder) / "control.db").read_bytes()


class World:
    """A control plane's database in a file, and what tests do on it."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.clock = Clock()
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/control.db"
        if url is None:
            (folder / "control.db").write_bytes(_template())
        else:
            fill(url)
        self.objects = Objects(Database(self.url, clock=self.clock, sqlite_synchronous=False))
        self.strategy = self.objects.strategies.get("dummy")
        self.goal = self.strategy.goal
        self.events = Events()

    def audit(self, strategy: str | None = None, **fields: Any) -> Audit:
        if strategy is not None:
            record = self.objects.strategies.get(strategy)
            fields |= {"strategy_id": record.id, "goal_id": record.goal_id}
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
        if beat:
            self.beat(APPLIER, host)
        return Applier(
            Means(
                **{
                    "objects": self.objects,
                    "notifier": self.events,
                    "host": host,
                    "types": action_types(),
                    "patience": Patiences(
                        migration=SOON, power=SOON, stop=SOON, volume=SOON, graph=ONCE
                    ),
                    **means,
                }
            ),
            Liveness(self.objects, APPLIER, DOWN_TIME),
            ApplierOptions(**{"interval": 0.05, "shutdown_timeout": 5.0, **given}),
        )

    def beat(self, name: str, *hosts: str) -> None:
        """Give signs of life of services at the present time of the clock."""
        liveness = Liveness(self.objects, name, DOWN_TIME)
        for host in hosts:
            Heartbeat(liveness, host, 60).beat()

    def graph(self, content: ClusterFile | None = None) -> GraphClient:
        """A client of one graph, with a cluster in it; each call is another process' client."""
        client = connect(f"sqlite:///{self.folder}/graph.db")
        if content is not None:
            client.synchronise(content.cluster)
        return client

    def engine(
        self, host: str = "one", graph: GraphClient | None = None, **given: Any
    ) -> DecisionEngine:
        brain = {f: given.pop(f) for f in list(given) if f in Brain.__struct_fields__}
        self.beat(DECISION_ENGINE, host)
        return DecisionEngine(
            Brain(
                **{
                    "objects": self.objects,
                    "notifier": self.events,
                    "graph": graph or self.graph(),
                    "plugins": PLUGINS,
                    **brain,
                }
            ),
            host,
            Liveness(self.objects, DECISION_ENGINE, DOWN_TIME),
            given.pop("applier", None),
            EngineOptions(**{"interval": 0.05, "shutdown_timeout": 5.0, **given}),
        )

    def event(self, audit: Audit) -> None:
        """Tell of an event, as the API does."""
        self.objects.audits.update(audit.id, {"next_run_time": self.clock()})

    def plans(self, audit: Audit) -> list[ActionPlan]:
        return self.objects.action_plans.find({"audit_id": audit.id})

    def states(self, plan: ActionPlan) -> list[str]:
        return [a.state for a in self.objects.actions.find({"action_plan_id": plan.id})]

    def messages(self, plan: ActionPlan) -> list[str | None]:
        return [a.status_message for a in self.objects.actions.find({"action_plan_id": plan.id})]

    def state(self, plan: ActionPlan) -> str:
        return self.objects.action_plans.get(plan.uuid).state

    def close(self) -> None:
        self.objects.close()


def settle(service: Applier | DecisionEngine) -> None:
    """Let a service look until a look finds nothing to do, and nothing is under way.

    That nothing is under way after a look does not say it alone: what the look began may have ended
    already, and something else may have waited for it.
    """
    means = service.means if isinstance(service, Applier) else service.brain
    objects = means.objects

    def revisions() -> list[tuple[str, int]]:
        records = [*objects.audits.find(), *objects.action_plans.find()]
        return [(record.uuid, record.revision) for record in records]

    def finished() -> bool:
        before = revisions()
        service.look()
        if service.busy:
            service.join(0.05)
            return False
        return revisions() == before

    until(finished, pause=0.0)


def background(applier: Applier | DecisionEngine) -> threading.Thread:
    thread = threading.Thread(target=applier.run, daemon=True)
    thread.start()
    return thread
