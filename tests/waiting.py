"""Waiting for what other threads and processes bring about."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which something will not happen any more, however busy the machine is.
PATIENCE = 60.0


def until(check: Callable[[], object], seconds: float = PATIENCE, *, pause: float = 0.01) -> None:
    """Return as soon as `check` is true.

    What follows is to assert nothing that comes about later than what `check` looks at: the graph
    is written before its writer counts it, e.g., so whoever reads the count waits for that.
    """
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"it did not come to pass within {seconds:.0f} s"
        time.sleep(pause)
