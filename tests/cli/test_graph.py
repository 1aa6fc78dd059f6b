"""`tachyon graph serve` serves the API from the command line's options."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.cli.running import TACHYON, tachyon
from tests.servers.process import free_port


def test_it_serves_the_store_until_it_is_told_to_stop(cluster_path: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    tachyon("import", cluster_path, "--store", url)
    port = free_port()
    command = [str(TACHYON), "graph", "serve", "--store", url, "--host", "127.0.0.1"]
    process = subprocess.Popen([*command, "--port", str(port), "--auth", "noauth"])
    try:
        versions = _answer(f"http://127.0.0.1:{port}/", process)
        assert versions["versions"][0]["id"] == "v1"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def _answer(url: str, process: subprocess.Popen[bytes]) -> dict[str, list[dict[str, str]]]:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, list[dict[str, str]]] = json.load(answer)
                return found
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service does not answer")


def test_a_store_that_cannot_be_opened_is_one_line() -> None:
    outcome = tachyon("graph", "serve", "--store", "carrier://pigeon", code=None)
    assert outcome.code in (1, 2)
    assert "Traceback" not in outcome.err
    assert "carrier" in outcome.err
