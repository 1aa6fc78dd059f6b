"""Databases for tests of the control plane: made by the migrations, emptied before each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from tachyon.control.objects import KINDS, Database, Objects, migrations
from tests.servers.databases import create_database, drop_database

BACKENDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("mariadb", marks=pytest.mark.integration),
]


Made = TypeVar("Made")


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


class Scene(Generic[Made]):
    """What tests begin with, made once; put back row by row where numbers can be given to rows."""

    def __init__(self, make: Callable[[Objects], Made]) -> None:
        self._make = make
        self._kept: dict[str, tuple[Made, list[tuple[Any, list[dict[str, Any]]]]]] = {}

    def set(self, objects: Objects) -> Made:
        """Fill an empty database; return what was made."""
        engine = objects.database.engine
        if engine.dialect.name != "sqlite":
            return self._make(objects)
        url = str(engine.url)
        if url not in self._kept:
            made = self._make(objects)
            with engine.connect() as connection:
                rows = [
                    (
                        kind.table,
                        [dict(row) for row in connection.execute(kind.table.select()).mappings()],
                    )
                    for kind in KINDS
                ]
            self._kept[url] = (made, [(table, some) for table, some in rows if some])
        else:
            with engine.begin() as connection:
                for table, some in self._kept[url][1]:
                    connection.execute(table.insert(), some)
        return self._kept[url][0]
