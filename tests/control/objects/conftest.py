"""One database for all tests of a backend, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.control.objects import Database, Objects
from tests.control.databases import BACKENDS, Clock, database_url, empty


@pytest.fixture(scope="session", params=BACKENDS)
def control_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with database_url(request, request.param, tmp_path_factory.mktemp("control")) as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def objects(control_url: str, clock: Clock) -> Iterator[Objects]:
    database = Database(control_url, clock=clock, sqlite_synchronous=False)
    empty(database)
    made = Objects(database)
    yield made
    made.close()
