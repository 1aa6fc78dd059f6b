"""Databases for tests of the control plane: made by the migrations, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tachyon.control.objects import KINDS, Database, migrations
from tests.servers.databases import create_database, drop_database

BACKENDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("mariadb", marks=pytest.mark.integration),
]


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


@contextmanager
def database_url(request: pytest.FixtureRequest, backend: str, directory: Path) -> Iterator[str]:
    """The URL of a database of the tests' own, with all tables."""
    if backend == "sqlite":
        url = f"sqlite:///{directory / 'control.db'}"
    else:
        url = create_database(request.getfixturevalue(f"{backend}_url"))
    made = Database(url)
    migrations.upgrade(made)
    made.close()
    yield url
    if backend != "sqlite":
        drop_database(url)


def empty(database: Database) -> None:
    """Remove every row."""
    with database.engine.begin() as connection:
        for kind in reversed(KINDS):
            connection.execute(kind.table.delete())
