"""PostgreSQL from Debian's packages, with its own durability settings untouched."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from typing import LiteralString

import psycopg

from tests.servers.packages import apt_install, installation_lock
from tests.servers.process import HOST, Server, ServerError


class PostgreSQL(Server):
    """One PostgreSQL cluster; its superuser ``postgres`` needs no password on loopback.

    The URL is that of an empty database of ours, ``tachyon``.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT  # fast shutdown: SIGTERM would wait for the clients to leave
    users = ("postgres", "nobody")

    def install(self) -> None:
        with installation_lock():
            if _programs() is None:
                apt_install("postgresql")
            if _programs() is None:
                raise ServerError("PostgreSQL is installed, but no initdb and postgres are found")

    def initialise(self) -> None:
        self._run(
            [
                self._program("initdb"),
                f"--pgdata={self._data}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",  # of the empty cluster only; the server itself syncs
            ]
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": "100",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self._program("postgres"), "-D", str(self._data), "-p", str(self.port), *options]

    def prepare(self) -> None:
        self._execute("CREATE DATABASE tachyon")

    def ping(self) -> None:
        self._execute("SELECT 1")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@{HOST}:{self.port}/tachyon"

    def _execute(self, statement: LiteralString) -> None:
        with psycopg.connect(
            host=HOST,
            port=self.port,
            user="postgres",
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        ) as connection:
            connection.execute(statement)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _program(self, name: str) -> str:
        programs = _programs()
        if programs is None:
            raise ServerError("PostgreSQL is not installed")
        return str(programs / name)


def _programs() -> Path | None:
    """Return the directory of the newest server's programs, which Debian keeps off PATH."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: [int(part) for part in re.findall(r"\d+", path.parts[4])],
    )
    if versions:
        return versions[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).parent if on_path and shutil.which("initdb") else None
