"""What a client can use up is bounded: body sizes, sessions, deltas, candidates, waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tachyon.errors import LimitExceeded
from tachyon.graph.client import connect
from tachyon.graph.deltas import Move
from tachyon.graph.service.server import running
from tests.conformance.cluster import host, instance
from tests.service.raw import request, send
from tests.waiting import until

OPTIONS = """
[service]
max_body = 2000
max_bulk_body = 4000
max_wait = 8
waiters = 1
timeout = 1
page = 3
sweep_interval = 0.1
keep_generations = 5
[sessions]
limit = 2
deltas = 3
candidates = 4
max_ttl = 100
ttl = 50
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with narrow bounds; hosts p1 and p2, instances c0 to c4 on p1."""
    folder: Path = tmp_path_factory.mktemp("limits")
    config = folder / "tachyon.conf"
    config.write_text(OPTIONS)
    with running(f"sqlite:///{folder / 'graph.db'}", config_file=str(config)) as found:
        with connect(found) as client:
            for name in ("p1", "p2"):
                client.put_provider(host(name))
            for n in range(5):
                client.put_consumer(instance(f"c{n}", "p1"))
        yield found


def test_bodies_are_bounded(url: str) -> None:
    """413 beyond the bound, which is wider for bulk operations."""
    for size, single, bulk in ((1500, 400, 400), (3000, 413, 400), (5000, 413, 413)):
        body = b" " * size
        assert request(url, "PUT", "/v1/providers/p1", body).status == single
        assert request(url, "POST", "/v1/mutations", body).status == bulk
    chunk = b"3e8\r\n" + b" " * 1000 + b"\r\n"
    head = b"PUT /v1/providers/p1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = send(url, head + chunk * 3 + b"0\r\n\r\n")
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


def test_sessions_are_bounded(url: str) -> None:
    """429 for one session, delta or candidate too many."""
    with connect(url) as client:
        first = client.sessions.create(ttl=90)
        client.sessions.create()
        with pytest.raises(LimitExceeded) as caught:
            client.sessions.create()
        assert caught.value.details == {"limit": 2}
        assert request(url, "POST", "/v1/sessions", {}).status == 429
        moves = [Move(consumer_uuid=f"c{n}", to_provider="p2") for n in range(5)]
        client.sessions.record(first.id, moves[:2])
        with pytest.raises(LimitExceeded):
            client.sessions.record(first.id, moves[2:4])
        client.sessions.delete(first.id)
        with pytest.raises(LimitExceeded):
            client.sessions.create(deltas=moves[:4])
        first = client.sessions.create()
        with pytest.raises(LimitExceeded):
            client.sessions.evaluate(first.id, [moves[2:4], moves[2:4], moves[4]])
        for session in client.sessions.list():
            client.sessions.delete(session.id)
    assert request(url, "POST", "/v1/sessions", {"ttl": 101}).status == 400


def test_waiting_is_bounded(url: str) -> None:
    """A wait ends in time, and of too many waiting requests some are answered at once."""
    generation = request(url, "GET", "/v1/health").body["generation"]

    def wait(_: int) -> float:
        began = time.monotonic()
        path = f"/v1/changes?since={generation}&wait=3000"
        assert request(url, "GET", path).body["changes"] == []
        return time.monotonic() - began

    with ThreadPoolExecutor(2) as pool:
        shorter, longer = sorted(pool.map(wait, range(2)))
    assert shorter < 4
    assert 7.5 < longer < 20


def test_pages_are_bounded(url: str) -> None:
    """Without a limit a list ends after a page."""
    page = request(url, "GET", "/v1/consumers").body
    assert (len(page["consumers"]), page["next"]) == (3, "c2")


def test_a_client_that_stalls_is_cut_off(url: str) -> None:
    """A request whose rest does not come holds nothing for long."""
    head = b"PUT /v1/providers/p1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    answer = send(url, head + b"{")
    assert answer.status in (400, 408)
    assert answer.error["code"]


def test_the_change_log_is_trimmed_now_and_then(url: str) -> None:
    """A sweep forgets transactions beyond those to keep."""
    with connect(url) as client:
        until(lambda: request(url, "GET", "/v1/changes?since=0").status == 410)
        generation = client.health().generation
        client.put_provider(host("p1", name="again"))
        assert len(client.changes(generation).changes) == 1
