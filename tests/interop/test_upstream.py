"""Upstream's own tests pass with our models in place of its own, in process and over HTTP."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.environment import ROOT, command, variables
from tests.interop.exceptions import EXCEPTIONS
from tests.interop.suites import COUNTS

pytestmark = pytest.mark.interop


def outcomes(suite: str, graphs: str, folder: Path) -> dict[str, str | None]:
    """Run a suite; return the failure, or None, by test."""
    output = folder / "results.json"
    arguments = ["-m", "tests.interop.runner", "--suite", suite, "--output", output]
    done = subprocess.run(
        command(*arguments, "--graphs", graphs),
        cwd=ROOT,
        env=variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.exists(), done.stderr[-3000:]
    found: dict[str, str | None] = json.loads(output.read_text("utf-8"))
    return found


@pytest.mark.parametrize("suite", COUNTS)
def test_upstreams_tests_pass_on_models_in_process(suite: str, tmp_path: Path) -> None:
    check(suite, outcomes(suite, "memory", tmp_path))


@pytest.mark.parametrize("suite", COUNTS)
def test_upstreams_tests_pass_on_models_over_http(suite: str, graphs: str, tmp_path: Path) -> None:
    check(suite, outcomes(suite, graphs, tmp_path))


def check(suite: str, found: dict[str, str | None]) -> None:
    """Hold that all tests were run and exactly the exceptions failed."""
    failed = {test: reason for test, reason in found.items() if reason is not None}
    surprising = {test: reason for test, reason in failed.items() if test not in EXCEPTIONS}
    assert not surprising, json.dumps(surprising, indent=1)
    assert {test for test in EXCEPTIONS if test in found} == failed.keys()
    assert len(found) == COUNTS[suite]


def test_there_are_at_most_eight_exceptions_each_with_its_reason() -> None:
    assert len(EXCEPTIONS) <= 8
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())
