"""How fast the service is on loopback; run by `pytest -m bench`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tachyon.graph.client import GraphClient, HttpTransport, connect
from tachyon.graph.deltas import Move
from tachyon.graph.generator import generate
from tachyon.graph.mutations import PatchConsumer
from tests.conformance.cluster import host, instance
from tests.service.processes import ServiceProcess

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


def fastest(call: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the fastest of some calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def test_deltas_by_the_thousand(tmp_path: Path) -> None:
    """A thousand deltas one by one in a second, as one batch in 30 ms."""
    with (
        ServiceProcess(store_url=f"sqlite:///{tmp_path / 'graph.db'}") as service,
        connect(service.url) as client,
    ):
        for name in ("p1", "p2"):
            client.put_provider(host(name))
        client.put_consumer(instance("c1", "p1"))
        moves = [Move(consumer_uuid="c1", to_provider=("p2", "p1")[n % 2]) for n in range(1000)]
        session = client.sessions.create().id

        def one_by_one() -> None:
            for move in moves:
                client.sessions.record(session, move)

        single = fastest(one_by_one)
        batch = fastest(lambda: client.sessions.record(session, moves))
        print(f"\n1,000 deltas: {single:.3f} s one by one, {batch * 1e3:.1f} ms as a batch")
        assert single < 1.0
        assert batch < 0.03


def test_the_whole_model_at_once(tmp_path: Path) -> None:
    """5,000 providers and 100,000 consumers become a view at the client in 0.3 s, cold."""
    cluster = generate(5000, 100_000, seed=1).cluster
    with (
        ServiceProcess(store_url=f"sqlite:///{tmp_path / 'graph.db'}") as service,
        connect(service.url) as client,
    ):
        client.synchronise(cluster)
        client.consumer(cluster.consumers[0].uuid)
        found = []
        for turn in range(3):
            # A new generation each time, so that nothing encoded before can be sent again.
            client.patch_consumer(
                PatchConsumer(uuid=cluster.consumers[0].uuid, locked=turn % 2 == 0)
            )
            client.consumer(cluster.consumers[0].uuid)
            with GraphClient(HttpTransport(service.url)) as fresh:
                found.append(fastest(fresh.view, 1))
                kept = fastest(fresh.view, 1)
        print(f"\nview: {min(found):.3f} s loaded, {kept * 1e3:.1f} ms carried forward")
        assert min(found) < 0.3
