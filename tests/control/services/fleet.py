"""Services as processes that are killed, a user who works with them, and what the database saw."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from tachyon.control.objects import Database
from tests.control.api.conftest import Api
from tests.service.raw import Answer

Member = tuple[str, str]
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "SUPERSEDED", "SKIPPED"})

#: Seconds for which a request is repeated; the API may be killed again before it has started.
PATIENCE = 240.0


class Fleet:
    """Processes by kind and host, started again whenever they are killed."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._cache = str(config.parent / "pycache")
        self.processes: dict[Member, subprocess.Popen[bytes]] = {}

    def start(self, kind: str, host: str) -> None:
        command = [kind, "--config-file", str(self._config)]
        if kind != "api":
            command += ["--host", host]
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

    def kill(self, member: Member) -> None:
        self.processes[member].kill()
        self.processes[member].wait()

    def dump(self) -> None:
        """Let every process write to its log where its threads are."""
        for process in self.processes.values():
            process.send_signal(signal.SIGUSR1)
        time.sleep(1)

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


class User(threading.Thread):
    """Somebody who asks for audits, and starts and cancels plans, again and again.

    Each request is repeated until it is answered, whoever dies meanwhile. `error` is what went
    wrong, `audits` are the names asked for.
    """

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._api = Api(url)
        self._rng = random.Random(seed)
        self._ending = threading.Event()
        self.audits: list[str] = []
        self.error: BaseException | None = None

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self._api(method, path, body)
                assert answer.status < 500, (method, path, answer.body)
                return answer
            except (OSError, http.client.HTTPException):
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                self._act()
                self._ending.wait(self._rng.uniform(0.3, 1.5))
        except BaseException as error:
            self.error = error

    def _act(self) -> None:
        name = f"audit {len(self.audits)}"
        self.audits.append(name)
        body = {
            "name": name,
            "audit_type": "ONESHOT",
            "goal": "dummy",
            "strategy": "dummy",
            "parameters": {"para1": 1.0},
            "auto_trigger": self._rng.random() < 0.5,
        }
        answer = self.ask("POST", "/v1/audits", body)
        # 409: it had come into being when the API died before it could say so.
        assert answer.status in (201, 409), answer.body
        for plan in self._plans("RECOMMENDED"):
            answer = self.ask("POST", f"/v1/action_plans/{plan}/start", {})
            assert answer.status == 200 or "when state is" in str(answer.body), answer.body
        under_way = self._plans("ONGOING")
        if under_way and self._rng.random() < 0.3:
            path = f"/v1/action_plans/{self._rng.choice(under_way)}"
            cancel = {"op": "replace", "path": "/state", "value": "CANCELLING"}
            answer = self.ask("PATCH", path, [cancel])
            assert answer.status in (200, 400, 409), answer.body

    def _plans(self, state: str) -> list[str]:
        path = f"/v1/action_plans?state={state}"
        return [plan["uuid"] for plan in self.ask("GET", path).body["action_plans"]]

    def stop(self) -> None:
        """Let what is asked be answered, start what is recommended, and end."""
        self._ending.set()
        self.join(PATIENCE)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        for plan in self._plans("RECOMMENDED"):
            self.ask("POST", f"/v1/action_plans/{plan}/start", {})


class Step(Struct, frozen=True):
    """One durable change: of a state, of who works on something, or of when a round is due."""

    kind: str
    uuid: str
    old: str
    new: str
    host: str | None
    due: Any


class Ledger:
    """What the database itself wrote down of every change, by triggers: no service can lie."""

    _TABLES = ("audits", "action_plans", "actions")

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        with self._engine.begin() as connection:
            connection.execute(
                sa.text(
                    "CREATE TABLE ledger (number BIGINT AUTO_INCREMENT PRIMARY KEY, "
                    "kind TEXT, uuid TEXT, old TEXT, new TEXT, host TEXT, due DATETIME)"
                )
            )
            for table in self._TABLES:
                host = "NULL" if table == "actions" else "NEW.hostname"
                due = "NEW.next_run_time" if table == "audits" else "NULL"
                connection.execute(
                    sa.text(
                        f"CREATE TRIGGER ledger_{table} AFTER UPDATE ON {table} FOR EACH ROW "
                        "INSERT INTO ledger (kind, uuid, old, new, host, due) VALUES "
                        f"('{table}', NEW.uuid, OLD.state, NEW.state, {host}, {due})"
                    )
                )

    def steps(self, kind: str) -> dict[str, list[Step]]:
        """Return the changes of each object of a kind, in order."""
        statement = "SELECT kind, uuid, old, new, host, due FROM ledger WHERE kind = :kind"
        found: dict[str, list[Step]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(sa.text(f"{statement} ORDER BY number"), {"kind": kind}):
                found.setdefault(row.uuid, []).append(Step(*row))
        return found


def moves(steps: Iterable[Step]) -> Counter[tuple[str, str]]:
    """Count the changes of state among changes."""
    return Counter((step.old, step.new) for step in steps if step.old != step.new)


def check_plan(steps: list[Step], kills: int) -> None:
    """Hold one plan to: begun once, ended once, and nothing after the end."""
    found = moves(steps)
    begun = found["PENDING", "ONGOING"]
    assert begun <= 1, steps
    assert found["ONGOING", "PENDING"] == 0, "nobody was stopped politely"
    ended = [step for step in steps if step.old not in FINAL and step.new in FINAL]
    assert len(ended) == 1, steps
    assert steps[-1] is ended[0], "somebody changed a plan that was over"
    assert len({step.host for step in steps}) <= kills + 2


def check_action(steps: list[Step], kills: int) -> None:
    """Hold one action to: ended once, and begun anew only where its applier had died."""
    found = moves(steps)
    assert sum(n for (old, new), n in found.items() if new in FINAL) == 1, steps
    assert not any(old in FINAL for old, new in found), steps
    begun, given_back = found["PENDING", "ONGOING"], found["ONGOING", "PENDING"]
    assert begun <= 1 + given_back, steps
    assert given_back <= kills, steps


def check_rounds(steps: list[Step], plans: int, interval: float) -> None:
    """Hold a continuous audit to: each round that was due to an engine has one plan, in phase."""
    dues = [step.due for step in steps if step.due is not None]
    rounds = list(dict.fromkeys(dues))
    assert rounds == sorted(rounds), "a round was gone back to"
    # The last one is due and has not been run.
    assert plans == len(rounds) - 1, (plans, rounds)
    gaps = [(b - a).total_seconds() for a, b in pairwise(rounds)]
    assert all(gap % interval == 0 for gap in gaps), gaps
