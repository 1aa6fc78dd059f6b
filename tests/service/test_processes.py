"""Several service processes share a store; a service dies and stops without losing anything."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tachyon.errors import GenerationConflict, InvalidInput, StoreUnavailable
from tachyon.graph.client import GraphClient, HttpTransport, connect
from tachyon.graph.deltas import Move
from tachyon.graph.mutations import PatchConsumer
from tachyon.graph.view import wire
from tests.conformance.cluster import host, instance
from tests.servers.postgresql import PostgreSQL
from tests.service.conftest import empty
from tests.service.processes import ServiceProcess
from tests.service.raw import request
from tests.waiting import until

ROUNDS = 5


@pytest.fixture
def two(store_url: str, service: ServiceProcess) -> Iterator[tuple[GraphClient, GraphClient]]:
    """Clients of two services on one store."""
    with (
        ServiceProcess(store_url=store_url) as other,
        connect(service.url) as left,
        connect(other.url) as right,
    ):
        empty(left)
        yield left, right


def test_two_services_give_the_same_answers(two: tuple[GraphClient, GraphClient]) -> None:
    """What one has written the other one tells at once, to the byte of the snapshot."""
    left, right = two
    left.view(), right.view()
    for turn in range(10):
        writer, reader = two if turn % 2 else two[::-1]
        writer.put_provider(host(f"p{turn}"))
        writer.put_consumer(instance(f"c{turn}", f"p{turn}"))
        if turn > 2:
            writer.remove_consumer(f"c{turn - 1}")
        assert reader.consumer(f"c{turn}") == writer.consumer(f"c{turn}")
        assert reader.consumers() == writer.consumers()
        assert reader.usages() == writer.usages()
        assert wire.encode(reader.view()) == wire.encode(writer.view())


def test_a_stored_session_is_served_by_every_service(
    two: tuple[GraphClient, GraphClient],
) -> None:
    """Deltas recorded by one are seen, undone and committed by the other."""
    left, right = two
    for name in ("p1", "p2", "p3"):
        left.put_provider(host(name))
    left.put_consumer(instance("c1", "p1"))
    session = left.sessions.create(persistence="store").id
    left.sessions.record(session, Move(consumer_uuid="c1", to_provider="p2"))
    right.sessions.record(session, Move(consumer_uuid="c1", to_provider="p3"))
    assert left.sessions.placements(session, ["c1"])["c1"].host == "p3"
    assert right.sessions.undo(session).session.delta_count == 1
    assert left.sessions.usages(session) == right.sessions.usages(session)
    assert left.sessions.get(session) == right.sessions.get(session)
    right.sessions.commit(session)
    assert left.allocations("c1").keys() == {"p2"}
    assert left.sessions.get(session).status == "committed"


def test_clients_of_both_record_in_one_session_at_once(
    two: tuple[GraphClient, GraphClient],
) -> None:
    """Concurrent records of one session all arrive, in one order for everybody."""
    left, right = two
    for name in ("p1", "p2"):
        left.put_provider(host(name))
    for n in range(8):
        left.put_consumer(instance(f"c{n}", "p1", allocations={"p1": {"VCPU": 1}}))
    session = left.sessions.create(persistence="store").id

    def record(n: int) -> None:
        client = two[n % 2]
        for _ in range(20):
            try:
                client.sessions.record(session, Move(consumer_uuid=f"c{n}", to_provider="p2"))
            except Exception as error:
                if not getattr(error, "temporary", False):
                    raise
            else:
                return
        raise AssertionError("never got through")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(8)))
    assert left.sessions.history(session) == right.sessions.history(session)
    assert len(left.sessions.history(session)) == 8
    assert left.sessions.usages(session) == right.sessions.usages(session)


def test_workers_share_a_port(store_url: str) -> None:
    """Sessions of several workers live in the store; a worker that dies is replaced."""
    with ServiceProcess(store_url=store_url, workers=2) as service:
        with connect(service.url) as client:
            empty(client)
            for name in ("p1", "p2"):
                client.put_provider(host(name))
            client.put_consumer(instance("c1", "p1"))
            session = client.sessions.create()
            assert session.persistence == "store"
            with pytest.raises(InvalidInput):
                client.sessions.create(persistence="memory")
        # A new connection each, so both workers are asked.
        for turn in range(20):
            with connect(service.url) as client:
                move = Move(consumer_uuid="c1", to_provider=("p2", "p1")[turn % 2])
                assert client.sessions.record(session.id, move).session.delta_count == turn + 1
        victim = service.children()[0]
        service.kill_child(victim)
        until(lambda: victim not in service.children() and len(service.children()) == 2)
        with connect(service.url) as client:
            assert client.sessions.get(session.id).delta_count == 20
        assert service.stop() == 0


def test_a_killed_service_loses_nothing_it_has_acknowledged(store_url: str) -> None:
    """SIGKILL amid a stream of writes, again and again: every write that was answered is there."""
    generator = random.Random(1)
    acknowledged: dict[str, int] = {}
    recorded = 0
    service = ServiceProcess(store_url=store_url)
    service.start()
    with GraphClient(HttpTransport(service.url)) as client:
        empty(client)
        client.put_provider(host("p1"))
        client.put_provider(host("p2"))
        client.put_consumer(instance("c", "p1"))
        session = client.sessions.create(persistence="store", ttl=3600).id
    for turn in range(ROUNDS):
        killer = threading.Timer(generator.uniform(0.05, 0.6), service.kill)
        with GraphClient(HttpTransport(service.url, retries=0)) as client:
            try:
                for n in range(10**6):
                    done = client.put_consumer(instance(f"{turn}-{n}", "p1"))
                    acknowledged[f"{turn}-{n}"] = done.generation
                    if n == 0:
                        killer.start()
                    move = Move(consumer_uuid="c", to_provider=("p2", "p1")[recorded % 2])
                    recorded = client.sessions.record(session, move).session.delta_count
            except StoreUnavailable:
                pass
        killer.join()
        service.start()
        with connect(service.url) as client:
            found = {c.uuid: c.generation for c in client.consumers()}
            assert acknowledged.items() <= found.items()
            assert client.health().generation >= max(acknowledged.values(), default=0)
            # What was in flight may be there or not.
            history = len(client.sessions.history(session))
            assert recorded <= history <= recorded + 1
            recorded = history
    assert len(acknowledged) > ROUNDS
    service.stop()


def test_a_stop_lets_requests_finish(store_url: str) -> None:
    """SIGTERM ends a service with status 0, and requests under way get their answers."""
    with ServiceProcess(store_url=store_url) as service, connect(service.url) as client:
        generation = client.put_provider(host("p1", name=str(time.time()))).generation
        answers: list[Any] = []

        def wait() -> None:
            answers.append(request(service.url, "GET", f"/v1/changes?since={generation}&wait=50"))

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(2.0)  # until the service has the request; there is no telling
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 20
        waiting.join()
        assert answers[0].status == 200
        assert answers[0].body["changes"] == []


def test_only_harmless_calls_are_tried_again(store_url: str) -> None:
    """A service that is away for a moment is waited for, by calls that cannot do harm twice."""
    service = ServiceProcess(store_url=store_url)
    service.start()
    with GraphClient(HttpTransport(service.url, retries=11, backoff=0.05)) as client:
        empty(client)
        client.put_provider(host("p1"))
        service.kill()
        restart = threading.Timer(0.5, service.start)
        restart.start()
        assert client.provider("p1").uuid == "p1"
        restart.join()
        service.kill()
        restart = threading.Timer(0.5, service.start)
        restart.start()
        # Nobody listens, so nothing was sent: this may be tried again too.
        client.put_consumer(instance("c1", "p1"))
        restart.join()
    service.signal(signal.SIGINT)
    assert service.wait() == 0


def test_writers_through_two_services_lose_nothing(two: tuple[GraphClient, GraphClient]) -> None:
    """Guarded increments from clients of both services, repeated on conflict, all arrive."""
    two[0].put_consumer(instance("c1", metadata={"count": 0}))

    def increment(client: GraphClient) -> None:
        for _ in range(10):
            guarded(lambda: _increment(client))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(increment, two))
    assert two[0].consumer("c1").metadata == two[1].consumer("c1").metadata == {"count": 20}


def _increment(client: GraphClient) -> None:
    found = client.consumer("c1")
    more = {"count": found.metadata["count"] + 1}
    client.patch_consumer(PatchConsumer(uuid="c1", metadata=more), generation=found.generation)


def guarded(call: Callable[[], None]) -> None:
    """Repeat a call until no generation moves under it."""
    while True:
        try:
            return call()
        except GenerationConflict:
            continue


@pytest.mark.integration
def test_a_store_that_is_away_is_a_503() -> None:
    """While the database is down every call says so; afterwards the service goes on by itself."""
    with (
        PostgreSQL() as database,
        ServiceProcess(store_url=database.url) as service,
        GraphClient(HttpTransport(service.url, retries=0)) as client,
    ):
        client.put_provider(host("p1"))
        database.stop()
        for path in ("/v1/health", "/v1/providers/p1", "/v1/snapshot"):
            answer = request(service.url, "GET", path)
            assert (answer.status, answer.error["code"]) == (503, "store_unavailable")
            assert answer.headers["Retry-After"]
        with pytest.raises(StoreUnavailable):
            client.put_provider(host("p2"))
        database.start()
        assert client.provider("p1").uuid == "p1"
        client.put_provider(host("p2"))
