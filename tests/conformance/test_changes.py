"""The change feed and its trimming."""

from __future__ import annotations

import pytest

from tachyon.errors import GenerationTooOld
from tachyon.graph.entities import AvailabilityZone, Flavor, Inventory
from tachyon.graph.mutations import (
    Cluster,
    PatchConsumer,
    PatchProvider,
    PutAvailabilityZone,
    PutFlavor,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
    Synchronise,
)
from tachyon.graph.store import Change, ChangeSet, Store

from .cluster import contents, host, instance, put, record, replayed, rewound


def busy_history(store: Store) -> None:
    """A dozen transactions of every sort."""
    put(store, host("p1"), host("p2"), host("numa", parent_uuid="p2"), instance("c1", "p1"))
    store.apply([PutFlavor(flavor=Flavor(id="f", extra_specs={"a": "b"}))])
    put(store, instance("c2", "p1"), instance("c3", "numa"))
    store.apply([PatchConsumer(uuid="c1", allocations={"p2": {"VCPU": 1}}, metadata={"k": [1]})])
    store.apply(
        [
            PatchProvider(
                uuid="p1",
                inventories={"VCPU": Inventory(total=99), "MEMORY_MB": Inventory(total=1)},
            )
        ]
    )
    store.apply([RemoveConsumer(uuid="c2")])
    store.apply([PutFlavor(flavor=Flavor(id="f", vcpus=3))])
    store.apply([RemoveProvider(uuid="p2", cascade=True)])
    put(store, host("p2", name="again"), instance("c2", "p2"))
    store.apply([RemoveRecord(kind="flavor", key="f")])
    store.apply([PutAvailabilityZone(availability_zone=AvailabilityZone(name="az"))])
    store.apply([Synchronise(cluster=Cluster(providers=[host("p1"), host("p9")]))])


def test_a_change_holds_the_fields_that_differ(store: Store) -> None:
    """Before and after images hold what differs, as plain JSON values."""
    put(store, host("p1"), instance("c1", "p1"))
    store.apply([PatchConsumer(uuid="c1", locked=True, status="ACTIVE")])
    assert store.changes(1) == ChangeSet(
        2,
        [
            Change(
                generation=2,
                kind="consumer",
                key="c1",
                before={"generation": 1, "status": None, "locked": False},
                after={"generation": 2, "status": "ACTIVE", "locked": True},
            )
        ],
    )


def test_creation_and_removal_hold_whole_images(store: Store) -> None:
    """`before` is None on creation, `after` on removal; the other side is the whole entity."""
    put(store, instance("c1"))
    image = contents(store)["consumer", "c1"]
    store.apply([RemoveConsumer(uuid="c1")])
    created, removed = store.changes(0).changes
    assert (created.before, created.after) == (None, image)
    assert (removed.before, removed.after) == (image, None)


def test_changes_come_in_order(store: Store) -> None:
    """Transactions come by generation; within one, what is named stands before what names it."""
    put(store, instance("c", "child"), host("child", parent_uuid="parent"), host("parent"))
    store.apply([PatchConsumer(uuid="c", locked=True)])
    found = [(c.generation, c.kind, c.key) for c in store.changes(0).changes]
    assert found == [
        (1, "provider", "parent"),
        (1, "provider", "child"),
        (1, "consumer", "c"),
        (2, "consumer", "c"),
    ]


def test_replaying_changes_leads_from_any_generation_to_the_present(store: Store) -> None:
    """A view that applies the changes after its generation is equal to a fresh load."""
    images = {0: contents(store)}
    busy_history(store)
    assert store.generation() == 12
    feed = store.changes(0).changes
    for change in feed:
        images[change.generation] = replayed(
            images.get(change.generation, images[change.generation - 1]), [change]
        )
    present = contents(store)
    assert images[12] == present
    for generation, image in images.items():
        after = store.changes(generation).changes
        assert replayed(image, after) == present
        assert rewound(present, after) == image


def test_applying_after_images_twice_is_harmless(store: Store) -> None:
    """A follower that sees a transaction again ends where it was."""
    put(store, host("p1"), instance("c1", "p1"))
    image = contents(store)
    store.apply([PatchConsumer(uuid="c1", locked=True)])
    (change,) = store.changes(1).changes
    assert change.after is not None
    once = image["consumer", "c1"] | change.after
    assert once | change.after == once == contents(store)["consumer", "c1"]


def test_nothing_new_is_an_empty_set(store: Store) -> None:
    """A follower that is up to date is told its own generation."""
    put(store, host("p1"))
    assert store.changes(1) == ChangeSet(1, [])


def test_a_limit_cuts_after_a_whole_transaction(store: Store) -> None:
    """The set ends with the transaction that reaches the limit; `more` says that there is more."""
    put(store, host("p1"), host("p2"), host("p3"))
    put(store, instance("c1", "p1"))
    put(store, instance("c2"))
    first = store.changes(0, limit=2)
    assert (first.generation, len(first.changes), first.more) == (1, 3, True)
    second = store.changes(1, limit=3)
    assert (second.generation, len(second.changes), second.more) == (3, 3, False)
    exact = store.changes(1, limit=2)
    assert (exact.generation, len(exact.changes), exact.more) == (2, 2, True)


def test_reading_in_small_pieces_gives_the_same_changes(store: Store) -> None:
    """Pieces joined by their generations are the whole feed."""
    busy_history(store)
    pieces: list[Change] = []
    since, more = 0, True
    while more:
        piece = store.changes(since, limit=1)
        assert {c.generation for c in piece.changes} == {piece.generation}
        pieces += piece.changes
        since, more = piece.generation, piece.more
    assert pieces == store.changes(0).changes
    assert since == store.generation()


def test_trimming_keeps_the_last_generations(store: Store) -> None:
    """`trim` returns the oldest generation from which `changes` still answers."""
    busy_history(store)
    kept = store.changes(9)
    assert store.trim(keep=3) == 9
    assert store.changes(9) == kept
    with pytest.raises(GenerationTooOld) as caught:
        store.changes(8)
    assert caught.value.details == {"asked": 8, "oldest": 9}


def test_trimming_more_than_there_is_forgets_nothing(store: Store) -> None:
    """A log shorter than `keep` stays whole."""
    busy_history(store)
    feed = store.changes(0)
    assert store.trim(keep=1000) == 0
    assert store.changes(0) == feed


def test_trimming_everything_leaves_the_present(store: Store) -> None:
    """With `keep=0` only a follower that is up to date still gets an answer."""
    busy_history(store)
    before = contents(store)
    assert store.trim(keep=0) == 12
    assert store.changes(12) == ChangeSet(12, [])
    with pytest.raises(GenerationTooOld):
        store.changes(11)
    assert contents(store) == before
    assert store.trim(keep=5) == 12
    put(store, host("next"))
    assert [c.key for c in store.changes(12).changes] == ["next"]


def test_trimming_keeps_what_active_sessions_need(store: Store) -> None:
    """Transactions after the oldest base generation of any active session stay."""
    busy_history(store)
    store.create_session(record("old", base=4))
    store.create_session(record("young", base=8))
    closed = store.create_session(record("closed", base=2))
    store.update_session("closed", version=closed.version, status="rolled_back")
    kept = store.changes(4)
    assert store.trim(keep=0) == 4
    assert store.changes(4) == kept
    store.delete_session("old")
    assert store.trim(keep=0) == 8
    with pytest.raises(GenerationTooOld):
        store.changes(7)


def test_a_synchronisation_after_a_trim_does_not_fail(store: Store) -> None:
    """Removals are known as far as the log reaches back; beyond that the reading is believed."""
    put(store, instance("c1"), instance("c2"))
    store.apply([RemoveConsumer(uuid="c1")])
    store.trim(keep=0)
    store.apply([RemoveConsumer(uuid="c2")])
    sync = Synchronise(cluster=Cluster(consumers=[instance("c1"), instance("c2")]), since=1)
    store.apply([sync])
    assert list(store.load().consumers.uuid) == ["c1"]


def test_what_comes_and_goes_is_told_with_its_position(store: Store) -> None:
    """Creation and removal of providers and consumers carry their place in the order of arrival."""
    put(store, host("p1"), host("p2"), instance("c1", "p1"), instance("c2", "p1"))
    loaded = store.load()
    places = dict(zip((p.uuid for p in loaded.providers), loaded.provider_key, strict=True))
    places |= dict(zip(loaded.consumers.uuid, loaded.consumers.key, strict=True))
    assert places["p1"] < places["p2"]
    assert places["c1"] < places["c2"]
    assert {c.key: c.position for c in store.changes(0).changes} == places

    store.apply([RemoveConsumer(uuid="c1"), PatchConsumer(uuid="c2", locked=True)])
    told = {c.key: c.position for c in store.changes(1).changes}
    assert told["c1"] == places["c1"]
    assert told["c2"] is None
    assert told["p1"] is None
