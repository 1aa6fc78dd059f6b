"""MariaDB from Debian's packages, with every commit flushed to disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pymysql

from tests.servers.packages import apt_install, installation_lock
from tests.servers.process import HOST, Server, ServerError


class MariaDB(Server):
    """One MariaDB server; its user ``root`` needs no password on loopback.

    The URL is that of an empty database of ours, ``tachyon``.
    """

    name = "mariadb"
    users = ("mysql", "nobody")

    def install(self) -> None:
        with installation_lock():
            if not _is_installed():
                apt_install("mariadb-server")
            if not _is_installed():
                raise ServerError("MariaDB is installed, but mariadbd is not found")

    def initialise(self) -> None:
        self._run(
            [
                _program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self._data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )

    def command(self) -> list[str]:
        return [
            _program("mariadbd"),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--port={self.port}",
            f"--bind-address={HOST}",
            f"--socket={self.directory / 'server.sock'}",
            f"--pid-file={self.directory / 'server.pid'}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--innodb-buffer-pool-size=256M",
            "--innodb-flush-log-at-trx-commit=1",
        ]

    def prepare(self) -> None:
        self._execute("CREATE DATABASE tachyon")

    def ping(self) -> None:
        self._execute("SELECT 1")

    @property
    def url(self) -> str:
        return f"mariadb+pymysql://root@{HOST}:{self.port}/tachyon?charset=utf8mb4"

    def _execute(self, statement: str) -> None:
        with (
            pymysql.connect(
                host=HOST, port=self.port, user="root", connect_timeout=5
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

    @property
    def _data(self) -> Path:
        return self.directory / "data"


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])


def _is_installed() -> bool:
    names = ("mariadbd", "mariadb-install-db")
    return all(shutil.which(name, path=_search_path()) for name in names)


def _program(name: str) -> str:
    found = shutil.which(name, path=_search_path())
    if found is None:
        raise ServerError(f"{name} is not installed")
    return found
