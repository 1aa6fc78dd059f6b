"""Installing what the machine lacks, and where downloads are kept.

A test machine may be brand-new: databases come from Debian's packages, Neo4j from Maven. Two test
processes may want the same thing at once, so every installation happens under one lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.servers.process import ServerError, run

_POLICY = Path("/usr/sbin/policy-rc.d")


def cache_directory() -> Path:
    """Return the directory for downloads, outside the checkout and shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "tachyon"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextlib.contextmanager
def installation_lock() -> Iterator[None]:
    """Let one process at a time install or download."""
    with (cache_directory() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def apt_install(*packages: str) -> None:
    """Install Debian packages without letting them start a daemon of their own."""
    wanted = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerError(f"missing on this machine: {wanted}; please install")
    with _no_daemons():
        run(["apt-get", "update", "-q"])
        run(
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                *("apt-get", "install", "-qy", "--no-install-recommends", *packages),
            ]
        )


@contextlib.contextmanager
def _no_daemons() -> Iterator[None]:
    """Forbid package scripts to start services (Debian Policy, section 9.3.3.1)."""
    if _POLICY.exists():  # the machine's own policy stands
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
