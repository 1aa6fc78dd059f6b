"""An emulated cloud like the captured one, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.mutations import Cluster
from tachyon.openstack.captured import read_captured
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import Emulator, ManualClock, Notification
from tests.emulator.exercise import DURATIONS, STEPS, Exercise

CAPTURED = Path(__file__).parents[1] / "data" / "openstack-capture"


@pytest.fixture(scope="session")
def captured_cluster() -> ClusterFile:
    return read_captured(CAPTURED / "http")


@pytest.fixture(scope="package")
def asking(readable: Emulator) -> Iterator[Connection]:
    """A connection to the cloud that is not changed."""
    with connect(cloud=readable.name, clouds_file=readable.clouds_yaml) as connection:
        yield connection


@pytest.fixture(scope="package")
def told(captured_cluster: ClusterFile) -> list[Notification]:
    """Everything that a cloud told while the whole exercise was done to it."""
    with (
        Emulator(captured_cluster, clock=ManualClock(), durations=DURATIONS) as emulator,
        connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml) as connection,
    ):
        exercise = Exercise(emulator, connection)
        for step in STEPS:
            step(exercise)
        return emulator.notifications


@pytest.fixture
def emulator(captured_cluster: ClusterFile) -> Iterator[Emulator]:
    with Emulator(captured_cluster, clock=ManualClock(), durations=DURATIONS) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def readable(captured_cluster: ClusterFile) -> Iterator[Emulator]:
    """An emulator for tests that change nothing."""
    with Emulator(captured_cluster, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def cloud(emulator: Emulator) -> Iterator[Connection]:
    with connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml) as connection:
        yield connection


@pytest.fixture
def metal(captured_cluster: ClusterFile) -> Iterator[Emulator]:
    """The captured cloud with a node below each compute host."""
    cluster = captured_cluster.cluster
    nodes = [
        ResourceProvider(
            uuid=f"node-{host.name}",
            name=f"metal-{host.name}",
            type="baremetal",
            power_state="power on",
            extra={"compute_node_id": host.uuid},
        )
        for host in cluster.providers
        if host.type == "compute"
    ]
    everything = Cluster(
        providers=[*cluster.providers, *nodes],
        consumers=cluster.consumers,
        flavors=cluster.flavors,
        projects=cluster.projects,
        host_aggregates=cluster.host_aggregates,
    )
    with Emulator(everything, clock=ManualClock()) as emulator:
        yield emulator
