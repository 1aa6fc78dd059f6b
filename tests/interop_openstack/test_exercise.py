"""After every operation on a real cloud the graph is what its services answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors.process import CollectorService
from tachyon.openstack.connection import Connection
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import configuration
from tests.interop_openstack.nodes import operations
from tests.interop_openstack.recording import Recording
from tests.interop_openstack.truth import truth
from tests.servers import testbed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

#: Seconds after which the graph has to be what the cloud is.
WITHIN = 2.0
ACCOUNTS = ("collector:compute", "collector:storage", "collector:baremetal")


def wait_for_first_fill(graph: GraphClient, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not {*ACCOUNTS} <= {p.uuid for p in graph.providers(type="collector")}:
        assert time.monotonic() < end, "the graph was not filled"
        time.sleep(0.2)


def disagreements(graph: GraphClient, cloud: Connection) -> list[str]:
    """Return where graph and cloud differ two seconds after the cloud has come to rest.

    The cloud is read before and after; where it has changed meanwhile (a volume service reports
    its pools, an attachment is let go of) the two seconds begin anew.
    """
    began = time.monotonic()
    answered = truth(cloud)
    for _ in range(10):
        time.sleep(max(0.0, began + WITHIN - time.monotonic()))
        found = content(graph)
        began = time.monotonic()
        now = truth(cloud)
        if now == answered:
            return differences(found, answered)
        answered = now
    raise AssertionError("the cloud does not come to rest")


def exercised(cloud: Connection) -> Iterator[str]:
    """Give every operation of the exercise, then those on nodes, as it is done."""
    for line in testbed.Exercise():
        if line.startswith(("ok", "FAIL")):
            yield line
    yield from (f"ok           {name}" for name in operations(cloud))


def test_every_operation_of_the_exercise(
    options: dict[str, dict[str, Any]], real: Connection, tmp_path: Path
) -> None:
    failed: list[str] = []
    counted = 0
    with (
        connect_graph(f"sqlite:///{tmp_path}/graph.db") as graph,
        CollectorService(configuration(**options), graph=graph),
        Recording(os.environ.get("TACHYON_RECORD")) as recording,
    ):
        wait_for_first_fill(graph)
        recording.note("", real)
        assert disagreements(graph, real) == []
        for line in exercised(real):
            differ = disagreements(graph, real)
            verdict = "differs" if differ else "agrees"
            print(f"{verdict:7} {line}", *differ, sep="\n        ", flush=True)
            recording.note(line, real)
            counted += 1
            if differ or line.startswith("FAIL"):
                failed.append(f"{line}: {'; '.join(differ)}")
    assert failed == []
    assert counted == 33 + 11
