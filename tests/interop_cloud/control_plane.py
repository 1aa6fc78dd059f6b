"""Tachyon's processes as the `infra-optim` service of the testbed, as an operator sets them up.

The catalog's endpoint, the account `watcher` and an empty database of that name are the testbed's;
the graph gets a database of its own beside it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pymysql

from tests.servers import testbed
from tests.servers.process import ServerError

SERVICES = ("api", "decision-engine", "applier", "collector")
#: Seconds that a process has to say that it is ready, and to end after SIGTERM.
START, STOP = 60.0, 45.0

CONFIG = """
[DEFAULT]
transport_url = {rabbit}
[database]
connection = {database}/watcher?charset=utf8mb4
[graph]
url = {database}/tachyon?charset=utf8mb4
[keystone_authtoken]
www_authenticate_uri = {auth_url}
memcached_servers = {memcached}
service_token_roles = service
service_token_roles_required = true
{identity}
[keystone]
{identity}
[notifications]
transport_url = {rabbit}
[oslo_messaging_notifications]
driver = messagingv2
[collector]
collectors = compute,storage
period = 120
[watcher_applier]
migration_interval = 1
stop_interval = 1
volume_interval = 1
"""
IDENTITY = """auth_type = password
auth_url = {auth_url}
username = watcher
password = {password}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne"""


class ControlPlane:
    """`with ControlPlane(folder) as plane`: an empty database, and all services at work.

    Args:
        folder: for the configuration and the logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "tachyon.conf"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        identity = IDENTITY.format(auth_url=testbed.AUTH_URL, password=testbed.PASSWORD)
        self.config.write_text(
            CONFIG.format(
                rabbit=testbed.rabbit_url(),
                database=testbed.database_url(),
                auth_url=testbed.AUTH_URL,
                memcached=testbed.MEMCACHED,
                identity=identity,
            )
        )
        recreate("watcher", "tachyon")
        self.run("db", "upgrade")
        try:
            for name in SERVICES:
                self.start(name)
            for name in SERVICES:
                self._wait_until_ready(name)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def run(self, *words: str) -> str:
        """Run a command of Tachyon to its end; return what it printed."""
        done = subprocess.run(
            [*command(*words), "--config-file", self.config],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise ServerError(f"tachyon {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name: str) -> None:
        """Start a service that does not run."""
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*command(name), "--config-file", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, name: str) -> int:
        """Tell a service to end; return its exit status."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(f"{name} did not end within {STOP:.0f} s of SIGTERM") from None

    def log(self, name: str) -> Path:
        """Return where a service writes to."""
        return self.folder / f"{name}.log"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _wait_until_ready(self, name: str) -> None:
        """A service says on its first line where it can be reached."""
        end = time.monotonic() + START
        while True:
            said = self.log(name).read_text(errors="replace")
            if "http://" in said:
                return
            if self._processes[name].poll() is not None or time.monotonic() > end:
                raise ServerError(f"{name} did not start:\n{said[-4000:]}")
            time.sleep(0.1)


def command(*words: str) -> list[str]:
    """Return the command line of `tachyon WORDS…`."""
    return [str(Path(sys.executable).with_name("tachyon")), *words]


def recreate(*databases: str) -> None:
    """Make databases of the testbed anew, empty."""
    with pymysql.connect(
        host="127.0.0.1",
        port=testbed.PORT_MYSQL,
        user="openstack",
        password=testbed.PASSWORD,
    ) as connection:
        for name in databases:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")
                cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
