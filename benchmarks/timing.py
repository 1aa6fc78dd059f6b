"""How time and memory are measured: the best of several rounds, since a machine is rarely idle."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any


def best(function: Callable[[], Any], rounds: int = 7, calls: int = 1) -> float:
    """Return the least seconds that one call took, over `rounds` of `calls` calls each."""
    least = float("inf")
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        for _ in range(calls):
            function()
        least = min(least, (time.perf_counter() - started) / calls)
    return least


def resident() -> int:
    """Return the bytes of memory that this process holds now."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
