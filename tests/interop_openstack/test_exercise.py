"""After every operation on a real cloud the graph is what its services answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.collectors.process import CollectorService
from tachyon.openstack.connection import Connection
from tests.collectors.clouds import configuration
from tests.interop_openstack.nodes import operations
from tests.interop_openstack.recording import Recording
from tests.interop_openstack.truth import disagreements, wait_for_first_fill
from tests.servers import testbed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]


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
