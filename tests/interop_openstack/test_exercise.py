"""After every operation on a real cloud the graph is what its services answer."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors.process import CollectorService
from tachyon.openstack.connection import Connection, connect
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import configuration
from tests.interop_openstack.recording import Recording
from tests.interop_openstack.truth import truth
from tests.servers import testbed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]


def wait_for_first_fill(collector: CollectorService, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        view = collector.graph.view()
        names = {p.uuid for p in view.providers.record if p is not None and p.type == "collector"}
        if {"collector:compute", "collector:storage"} <= names:
            return
        time.sleep(0.2)
    raise AssertionError("the graph was not filled")


#: A volume that its driver moved causes no event; the next synchronisation finds it.
SILENT = ("volume migrated to the other pool", "volume migrated to another backend")


def disagreements(
    collector: CollectorService, cloud: Connection, *, silent: bool
) -> tuple[list[str], list[str]]:
    """Return where graph and cloud differ two seconds from now, and where they still do later."""
    for _ in range(3):
        time.sleep(2.0)
        found, answered = content(collector.graph), truth(cloud)
        soon = differences(found, answered)
        if not soon or truth(cloud) == answered:
            break
        # The exercise had begun with its next operation before it was held still.
    if silent and collector.schedule is not None:
        collector.schedule.hurry()
    late = soon
    end = time.monotonic() + 15.0
    while late and time.monotonic() < end:
        time.sleep(0.5)
        late = differences(content(collector.graph), truth(cloud))
    return soon, late


def test_every_operation_of_the_exercise(tmp_path: Path) -> None:
    testbed.up()
    conf = configuration(
        keystone={"cloud": testbed.CLOUD, "clouds_file": str(testbed.clouds_yaml())},
        notifications={"transport_url": testbed.rabbit_url()},
        collector={"collectors": ["compute", "storage"], "port": 0},
    )
    failed: list[str] = []
    with (
        connect_graph(f"sqlite:///{tmp_path}/graph.db") as graph,
        connect(conf) as cloud,
        CollectorService(conf, graph=graph) as collector,
        Recording(os.environ.get("TACHYON_RECORD")) as recording,
    ):
        wait_for_first_fill(collector)
        recording.note("", cloud)
        assert differences(content(graph), truth(cloud)) == []
        for line in testbed.Exercise():
            if not line.startswith(("ok", "FAIL")):
                continue
            silent = any(name in line for name in SILENT)
            began = time.monotonic()
            soon, late = disagreements(collector, cloud, silent=silent)
            verdict = "never" if late else "late" if soon else "agrees"
            took = time.monotonic() - began
            print(f"{verdict:7} {took:5.1f} s {line}", *soon, sep="\n        ", flush=True)
            recording.note(line, cloud)
            if late or (soon and not silent):
                failed.append(f"{verdict}: {line}: {'; '.join(late or soon)}")
    assert failed == []
