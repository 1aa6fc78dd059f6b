"""What every test may use: the servers' fixtures and one way of drawing examples.

No plan of any test breaks a rule, but for those that say why: `tests.oversight`.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, settings

from tests.oversight.site import sitecustomize

pytest_plugins = ["tests.servers.fixtures"]

# Timings of single examples say nothing on a busy two-core machine, so there is no deadline.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples on every run of `make test`: a build must not fail by luck. Whoever calls
# pytest draws them anew.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

_FOUND: list[str] = []
_LEFT = tempfile.TemporaryDirectory(prefix="tachyon-plans-")


def pytest_configure() -> None:
    """Hear of every plan, of this process and of those that tests start."""
    sitecustomize.install(_FOUND.append)
    os.environ[sitecustomize.FOLDER] = _LEFT.name
    folders = [str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))


@pytest.fixture
def processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the time limit of `rebalance` in processor time: a busy machine changes nothing.

    Nor does a long collection of garbage end a search before it has begun: from one look at the
    clock to the next a tenth of the limit passes at the most.
    """
    from tachyon.optimize.strategies.rebalance import Rebalance

    lock = threading.Lock()
    seen, passed = process_time(), 0.0

    def clock(strategy: Rebalance) -> float:
        nonlocal seen, passed
        with lock:
            now = process_time()
            passed += min(now - seen, strategy.parameters["time_limit"] / 10)
            seen = now
            return passed

    monkeypatch.setattr(Rebalance, "clock", clock)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Let a test fail that has made a plan which breaks a rule, and does not say why."""
    try:
        yield
    finally:
        found = _problems()
    marker = item.get_closest_marker("illegal_plan")
    if marker is None:
        assert not found, found
    else:
        assert found, f"no plan breaks a rule any more, though {marker.args[0]}"


def _problems() -> list[str]:
    """Return what is wrong with the plans since the last call."""
    found = list(_FOUND)
    _FOUND.clear()
    for path in sorted(Path(_LEFT.name).iterdir()):
        found.append(path.read_text())
        path.unlink()
    return found
