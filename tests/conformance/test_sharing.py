"""Several threads, several stores on one database, and reopening."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tachyon.errors import GenerationConflict, SessionConflict
from tachyon.graph.deltas import Move
from tachyon.graph.mutations import Expected, PatchConsumer, PutConsumer
from tachyon.graph.store import Store, open_store

from .cluster import consumer_in, contents, host, instance, put, record, replayed

THREADS = 4
ROUNDS = 25


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs at the same time, each in a thread of its own."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def test_what_is_stored_is_there_after_reopening(shared_url: str) -> None:
    """A store is durable."""
    first = open_store(shared_url)
    put(first, host("p1"), instance("c1", "p1"))
    first.create_session(record(base=1), [Move(consumer_uuid="c1", to_provider="p1")])
    before = contents(first)
    first.close()
    second = open_store(shared_url)
    assert contents(second) == before
    assert second.generation() == 1
    assert second.session("s1").delta_count == 1
    assert len(second.changes(0).changes) == 2
    second.close()


def test_creating_the_schema_again_changes_nothing(store: Store) -> None:
    """`create_schema` is idempotent."""
    put(store, host("p1"))
    before = contents(store)
    store.create_schema()
    assert contents(store) == before
    assert store.generation() == 1


def test_many_processes_may_create_the_schema_at_once(
    shared_url: str, open_store_at: Callable[[str], Store]
) -> None:
    """Services that start together do not stand in each other's way."""
    stores = together(*[lambda: open_store_at(shared_url) for _ in range(THREADS)])
    assert [store.generation() for store in stores] == [0] * THREADS


def test_two_stores_on_one_database_see_each_other(
    shared_url: str, open_store_at: Callable[[str], Store]
) -> None:
    """What one store has applied, the other one reads at once."""
    left, right = open_store_at(shared_url), open_store_at(shared_url)
    put(left, host("p1"), instance("c1", "p1"))
    assert right.generation() == 1
    right.apply([PatchConsumer(uuid="c1", locked=True)], Expected(graph=1))
    assert consumer_in(left, "c1").locked is True
    assert left.changes(1) == right.changes(1)
    left.create_session(record())
    right.append_deltas("s1", [Move(consumer_uuid="c", to_provider="p")], version=0)
    with pytest.raises(SessionConflict):
        left.append_deltas("s1", [Move(consumer_uuid="d", to_provider="p")], version=0)


def test_writers_in_threads_lose_nothing(store: Store) -> None:
    """Transactions of several threads are applied one after the other, all of them."""
    put(store, host("p1"))

    def write(thread: int) -> list[int]:
        return [put(store, instance(f"{thread}-{n}", "p1")) for n in range(ROUNDS)]

    generations = together(*[lambda t=t: write(t) for t in range(THREADS)])
    assert sorted(g for some in generations for g in some) == list(range(2, 2 + THREADS * ROUNDS))
    assert store.generation() == 1 + THREADS * ROUNDS
    assert len(store.load().consumers.uuid) == THREADS * ROUNDS
    assert replayed({}, store.changes(0).changes) == contents(store)


def test_writers_in_two_stores_lose_nothing(
    shared_url: str, open_store_at: Callable[[str], Store]
) -> None:
    """Guarded increments from two stores, repeated on conflict, all arrive."""
    stores = [open_store_at(shared_url) for _ in range(2)]
    put(stores[0], instance("c1", metadata={"count": 0}))

    def increment(store: Store) -> None:
        done = 0
        while done < ROUNDS:
            consumer = consumer_in(store, "c1")
            more = {"count": consumer.metadata["count"] + 1}
            guard = Expected(consumers={"c1": consumer.generation})
            try:
                store.apply([PatchConsumer(uuid="c1", metadata=more)], guard)
            except GenerationConflict:
                continue
            done += 1

    together(*[lambda s=s: increment(s) for s in stores])
    assert consumer_in(stores[0], "c1").metadata == {"count": 2 * ROUNDS}


def test_readers_see_whole_transactions(store: Store) -> None:
    """A load is at one generation while others write."""
    put(store, host("p1"), host("p2"), *[instance(f"c{n}", "p1") for n in range(20)])

    def write() -> None:
        for turn in range(ROUNDS):
            home = "p2" if turn % 2 == 0 else "p1"
            moved = [instance(f"c{n}", home) for n in range(20)]
            store.apply([PutConsumer(consumer=consumer) for consumer in moved])

    def read() -> None:
        for _ in range(ROUNDS):
            snapshot = store.load()
            assert len(set(snapshot.allocation_provider)) == 1
            assert set(snapshot.consumers.generation) == {snapshot.generation}
            since = max(0, snapshot.generation - 2)
            feed = store.changes(since)
            per_generation = {
                g: sum(c.generation == g for c in feed.changes)
                for g in range(since + 1, feed.generation + 1)
            }
            assert set(per_generation.values()) <= {0, 22}

    together(write, read, read)


def test_of_many_appends_at_one_version_one_wins(store: Store) -> None:
    """Optimistic writers of a session are told of each other."""
    store.create_session(record())

    def append(thread: int) -> int:
        try:
            store.append_deltas(
                "s1", [Move(consumer_uuid=str(thread), to_provider="p")] * 3, version=0
            )
        except SessionConflict:
            return 0
        return 1

    assert sum(together(*[lambda t=t: append(t) for t in range(THREADS)])) == 1
    assert store.session("s1").delta_count == len(store.deltas("s1")) == 3


def test_a_session_expires_once(store: Store) -> None:
    """Of several sweeps at the same time, one reports the session."""
    due = record()
    store.create_session(due)
    found = together(*[lambda: store.expire_sessions(due.expires_at)] * THREADS)
    assert sorted(map(len, found)) == [0] * (THREADS - 1) + [1]
