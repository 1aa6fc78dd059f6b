"""Engines and appliers on RabbitMQ and MariaDB, killed at random: nothing twice, nothing lost.

`TACHYON_KILLS` says how often (50 is the promise; the default keeps the suite short).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachyon.control.objects import Database, Objects
from tests.control.world import PLUGINS, fill, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

KILLS = int(os.environ.get("TACHYON_KILLS", "3"))
FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "SUPERSEDED"}
#: Seconds between two rounds of the continuous audit.
INTERVAL = 3
#: Seconds within which everything has ended once the last one killed is back.
SETTLED = 30.0
CONFIG = """
[DEFAULT]
transport_url = {rabbit}
periodic_interval = 1
service_down_time = 5
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


class Fleet:
    """Processes by name, started again whenever they are killed."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._cache = str(config.parent / "pycache")
        self.processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def start(self, kind: str, host: str) -> None:
        command = [kind, "--config-file", str(self._config), "--host", host]
        code = (
            "import faulthandler, signal, sys; faulthandler.register(signal.SIGUSR1); "
            f"from tachyon.cli.main import run; sys.exit(run({command!r}))"
        )
        log = open(self._config.parent / f"{kind}-{host}.log", "ab")  # noqa: SIM115 - the child's
        self.processes[kind, host] = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            stdout=log,
            stderr=log,
            # Compiled once for all starts: it is not the interpreter that is tested.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": self._cache},
        )
        log.close()

    def kill(self, key: tuple[str, str]) -> None:
        self.processes[key].kill()
        self.processes[key].wait()

    def dump(self) -> None:
        """Let every process write to its log where its threads are."""
        for process in self.processes.values():
            process.send_signal(signal.SIGUSR1)
        time.sleep(1)

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def config(
    tmp_path: Path,
    mariadb_url: str,
    rabbitmq_url: str,
    fresh_database: Callable[[str], str],
) -> Path:
    database = fresh_database(mariadb_url)
    fill(database)
    path = tmp_path / "tachyon.conf"
    path.write_text(
        CONFIG.format(
            rabbit=rabbitmq_url,
            # oslo.config reads a percent sign as it is; only $ has a meaning.
            database=database.replace("$", "$$"),
            folder=tmp_path,
        )
    )
    (tmp_path / "url").write_text(database)
    return path


def unsettled(objects: Objects) -> list[str]:
    """Say what has not ended, for whoever reads the failure."""
    records = [*objects.audits.find(), *objects.action_plans.find(), *objects.actions.find()]
    found = [r for r in records if r.state not in FINAL]
    said = [f"{type(r).__name__} {r.uuid}: {r.state}, {getattr(r, 'hostname', '')}" for r in found]
    services = [f"{s.name} {s.host} {s.last_seen_up}" for s in objects.services.find()]
    return [*said, *services, str(objects.database.clock())]


def test_nothing_runs_twice_and_nothing_is_lost(config: Path) -> None:
    rng = random.Random(5)
    objects = Objects(Database((config.parent / "url").read_text()))
    # As installed, so that no synchronisation replaces a strategy meanwhile.
    from tachyon.control.synchronisation import synchronise

    synchronise(objects)
    strategy = objects.strategies.get("dummy")
    assert strategy.name in PLUGINS.strategies

    def audit(**fields: Any) -> Any:
        return objects.audits.create(
            goal_id=strategy.goal_id,
            strategy_id=strategy.id,
            auto_trigger=True,
            parameters={"para1": 1.0},
            **{"audit_type": "ONESHOT", "force": False, **fields},
        )

    fleet = Fleet(config)
    for kind in ("decision-engine", "applier"):
        for host in ("one", "two"):
            fleet.start(kind, host)
    try:
        rounds = audit(name="rounds", audit_type="CONTINUOUS", interval=str(INTERVAL))
        audits = []
        until(lambda: objects.services.count() >= 4, 240)
        for number in range(KILLS):
            audits.append(audit(name=f"audit {number}"))
            time.sleep(rng.uniform(0.2, 2.0))
            victim = rng.choice(list(fleet.processes))
            fleet.kill(victim)
            fleet.start(*victim)
        objects.audits.transition(
            rounds.uuid, "CANCELLED", expected=("PENDING", "ONGOING"), by_user=True
        )
        beaten = objects.database.clock()
        until(
            lambda: all((s.last_seen_up or beaten) > beaten for s in objects.services.find()), 120
        )
        ended = time.monotonic()

        def settled() -> bool:
            plans = objects.action_plans.find()
            return (
                all(a.state in FINAL for a in objects.audits.find())
                and all(p.state in FINAL for p in plans)
                and len(plans) >= len(audits)
            )

        while not settled() and time.monotonic() - ended < SETTLED:
            time.sleep(0.1)
        if not settled():
            fleet.dump()
            raise AssertionError("\n".join(unsettled(objects)))
        for one in audits:
            assert objects.audits.get(one.uuid).state == "SUCCEEDED"
            plans = objects.action_plans.find({"audit_id": one.id})
            assert [p.state for p in plans] == ["SUCCEEDED"], one.name
            actions = objects.actions.find({"action_plan_id": plans[0].id})
            assert [a.state for a in actions] == ["SUCCEEDED"] * 3
        made = objects.action_plans.count({"audit_id": rounds.id})
        cancelled = objects.audits.get(rounds.uuid)
        assert cancelled.updated_at is not None
        assert cancelled.created_at is not None
        due = (cancelled.updated_at - cancelled.created_at).total_seconds() / INTERVAL + 1
        assert 1 <= made <= due + 1, "a round ran twice"
    finally:
        fleet.close()
        objects.close()
