"""One control plane on the testbed for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tachyon.openstack.connection import Connection, connect
from tests.interop_cloud.control_plane import SERVICES, ControlPlane
from tests.interop_cloud.facts import Facts, until
from tests.interop_cloud.operator import Operator
from tests.interop_control.client import Client
from tests.servers import testbed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The services; at the end they stop when told to, and none has failed meanwhile."""
    testbed.up()
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane
        assert {name: plane.stop(name) for name in SERVICES} == dict.fromkeys(SERVICES, 0)
        said = {name: plane.log(name).read_text(errors="replace") for name in SERVICES}
        assert {name: text for name, text in said.items() if "Traceback" in text} == {}


@pytest.fixture(scope="session")
def cloud(plane: ControlPlane) -> Iterator[Connection]:
    with connect(cloud=testbed.CLOUD, clouds_file=testbed.clouds_yaml()) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def facts(cloud: Connection) -> Facts:
    return Facts(cloud)


@pytest.fixture(scope="session")
def operator(cloud: Connection) -> Iterator[Operator]:
    client = Client(testbed.AUTH_URL, "admin", password=testbed.PASSWORD, project="admin")
    try:
        operator = Operator(client, cloud)
        until("the graph to be filled", lambda: client.ok("datamodel", "list"))
        yield operator
    finally:
        client.close()
