"""A cloud of 1,000 hosts and 20,000 servers costs what it may cost."""

from __future__ import annotations

import gc

import pytest

from benchmarks.collectors import measure

pytestmark = pytest.mark.integration


@pytest.mark.timeout(600)
def test_a_thousand_hosts_are_read_in_few_requests_and_little_time() -> None:
    # What other tests have left is no garbage of this one.
    gc.collect()
    gc.freeze()
    try:
        figures = measure(1000, 20_000)
    finally:
        gc.unfreeze()
    assert figures["compute, first"]["requests"] <= 2300
    assert figures["compute, first"]["cpu_seconds"] <= 20
    assert figures["compute, next"]["requests"] <= 100
    assert figures["storage, next"]["requests"] <= 20
    assert figures["poll, nothing changed"]["changed"] == 0
    assert figures["poll, nothing changed"]["requests"] == 4
    # A hundredth of a core, every ten seconds.
    assert figures["poll, nothing changed"]["cpu_seconds"] <= 0.1
    assert figures["events"]["changed"] == figures["events"]["count"]
    # By CPU time, as the machine may have other things to do.
    assert figures["events"]["per_cpu_second"] >= 1000
