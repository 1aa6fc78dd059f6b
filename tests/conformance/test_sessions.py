"""Stored sessions: records, deltas, versions, ends and commits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tachyon.errors import (
    GenerationConflict,
    InvalidInput,
    NothingToUndo,
    SessionClosed,
    SessionConflict,
    SessionNotFound,
)
from tachyon.graph.deltas import (
    Allocate,
    Deallocate,
    Delta,
    Move,
    Resize,
    SessionRecord,
    SessionStatus,
    UpdateProvider,
)
from tachyon.graph.mutations import Expected, PatchConsumer, PatchProvider
from tachyon.graph.store import Applied, Store

from .cluster import NOON, consumer_in, contents, host, instance, put, record

DELTAS: list[Delta] = [
    Move(consumer_uuid="c1", to_provider="p2"),
    Move(consumer_uuid="c1", to_provider="p1", from_provider="p2"),
    Allocate(consumer_uuid="new é", to_provider="p1", resources={"VCPU": 2}, name="n"),
    Deallocate(consumer_uuid="c1"),
    Resize(consumer_uuid="c1", resources={"VCPU": 0, "MEMORY_MB": 2**40}, flavor_id="f"),
    UpdateProvider(provider_uuid="p1", status="disabled", disabled_reason=None),
]


def moves(count: int) -> list[Delta]:
    return [Move(consumer_uuid=f"c{n}", to_provider="p") for n in range(count)]


def test_a_session_is_stored_whole(store: Store) -> None:
    """Every field of a record comes back as it was stored."""
    full = record(
        "é-1",
        base=7,
        audit_uuid="audit",
        name="what if\nwe did",
        version=3,
        created_at=NOON,
        expires_at=NOON + timedelta(days=1, microseconds=1),
    )
    assert store.create_session(full) == full
    assert store.session("é-1") == full
    assert store.deltas("é-1") == []


def test_a_fork_is_stored_with_its_deltas(store: Store) -> None:
    """A session created with deltas counts them."""
    stored = store.create_session(record(), DELTAS)
    assert stored.delta_count == len(DELTAS)
    assert store.session("s1") == stored
    assert store.deltas("s1") == DELTAS


def test_an_id_is_taken_once(store: Store) -> None:
    """Creating a session under an id in use is a conflict and changes nothing."""
    store.create_session(record(name="first"))
    with pytest.raises(SessionConflict):
        store.create_session(record(name="second"), DELTAS)
    assert store.session("s1").name == "first"
    assert store.deltas("s1") == []


def test_appended_deltas_come_back_in_order(store: Store) -> None:
    """Each append raises the version; deltas are read from a position on."""
    store.create_session(record())
    first = store.append_deltas("s1", DELTAS[:2], version=0)
    assert (first.version, first.delta_count) == (1, 2)
    second = store.append_deltas("s1", DELTAS[2:], version=1)
    assert (second.version, second.delta_count) == (2, 6)
    assert store.session("s1") == second
    assert store.deltas("s1") == DELTAS
    assert store.deltas("s1", since=4) == DELTAS[4:]
    assert store.deltas("s1", since=6) == []


def test_many_deltas_are_appended_at_once(store: Store) -> None:
    """A long list of deltas is one append."""
    store.create_session(record())
    assert store.append_deltas("s1", moves(2500), version=0).delta_count == 2500
    assert store.deltas("s1") == moves(2500)


def test_an_old_version_is_a_conflict(store: Store) -> None:
    """Of two writers that hold the same version, one is told to read again."""
    store.create_session(record())
    store.append_deltas("s1", moves(1), version=0)
    later = NOON + timedelta(hours=9)
    for attempt in (
        lambda: store.append_deltas("s1", moves(2), version=0),
        lambda: store.undo_deltas("s1", 1, version=0),
        lambda: store.update_session("s1", version=0, expires_at=later),
        lambda: store.commit_session("s1", [], Expected(), version=0, closed_at=NOON),
    ):
        with pytest.raises(SessionConflict):
            attempt()
    assert store.deltas("s1") == moves(1)
    assert store.session("s1").version == 1


def test_undo_drops_the_last_deltas(store: Store) -> None:
    """What is undone is gone; what follows takes its place."""
    store.create_session(record(), DELTAS)
    undone = store.undo_deltas("s1", 2, version=0)
    assert (undone.version, undone.delta_count) == (1, 4)
    assert store.deltas("s1") == DELTAS[:4]
    store.append_deltas("s1", moves(1), version=1)
    assert store.deltas("s1") == DELTAS[:4] + moves(1)


def test_undoing_more_than_there_is_is_refused(store: Store) -> None:
    """Undo drops all that was asked, or nothing."""
    store.create_session(record(), DELTAS[:2])
    with pytest.raises(NothingToUndo):
        store.undo_deltas("s1", 3, version=0)
    assert store.deltas("s1") == DELTAS[:2]
    assert store.undo_deltas("s1", 2, version=0).delta_count == 0


def test_a_session_is_extended(store: Store) -> None:
    """Extending changes when it expires, and raises its version."""
    created = store.create_session(record())
    later = NOON + timedelta(hours=9)
    extended = store.update_session("s1", version=0, expires_at=later)
    assert extended == replace(created, expires_at=later, version=1)
    assert store.session("s1") == extended


@pytest.mark.parametrize("status", ["rolled_back", "expired"])
def test_an_abandoned_session_drops_its_deltas(store: Store, status: SessionStatus) -> None:
    """Deltas that are not in effect any more are forgotten."""
    store.create_session(record(), DELTAS)
    closed = store.update_session("s1", version=0, status=status, closed_at=NOON)
    assert (closed.status, closed.closed_at) == (status, NOON)
    assert (closed.version, closed.delta_count) == (1, 0)
    assert store.session("s1") == closed
    assert store.deltas("s1") == []


@pytest.mark.parametrize("status", ["committed", "rolled_back", "expired"])
def test_a_session_that_has_ended_takes_no_changes(store: Store, status: SessionStatus) -> None:
    """Nothing more can be done with a session that is not active."""
    store.create_session(record(), DELTAS)
    if status == "committed":
        store.commit_session("s1", [], Expected(), version=0, closed_at=NOON)
    else:
        store.update_session("s1", version=0, status=status)
    before = store.session("s1")
    for attempt in (
        lambda: store.append_deltas("s1", moves(1), version=1),
        lambda: store.undo_deltas("s1", 1, version=1),
        lambda: store.update_session("s1", version=1, expires_at=NOON),
        lambda: store.commit_session("s1", [], Expected(), version=1, closed_at=NOON),
    ):
        with pytest.raises(SessionClosed) as caught:
            attempt()
        assert caught.value.details == {"session": "s1", "status": status}
    assert store.session("s1") == before


def test_unknown_sessions_are_named(store: Store) -> None:
    """Every operation on an unknown id says so."""
    for attempt in (
        lambda: store.session("none"),
        lambda: store.deltas("none"),
        lambda: store.append_deltas("none", moves(1), version=0),
        lambda: store.undo_deltas("none", 1, version=0),
        lambda: store.update_session("none", version=0, status="expired"),
        lambda: store.commit_session("none", [], Expected(), version=0, closed_at=NOON),
        lambda: store.delete_session("none"),
    ):
        with pytest.raises(SessionNotFound) as caught:
            attempt()
        assert caught.value.details == {"session": "none"}


def test_sessions_are_listed_by_creation(store: Store) -> None:
    """Listings are ordered by time and can be narrowed to an audit and a status."""
    assert store.sessions() == []
    late = store.create_session(record("a", created_at=NOON + timedelta(seconds=2)))
    early = store.create_session(record("b", audit_uuid="x"))
    middle = store.create_session(
        record("c", audit_uuid="x", created_at=NOON + timedelta(microseconds=1))
    )
    middle = store.update_session("c", version=0, status="rolled_back", closed_at=NOON)
    assert store.sessions() == [early, middle, late]
    assert store.sessions(audit_uuid="x") == [early, middle]
    assert store.sessions(status="active") == [early, late]
    assert store.sessions("x", "active") == [early]
    assert store.sessions("y") == []


def test_a_deleted_session_is_gone_with_its_deltas(store: Store) -> None:
    """An id that was deleted can be used again and starts without deltas."""
    store.create_session(record(), DELTAS)
    store.create_session(record("other"), moves(1))
    store.delete_session("s1")
    with pytest.raises(SessionNotFound):
        store.session("s1")
    store.create_session(record())
    assert store.deltas("s1") == []
    assert store.deltas("other") == moves(1)


def test_sessions_expire(store: Store) -> None:
    """A sweep ends the active sessions whose time has passed, each of them once."""
    past, present = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)
    store.create_session(record("gone", expires_at=past), DELTAS)
    store.create_session(record("alive", expires_at=present), DELTAS)
    store.create_session(record("closed", expires_at=past))
    store.update_session("closed", version=0, status="rolled_back")
    assert store.expire_sessions(NOON) == ["gone"]
    expired = store.session("gone")
    assert (expired.status, expired.closed_at) == ("expired", NOON)
    assert (expired.delta_count, expired.version) == (0, 1)
    assert store.deltas("gone") == []
    assert store.deltas("alive") == DELTAS
    assert store.expire_sessions(NOON) == []


@pytest.fixture
def committing(store: Store) -> SessionRecord:
    """A session on a cluster of two hosts and an instance."""
    put(store, host("p1"), host("p2"), instance("c1", "p1"))
    return store.create_session(record(base=1), moves(1))


MOVE = PatchConsumer(uuid="c1", allocations={"p2": {"VCPU": 2}})


def test_a_commit_applies_and_closes_in_one(store: Store, committing: SessionRecord) -> None:
    """A committed session's effect is in the graph, and its deltas stay to be looked at."""
    guard = Expected(providers={"p1": 1, "p2": 1}, consumers={"c1": 1})
    applied = store.commit_session("s1", [MOVE], guard, version=0, closed_at=NOON)
    assert applied == Applied(2, 3)
    assert consumer_in(store, "c1").allocations == {"p2": {"VCPU": 2}}
    assert store.session("s1") == replace(committing, status="committed", closed_at=NOON, version=1)
    assert store.deltas("s1") == moves(1)
    assert [c.generation for c in store.changes(1).changes] == [2, 2, 2]


def test_a_commit_without_effect_closes_the_session(
    store: Store, committing: SessionRecord
) -> None:
    """Nothing to change is no reason to stay open."""
    assert store.commit_session("s1", [], Expected(), version=0, closed_at=NOON) == Applied(1, 0)
    assert store.session("s1").status == "committed"


@pytest.mark.usefixtures("committing")
def test_a_commit_on_moved_generations_names_them_and_changes_nothing(store: Store) -> None:
    """A conflict leaves the graph and the session as they were."""
    store.apply([PatchProvider(uuid="p2", state="down")])
    before, session = contents(store), store.session("s1")
    with pytest.raises(GenerationConflict) as caught:
        store.commit_session(
            "s1", [MOVE], Expected(providers={"p1": 1, "p2": 1}), version=0, closed_at=NOON
        )
    assert caught.value.details["conflicts"] == [
        {"kind": "provider", "key": "p2", "expected": 1, "found": 2}
    ]
    assert contents(store) == before
    assert store.session("s1") == session


@pytest.mark.usefixtures("committing")
def test_a_stale_but_untouched_base_is_no_conflict(store: Store) -> None:
    """Only what the session touches is guarded."""
    put(store, host("p3"))
    guard = Expected(providers={"p1": 1, "p2": 1}, consumers={"c1": 1})
    assert store.commit_session("s1", [MOVE], guard, version=0, closed_at=NOON).generation == 3


@pytest.mark.usefixtures("committing")
def test_a_commit_that_is_refused_leaves_the_session_active(store: Store) -> None:
    """A mutation that cannot be applied takes the end of the session back with it."""
    wrong = PatchConsumer(uuid="c1", allocations={"nowhere": {"VCPU": 1}})
    with pytest.raises(InvalidInput):
        store.commit_session("s1", [wrong], Expected(), version=0, closed_at=NOON)
    assert store.session("s1").status == "active"
    assert store.generation() == 1
