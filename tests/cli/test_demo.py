"""`make demo` runs anywhere, and looks right on a terminal of 80 columns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.optimize.clusters import planetlab

DEMO = [sys.executable, "-m", "tachyon.cli.demo"]


def check(out: str, folder: Path) -> None:
    for goal in ("server_consolidation", "workload_balancing"):
        assert (folder / f"{goal}.html").read_text().startswith("<!doctype html>")
        assert f"{goal}.html" in out
    lines = [line for line in out.splitlines() if ".html" not in line]
    assert max(map(len, lines)) <= 80


def test_it_shows_both_goals_on_a_generated_cluster(tmp_path: Path) -> None:
    outcome = run(DEMO, DATA="", REPORTS=str(tmp_path))
    check(outcome.out, tmp_path)
    assert outcome.err == ""


def test_it_takes_real_traces(tmp_path: Path) -> None:
    path = planetlab("20110306")
    outcome = run(DEMO, DATA=str(path), REPORTS=str(tmp_path))
    check(outcome.out, tmp_path)
    assert path.name in outcome.out


@pytest.mark.parametrize("data", ["nowhere.json", "pyproject.toml"])
def test_bad_data_is_one_line(tmp_path: Path, data: str) -> None:
    outcome = run(DEMO, code=1, DATA=data, REPORTS=str(tmp_path))
    assert outcome.err.startswith("demo: error: ")
    assert len(outcome.err.splitlines()) == 1
