"""Stock decision engines as processes: their configuration, database, start and end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tachyon.openstack.emulator import Emulator
from tests.interop.environment import ROOT, command, interpreter, variables


def configuration(
    folder: Path,
    cloud: Emulator,
    graph: str,
    *,
    host: str = "engine-a",
    bus: str = "fake://",
    **tachyon: Any,
) -> Path:
    """Write a watcher.conf of an engine; return its path.

    Args:
        folder: holds the file, the database and what else the engine leaves.
        cloud: whose services the engine uses.
        graph: URL of the graph.
        host: name of the engine.
        bus: of oslo.messaging, for its calls and for notifications.
        tachyon: more options of the group [tachyon].
    """
    user = cloud.cloud.identity.users["admin"]
    credentials = {
        "auth_type": "password",
        "auth_url": cloud.auth_url,
        "username": user.name,
        "password": user.password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    sections: dict[str, dict[str, Any]] = {
        "DEFAULT": {
            "host": host,
            "transport_url": bus,
            "state_path": folder / host,
            "log_file": folder / f"{host}.log",
        },
        # Each has a database of its own: SQLite is not for two engines at once.
        "database": {"connection": f"sqlite:///{folder / host}.db"},
        "watcher_clients_auth": credentials,
        "collector": {"api_query_max_retries": 1, "api_query_interval": 0},
        "watcher_decision_engine": {"continuous_audit_interval": 1},
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_concurrency": {"lock_path": folder / f"{host}-locks"},
        "tachyon": {"url": graph, **tachyon},
    }
    path = folder / f"{host}.conf"
    path.write_text(
        "\n".join(
            "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in section.items()), ""])
            for name, section in sections.items()
        ),
        encoding="utf-8",
    )
    return path


def create_database(config: Path) -> None:
    """Make the tables of Watcher's database."""
    script = interpreter().with_name("watcher-db-manage")
    subprocess.run(
        [script, "--config-file", config, "create_schema"],
        check=True,
        env=variables(),
        capture_output=True,
    )


class Engine:
    """`with Engine(config):` a decision engine started by the launcher of the plug-in."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [
                interpreter().with_name("tachyon-watcher-decision-engine"),
                *("--config-file", self._config),
            ],
            env=variables(),
            stdout=subprocess.DEVNULL,
            stderr=self._config.with_suffix(".err").open("wb"),
            # The engine is a process that watches over another; a kill is for both.
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it without a chance to clean up."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        assert self._process is not None
        return self._process.poll() is None


def probe(config: Path, question: str, *arguments: str) -> Any:
    """Ask a question in a process of Watcher's environment; see `tests.interop.probe`."""
    done = subprocess.run(
        command("-m", "tests.interop.probe", config, question, *arguments),
        cwd=ROOT,
        env=variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
