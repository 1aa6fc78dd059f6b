"""The emulator beside a real OpenStack: the same keys and types in old and new microversions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tachyon.openstack.captured import read_captured
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import Emulator
from tests.emulator.shapes import differences, shape

pytestmark = pytest.mark.interop

CAPTURED = Path(__file__).parents[1] / "data" / "openstack-capture" / "http"
NOVA = (
    "/servers?all_tenants=1",
    "/servers/detail?all_tenants=1",
    "/os-hypervisors",
    "/os-hypervisors/detail",
    "/os-services",
    "/os-availability-zone",
    "/os-aggregates",
    "/os-server-groups?all_projects=1",
    "/os-migrations",
    "/flavors",
    "/flavors/detail",
)
CINDER = (
    "/os-services",
    "/scheduler-stats/get_pools?detail=true",
    "/types",
    "/volumes?all_tenants=1",
    "/volumes/detail?all_tenants=1",
)
PROVIDER = ("inventories", "usages", "allocations", "traits", "aggregates")
NOVA_VERSIONS = ("2.1", "2.46", "2.53", "2.56", "2.64", "2.79", "2.88", "2.96", "2.100", "2.104")


@pytest.fixture(scope="module")
def ours() -> Iterator[Connection]:
    with (
        Emulator(read_captured(CAPTURED)) as emulator,
        connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud,
    ):
        yield cloud


def compare(real: Connection, ours: Connection, service: str, path: str, version: str) -> None:
    answers = (
        getattr(cloud, service).request("GET", path, microversion=version) for cloud in (real, ours)
    )
    assert differences(*map(shape, answers)) == []


@pytest.mark.parametrize("version", NOVA_VERSIONS)
@pytest.mark.parametrize("path", NOVA)
def test_nova_lists_have_the_same_shape(
    real: Connection, ours: Connection, path: str, version: str
) -> None:
    compare(real, ours, "nova", path, version)


@pytest.mark.parametrize("version", ["3.0", "3.27", "3.50", "3.60", "3.71"])
@pytest.mark.parametrize("path", CINDER)
def test_cinder_lists_have_the_same_shape(
    real: Connection, ours: Connection, path: str, version: str
) -> None:
    compare(real, ours, "cinder", path, version)


@pytest.mark.parametrize("version", ["1.14", "1.28", "1.39"])
def test_placement_answers_have_the_same_shape(
    real: Connection, ours: Connection, version: str
) -> None:
    compare(real, ours, "placement", "/resource_providers", version)
    for what in PROVIDER:
        shapes = []
        for cloud in (real, ours):
            found = cloud.placement.get("/resource_providers", {"name": "compute-1"})
            path = f"/resource_providers/{found['resource_providers'][0]['uuid']}/{what}"
            answer = cloud.placement.request("GET", path, microversion=version)
            shapes.append(shape(answer))
        assert differences(*shapes) == []
