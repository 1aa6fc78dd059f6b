"""The virtual environment in which stock Watcher runs: its own packages, its tests' and Tachyon.

The environment is the one that the benchmarks measure the peer in (`benchmarks.peer`), outside the
checkout; Tachyon is installed there as an editable package of this checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from functools import cache
from pathlib import Path

from benchmarks import peer
from tests.servers.packages import installation_lock

ROOT = Path(__file__).resolve().parents[2]

#: What upstream's tests import and its package does not ask for.
TEST_PACKAGES = (
    "ddt",
    "fixtures",
    "freezegun",
    "gabbi",
    "oslotest",
    "testscenarios",
    "testtools",
    "WebTest",
    "Werkzeug",
    "wsgi-intercept",
)


@cache
def interpreter() -> Path:
    """Return the environment's Python, installing what is missing or of another checkout."""
    with installation_lock():
        python = peer.environment()
        stamp = python.parents[1] / "interop.json"
        project = (ROOT / "pyproject.toml").read_bytes() + peer.CONSTRAINTS.read_bytes()
        wanted = {"root": str(ROOT), "project": hashlib.sha256(project).hexdigest()}
        if not stamp.exists() or json.loads(stamp.read_text("utf-8")) != wanted:
            subprocess.run(
                [
                    *(python, "-m", "pip", "install", "-q", "--disable-pip-version-check"),
                    *("-c", peer.CONSTRAINTS, *TEST_PACKAGES, "-e", ROOT),
                ],
                check=True,
            )
            stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return python


def command(*arguments: str | Path) -> list[str]:
    """Return a command line for the environment's Python."""
    return [str(interpreter()), *map(str, arguments)]


def variables() -> dict[str, str]:
    """Return the environment variables of a process in there, without those of this one's."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return {**inherited, "PYTHONWARNINGS": "ignore", "OS_WATCHER_DISABLE_EVENTLET_PATCHING": "true"}
