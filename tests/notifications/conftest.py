from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tests.notifications.scenes import Scene
from tests.notifications.scenes import scene as open_scene


@pytest.fixture
def scene() -> Iterator[Scene]:
    with open_scene() as scene:
        yield scene


@pytest.fixture
def graph() -> Iterator[GraphClient]:
    with connect_graph("sqlite://") as graph:
        yield graph
