"""An emulated cloud of a few hosts, and connections to it that do not wait between tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tachyon import conf as options
from tachyon.graph.generator import generate
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import Emulator, ManualClock

Connect = Callable[..., Connection]


@pytest.fixture(scope="package")
def shared() -> Iterator[Emulator]:
    content = generate(hosts=6, instances=30, seed=3, pools=4, volumes=12, server_groups=4)
    with Emulator(content, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared: Emulator) -> Iterator[Emulator]:
    yield shared
    shared.faults.clear()


@pytest.fixture
def opened(emulator: Emulator) -> Iterator[Connect]:
    """Connects; keyword arguments are options as `group__option`, `user` is who asks."""
    connections: list[Connection] = []

    def open_connection(user: str = "admin", **given: object) -> Connection:
        conf = options.load()
        for group in ("keystone", "nova", "placement", "cinder", "ironic"):
            conf.set_override("http_retry_interval", 0.0, group=group)
        for name, value in given.items():
            group, _, option = name.partition("__")
            conf.set_override(option, value, group=group)
        clouds = emulator.clouds_file(user)
        connections.append(connect(conf, cloud=emulator.name, clouds_file=clouds))
        return connections[-1]

    yield open_connection
    for connection in connections:
        connection.close()
