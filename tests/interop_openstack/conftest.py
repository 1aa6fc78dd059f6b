from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachyon.openstack.connection import Connection, connect
from tests.servers import testbed


@pytest.fixture(scope="session")
def clouds_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clouds.yaml of a real control plane, Ironic included, in its first state."""
    testbed.up(fresh=True)
    testbed.ironic_up()
    return testbed.clouds_of_services(tmp_path_factory.mktemp("clouds"))


@pytest.fixture(scope="session")
def options(clouds_file: Path) -> dict[str, dict[str, Any]]:
    """Options of a collector beside it, by group.

    A volume that its driver moves causes no event: only a poll finds it, within its interval.
    """
    return {
        "keystone": {"cloud": testbed.CLOUD, "clouds_file": str(clouds_file)},
        "notifications": {"transport_url": testbed.rabbit_url()},
        "collector": {"port": 0, "poll_interval": 0.5},
    }


@pytest.fixture(scope="session")
def real(clouds_file: Path) -> Iterator[Connection]:
    """The real control plane."""
    with connect(cloud=testbed.CLOUD, clouds_file=clouds_file) as cloud:
        yield cloud
