"""The client's virtual environment, cached outside the repository by version."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from tests.servers.packages import cache_directory, installation_lock

CLIENT, OPENSTACK, TEMPEST = "4.11.0", "10.5.0", "47.0.0"


def interpreter() -> Path:
    """Return the environment's Python, installing the client from the package index when absent."""
    home = cache_directory() / "peers" / f"python-watcherclient-{CLIENT}-{OPENSTACK}-{TEMPEST}"
    python = home / "bin" / "python"
    with installation_lock():
        if not _works(python):
            print(f"installing python-watcherclient {CLIENT} …", file=sys.stderr)
            venv.create(home, with_pip=True, clear=True)
            wanted = (
                f"python-watcherclient=={CLIENT}",
                f"python-openstackclient=={OPENSTACK}",
                # Its own functional tests are written with it.
                f"tempest=={TEMPEST}",
            )
            subprocess.run(
                [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted],
                check=True,
            )
    return python


def _works(python: Path) -> bool:
    wanted = "watcherclient.osc.plugin, openstackclient.shell, tempest.lib.exceptions"
    command = [str(python), "-c", f"import {wanted}"]
    return (
        python.exists()
        and subprocess.run(command, check=False, capture_output=True).returncode == 0
    )
