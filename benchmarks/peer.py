"""Stock python-watcher in a virtual environment of its own, cached outside the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

VERSION = "17.0.0"
#: The exact versions of all that it is run with, its tests' packages included.
CONSTRAINTS = Path(__file__).with_name("peer_constraints.txt")


def environment() -> Path:
    """Return the peer's interpreter, installing the package from the package index when absent."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tachyon" / "peers"
    home = cache / f"python-watcher-{VERSION}"
    python = home / "bin" / "python"
    if (
        subprocess.run(
            [python, "-c", "import watcher"], check=False, capture_output=True
        ).returncode
        if python.exists()
        else True
    ):
        print(f"installing python-watcher {VERSION} …", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run(
            [
                *(python, "-m", "pip", "install", "-q", "--disable-pip-version-check"),
                *("-c", CONSTRAINTS, f"python-watcher=={VERSION}"),
            ],
            check=True,
        )
    return python


def measure(cluster: Path, moves: Path) -> dict[str, Any]:
    """Return the peer's seconds by task on a cluster file (not compressed) and a list of moves."""
    done = subprocess.run(
        [environment(), "-m", "benchmarks.peer_worker", cluster, moves],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
