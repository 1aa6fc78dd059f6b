"""Collectors and handlers of third parties, installed as packages with entry points are."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tachyon.errors import PluginNotFound
from tachyon.openstack.collectors import plugins
from tachyon.openstack.connection import Connection

PLUGIN = """
from tachyon.graph.mutations import Cluster
from tachyon.graph.entities import ResourceProvider
from tachyon.openstack.collectors.contract import Collector, Reading
from tachyon.openstack.notifications.contract import Handler, Outcome


class Racks(Collector):
    name = "racks"
    provider_types = ("rack",)

    def applies(self, cloud):
        return True

    def read(self, cloud, known):
        rack = ResourceProvider(uuid="rack-1", name="rack-1", type="rack")
        return Reading(cluster=Cluster(providers=[rack]))


class RackMoved(Handler):
    model = "racks"
    pattern = r"acme\\.rack\\..+"

    def handle(self, event, work):
        work.patch_provider(event.text("rack"), availability_zone=event.text("room"))
        return Outcome.APPLIED
"""
ENTRY_POINTS = """
[tachyon.collectors]
racks = acme_racks:Racks

[tachyon.notification_handlers]
rack_moved = acme_racks:RackMoved
broken = acme_racks:Missing
"""
PROGRAM = """
from datetime import UTC, datetime

from tachyon.graph.client import connect
from tachyon.openstack.collectors import plugins
from tachyon.openstack.collectors.synchronisation import synchronise
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.events import Event


class NoCloud:
    requests = {}


with connect("sqlite://") as graph:
    (racks,) = plugins.collectors(["racks"], NoCloud())
    synchronise(racks, NoCloud(), graph)
    told = Event(
        type="acme.rack.moved",
        publisher="acme",
        at=datetime.now(UTC),
        payload={"rack": "rack-1", "room": "cellar"},
    )
    assert not plugins.handlers(["compute"]) == []
    applied = Applier(graph, NoCloud(), plugins.handlers(["racks"])).apply([told])
    print(dict(applied.outcomes), graph.provider("rack-1").availability_zone)
"""


def test_a_package_adds_a_collector_and_its_handler(tmp_path: Path) -> None:
    (tmp_path / "acme_racks.py").write_text(PLUGIN)
    info = tmp_path / "acme_racks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-racks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=False,
        # Stevedore keeps what it has found by the path, in the user's home.
        env={"PATH": "", "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "{('acme.rack.moved', 'applied'): 1} cellar"
    # One that cannot be loaded does not keep the others from it.
    assert "plug-in broken of tachyon.notification_handlers cannot be used" in run.stderr


def test_a_collector_that_is_not_there_is_named(cloud: Connection) -> None:
    with pytest.raises(PluginNotFound, match="no collector reports; there are: baremetal, compute"):
        plugins.collectors(["reports"], cloud)
