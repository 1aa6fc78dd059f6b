"""Transactions and lists far beyond the usual."""

from __future__ import annotations

import pytest

from tachyon.errors import GenerationTooOld
from tachyon.graph.entities import AvailabilityZone, Consumer
from tachyon.graph.mutations import Cluster, PatchConsumer, PutConsumer, RemoveConsumer, Synchronise
from tachyon.graph.store import Applied, Store

from .cluster import contents, host, instance, put, record, replayed

#: More changes than any store logs one by one, unless it must.
MANY = 20_001
FLOOD = Synchronise(
    cluster=Cluster(availability_zones=[AvailabilityZone(name=f"z{n}") for n in range(MANY)]),
    provider_types=(),
)


def test_a_transaction_too_large_to_log_moves_the_floor(store: Store) -> None:
    """Followers from before it load afresh; those from after it follow as ever."""
    put(store, host("p1"))
    assert store.apply([FLOOD]) == Applied(2, MANY)
    assert len(store.load().availability_zones) == MANY
    for since in (0, 1):
        with pytest.raises(GenerationTooOld) as caught:
            store.changes(since)
        assert caught.value.details["oldest"] == 2
    assert store.changes(2).changes == []
    put(store, host("p2"))
    assert [c.key for c in store.changes(2).changes] == ["p2"]
    assert store.trim(keep=100) == 2


def test_a_large_transaction_that_a_session_needs_is_logged(store: Store) -> None:
    """An active session on an older generation can be brought up to date."""
    put(store, host("p1"))
    store.create_session(record(base=1))
    before = contents(store)
    store.apply([FLOOD])
    feed = store.changes(1, limit=100)
    assert (feed.generation, len(feed.changes), feed.more) == (2, MANY, False)
    assert replayed(before, feed.changes) == contents(store)


def test_a_session_on_the_present_generation_needs_no_log(store: Store) -> None:
    """A session that has ended does not hold the log either."""
    put(store, host("p1"))
    store.create_session(record(base=0))
    store.update_session("s1", version=0, status="rolled_back")
    store.apply([FLOOD])
    with pytest.raises(GenerationTooOld):
        store.changes(1)


def test_a_transaction_of_many_single_mutations(store: Store) -> None:
    """Thousands of mutations are read, written and removed in a few portions."""
    put(store, host("p1"), host("p2"))
    names = [f"c{n}" for n in range(3000)]
    put(store, *[instance(name, "p1") for name in names])
    moved = [PatchConsumer(uuid=name, allocations={"p2": {"VCPU": 1}}) for name in names]
    assert store.apply(moved) == Applied(3, 3002)
    snapshot = store.load()
    assert list(snapshot.consumers.uuid) == names
    assert len(snapshot.allocation_amount) == 3000
    store.apply([RemoveConsumer(uuid=name) for name in names])
    assert list(store.load().consumers.uuid) == []


def test_a_large_value_is_kept(store: Store) -> None:
    """Free values may have megabytes."""
    large = {"text": "é" * 2_000_000, "list": list(range(100_000))}
    store.apply([PutConsumer(consumer=Consumer(uuid="c", metadata=large))])
    assert contents(store)["consumer", "c"]["metadata"] == large
    (change,) = store.changes(0).changes
    assert change.after is not None
    assert change.after["metadata"] == large
