from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.emulator import Emulator
from tests.collectors.clouds import connected, small_cluster


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(small_cluster()) as emulator:
        yield emulator


@pytest.fixture
def cloud(emulator: Emulator) -> Iterator[Connection]:
    with connected(emulator) as cloud:
        yield cloud


@pytest.fixture
def graph() -> Iterator[GraphClient]:
    with connect_graph("sqlite://") as graph:
        yield graph
