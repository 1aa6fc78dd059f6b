"""Where stock Watcher is run, and what it is run on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.interop.environment import ROOT


@pytest.fixture(scope="session")
def graphs() -> Iterator[str]:
    """The URL of a service process that keeps a graph for each name."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.interop.graphs"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, f"the service did not start: {process.wait()}"
        yield url
        process.terminate()
