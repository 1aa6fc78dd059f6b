"""The life of sessions by example: one registry, and two that share a store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tachyon.errors import (
    CapacityExceeded,
    GenerationConflict,
    InvalidInput,
    LimitExceeded,
    NothingToUndo,
    SessionClosed,
    SessionConflict,
    SessionExpired,
    SessionNotFound,
)
from tachyon.graph.deltas import Allocate, Delta, SessionRecord
from tachyon.graph.mutations import PatchConsumer, PatchProvider
from tachyon.graph.simulation.registry import Limits, SessionRegistry
from tachyon.graph.store.sql import SqlStore
from tachyon.graph.view import Follower
from tests.simulation.clusters import puts
from tests.simulation.examples import cluster, move

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that goes only when told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Process:
    """What one process has: its own connection, follower and registry."""

    def __init__(self, url: str, clock: Clock, limits: Limits | None = None) -> None:
        self.store = _Interrupted.open(url)
        self.store.create_schema()
        self.registry = SessionRegistry(self.store, Follower(self.store), limits, clock=clock)


class _Interrupted(SqlStore):
    """A store in which something may happen just before deltas are appended."""

    before: Callable[[], object] | None = None

    def append_deltas(
        self, session_id: str, deltas: Sequence[Delta], version: int
    ) -> SessionRecord:
        happens, self.before = self.before, None
        if happens is not None:
            happens()
        return super().append_deltas(session_id, deltas, version)


Start = Callable[..., Process]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Iterator[Start]:
    """Start processes that share a database, which holds the example cluster."""
    started: list[Process] = []

    def start_one(**limits: Any) -> Process:
        url = f"sqlite:///{tmp_path / 'graph.db'}"
        started.append(Process(url, clock, Limits(**limits)))
        if len(started) == 1:
            started[0].store.apply(puts(cluster()))
        return started[-1]

    yield start_one
    for process in started:
        process.store.close()


@pytest.fixture(params=["memory", "store"])
def persistence(request: pytest.FixtureRequest) -> Any:
    return request.param


def host(process: Process, session_id: str, consumer: str) -> str | None:
    with process.registry.use(session_id) as session:
        return session.host(consumer)


def test_session_has_the_properties_it_was_opened_with(start: Start, persistence: Any) -> None:
    """The record names audit, name, base generation and the end of its time."""
    registry = start().registry
    record = registry.create(audit_uuid="a1", name="try", ttl=60, persistence=persistence)
    assert record == registry.get(record.id)
    assert (record.audit_uuid, record.name, record.status) == ("a1", "try", "active")
    assert (record.created_at, record.expires_at) == (NOON, NOON + timedelta(seconds=60))
    assert (record.base_generation, record.delta_count) == (1, 0)
    assert registry.sessions(audit_uuid="a1") == [record]
    assert registry.sessions(audit_uuid="a2") == []


def test_initial_deltas_are_part_of_the_session(start: Start, persistence: Any) -> None:
    """A session opened with deltas holds them, or is not opened at all."""
    process = start()
    record = process.registry.create(persistence=persistence, deltas=[move("web", "beta")])
    assert record.delta_count == 1
    assert host(process, record.id, "web") == "beta"
    with pytest.raises(InvalidInput):
        process.registry.create(persistence=persistence, deltas=[move("web", "alpha")])
    assert len(process.registry.sessions()) == 1


def test_refused_deltas_leave_the_session_as_it_was(start: Start, persistence: Any) -> None:
    """An error of the session comes through, and neither version nor deltas move."""
    registry = start().registry
    record = registry.create(persistence=persistence)
    too_much = Allocate(consumer_uuid="vol", to_provider="ssd", resources={"DISK_GB": 51})
    with pytest.raises(CapacityExceeded):
        registry.record(record.id, [move("web", "beta"), too_much])
    with pytest.raises(NothingToUndo):
        registry.undo(record.id)
    assert registry.get(record.id) == record


def test_every_change_raises_the_version(start: Start, persistence: Any) -> None:
    """Processes tell by the version whether what they hold is current."""
    registry = start().registry
    versions = [(record := registry.create(persistence=persistence)).version]
    versions.append(registry.record(record.id, [move("web", "beta")]).version)
    versions.append(registry.undo(record.id).version)
    versions.append(registry.extend(record.id, 10).version)
    versions.append(registry.rollback(record.id).version)
    assert versions == sorted(set(versions))


def test_memory_sessions_belong_to_one_process(start: Start) -> None:
    """Another process does not know a memory session."""
    here, there = start(), start()
    record = here.registry.create()
    with pytest.raises(SessionNotFound):
        there.registry.get(record.id)
    assert there.registry.sessions() == []


def test_two_processes_give_the_same_answers(start: Start) -> None:
    """What one records or takes back the other sees, in order, at its next question."""
    here, there = start(), start()
    record = here.registry.create(persistence="store")
    assert host(there, record.id, "web") == "alpha"
    here.registry.record(record.id, [move("web", "beta"), move("db", "beta")])
    there.registry.record(record.id, [move("web", "gamma")])
    for process in (here, there):
        assert host(process, record.id, "web") == "gamma"
        with process.registry.use(record.id) as session:
            assert session.consumers_of("beta") == ["cache", "db"]
    here.registry.undo(record.id, 2)
    assert host(there, record.id, "db") == "alpha"
    assert there.registry.get(record.id).delta_count == 1


def test_session_of_an_older_base_is_rebuilt_in_another_process(start: Start) -> None:
    """The base is the graph as it was, also where nobody has ever seen it."""
    here = start()
    record = here.registry.create(persistence="store")
    here.registry.record(record.id, [move("web", "gamma")])
    here.store.apply([PatchConsumer(uuid="db", allocations={"beta": {"VCPU": 1}})])
    here.store.trim(0)
    there = start()
    assert there.registry.follower.current().generation == 2
    for process in (here, there):
        assert host(process, record.id, "web") == "gamma"
        assert host(process, record.id, "db") == "alpha"
        with process.registry.use(record.id) as session:
            assert session.base_generation == 1


def test_version_conflict_is_tried_again(start: Start) -> None:
    """When another process was faster, its deltas come first and nothing is lost."""
    here, there = start(), start()
    record = here.registry.create(persistence="store")
    here.store.before = lambda: there.registry.record(record.id, [move("db", "beta")])
    assert here.registry.record(record.id, [move("web", "beta")]).delta_count == 2
    with there.registry.use(record.id) as session:
        assert session.deltas == (move("db", "beta"), move("web", "beta"))


def test_delta_is_judged_anew_after_a_version_conflict(start: Start) -> None:
    """A delta that no longer fits behind the other process's is refused."""
    here, there = start(), start()
    record = here.registry.create(persistence="store")
    here.store.before = lambda: there.registry.record(record.id, [move("web", "beta")])
    with pytest.raises(InvalidInput):
        here.registry.record(record.id, [move("web", "beta")])
    assert here.registry.get(record.id).delta_count == 1


def test_concurrent_recording_loses_nothing(start: Start) -> None:
    """Every delta that was acknowledged is there once, each process's own in its order."""
    processes = [start(), start()]
    session_id = processes[0].registry.create(persistence="store").id
    acknowledged: list[list[str]] = [[], []]
    failed: list[BaseException] = []

    def work(at: int) -> None:
        try:
            for n in range(15):
                delta = Allocate(
                    consumer_uuid=f"{at}-{n}", to_provider="hdd", resources={"DISK_GB": 1}
                )
                while True:
                    try:
                        processes[at].registry.record(session_id, [delta])
                    except SessionConflict:
                        continue
                    break
                acknowledged[at].append(delta.consumer_uuid)
        except BaseException as error:  # handed to the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for process in processes:
        with process.registry.use(session_id) as session:
            found = [d.consumer_uuid for d in session.deltas if isinstance(d, Allocate)]
        assert len(found) == 30
        for at in (0, 1):
            assert [u for u in found if u.startswith(f"{at}-")] == acknowledged[at]


def test_threads_may_share_a_memory_session(start: Start) -> None:
    """A session is used by one thread at a time."""
    process = start()
    session_id = process.registry.create().id

    def work(at: int) -> None:
        for n in range(20):
            delta = Allocate(consumer_uuid=f"{at}-{n}", to_provider="hdd", resources={"DISK_GB": 1})
            process.registry.record(session_id, [delta])

    threads = [threading.Thread(target=work, args=(at,)) for at in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.registry.get(session_id).delta_count == 60
    with process.registry.use(session_id) as session:
        assert session.used("hdd") == {"DISK_GB": 60}


def test_session_ends_when_its_time_has_passed(
    start: Start, clock: Clock, persistence: Any
) -> None:
    """At its end a session is gone at once, swept or not; its deltas are dropped."""
    registry = start().registry
    record = registry.create(ttl=60, persistence=persistence)
    registry.record(record.id, [move("web", "beta")])
    clock.pass_(59)
    assert registry.get(record.id).status == "active"
    clock.pass_(1)
    for refused in (
        lambda: registry.record(record.id, [move("db", "beta")]),
        lambda: registry.extend(record.id, 60),
        lambda: registry.commit(record.id),
        lambda: registry.fork(record.id),
    ):
        with pytest.raises(SessionExpired):
            refused()
    found = registry.get(record.id)
    assert (found.status, found.delta_count, found.closed_at) == ("expired", 0, clock.now)


def test_extending_counts_from_now(start: Start, clock: Clock, persistence: Any) -> None:
    """An extended session lives for the new time to live from the call on."""
    registry = start().registry
    record = registry.create(ttl=60, persistence=persistence)
    clock.pass_(50)
    assert registry.extend(record.id, 60).expires_at == clock.now + timedelta(seconds=60)
    clock.pass_(59)
    assert registry.get(record.id).status == "active"


def test_any_process_may_sweep(start: Start, clock: Clock) -> None:
    """Stored sessions are swept by whoever comes first, memory sessions by their own process."""
    here, there = start(), start()
    stored = here.registry.create(ttl=10, persistence="store")
    in_memory = here.registry.create(ttl=10)
    lasting = here.registry.create(ttl=100, persistence="store")
    clock.pass_(10)
    assert there.registry.expire() == [stored.id]
    assert here.registry.expire() == [in_memory.id]
    assert here.registry.expire() == []
    with pytest.raises(SessionExpired), here.registry.use(stored.id):
        pass
    assert here.registry.get(lasting.id).status == "active"


def test_sweep_may_run_while_a_session_is_used(start: Start, clock: Clock) -> None:
    """Who uses a session may list or sweep; a session that another uses does not end under it."""
    registry = start().registry
    record = registry.create(ttl=10)
    swept: list[list[str]] = []
    other = threading.Thread(target=lambda: swept.append(registry.expire()))
    with registry.use(record.id) as session:
        session.record(move("web", "beta"))
        assert [r.id for r in registry.sessions()] == [record.id]
        clock.pass_(10)
        other.start()
        other.join(0.1)
        assert session.host("web") == "beta"
        assert swept == []
    other.join()
    assert swept == [[record.id]]


def test_closed_sessions_are_forgotten_after_the_retention_time(start: Start, clock: Clock) -> None:
    """Closed sessions can be looked at for a while; then the sweep and `purge` remove them."""
    registry = start(retention=100.0).registry
    gone = [registry.create(persistence=p).id for p in ("memory", "store")]
    for session_id in gone:
        registry.rollback(session_id)
    clock.pass_(99)
    registry.expire()
    assert registry.purge() == 0
    assert len(registry.sessions()) == 2
    clock.pass_(1)
    registry.expire()
    assert registry.purge() == 1
    assert registry.sessions() == []


def test_fork_inherits_audit_and_persistence(start: Start, persistence: Any) -> None:
    """A fork belongs to its parent's audit and lives where it does, unless told otherwise."""
    process = start()
    registry = process.registry
    parent = registry.create(audit_uuid="a1", persistence=persistence)
    registry.record(parent.id, [move("web", "beta")])
    child = registry.fork(parent.id)
    assert (child.audit_uuid, child.persistence, child.delta_count) == ("a1", persistence, 1)
    registry.undo(parent.id)
    registry.record(child.id, [move("db", "gamma")])
    assert (host(process, parent.id, "web"), host(process, parent.id, "db")) == ("alpha",) * 2
    assert (host(process, child.id, "web"), host(process, child.id, "db")) == ("beta", "gamma")


def test_bounds_keep_clients_from_exhausting_the_service(
    start: Start, clock: Clock, persistence: Any
) -> None:
    """Sessions, deltas and times to live are bounded; ended sessions make room."""
    registry = start(sessions=2, deltas=2, max_ttl=100.0, default_ttl=50.0).registry
    first = registry.create(persistence=persistence)
    registry.create(persistence=persistence, ttl=100)
    with pytest.raises(LimitExceeded):
        registry.create(persistence=persistence)
    with pytest.raises(LimitExceeded):
        registry.fork(first.id)
    with pytest.raises(LimitExceeded):
        registry.record(first.id, [move("web", to) for to in ("beta", "gamma", "beta")])
    for ttl in (0, -1, 101, float("nan")):
        with pytest.raises(InvalidInput):
            registry.create(persistence=persistence, ttl=ttl)
    clock.pass_(50)
    assert registry.create(persistence=persistence).status == "active"


def test_commit_brings_the_net_effect_about(start: Start, persistence: Any) -> None:
    """A committed session can be read but not changed; the graph holds what it said."""
    process = start()
    registry = process.registry
    record = registry.create(persistence=persistence)
    registry.record(record.id, [move("web", "beta"), move("web", "gamma")])
    assert registry.commit(record.id).generation == 2
    view = registry.follower.current()
    assert view.consumer("web").allocations == {"gamma": {"VCPU": 2, "MEMORY_MB": 10}}
    assert registry.get(record.id).status == "committed"
    assert host(process, record.id, "web") == "gamma"
    for refused in (
        lambda: registry.record(record.id, [move("db", "beta")]),
        lambda: registry.commit(record.id),
        lambda: registry.rollback(record.id),
    ):
        with pytest.raises(SessionClosed):
            refused()


def test_commit_names_every_conflict_and_leaves_the_session_active(
    start: Start, persistence: Any
) -> None:
    """What a delta touches must be as it was; what else changed in the graph is no conflict."""
    process = start()
    registry, store = process.registry, process.store
    record = registry.create(persistence=persistence)
    registry.record(record.id, [move("web", "gamma")])
    store.apply([PatchProvider(uuid="hdd", maintenance=True)])
    assert registry.validate(record.id).valid
    assert registry.validate(record.id).stale
    store.apply([PatchProvider(uuid="gamma", state="down"), PatchConsumer(uuid="web", locked=True)])
    with pytest.raises(GenerationConflict) as refused:
        registry.commit(record.id)
    conflicts = [
        {"kind": "provider", "key": "gamma", "expected": 1, "found": 3},
        {"kind": "consumer", "key": "web", "expected": 1, "found": 3},
    ]
    assert refused.value.details["conflicts"] == conflicts
    assert registry.validate(record.id).conflicts == conflicts
    assert registry.get(record.id).status == "active"
    assert store.generation() == 3
    registry.undo(record.id)
    assert registry.commit(record.id).changed == 0


def test_rollback_throws_deltas_away(start: Start, persistence: Any) -> None:
    """A session that was rolled back holds nothing, and the graph is as it was."""
    process = start()
    registry = process.registry
    record = registry.create(persistence=persistence)
    registry.record(record.id, [move("web", "beta")])
    closed = registry.rollback(record.id)
    assert (closed.status, closed.delta_count, closed.closed_at) == ("rolled_back", 0, NOON)
    with pytest.raises(SessionClosed), registry.use(record.id):
        pass
    assert process.store.generation() == 1


def test_deleted_session_is_unknown_to_all(start: Start) -> None:
    """Deleting works from any process and in any status."""
    here, there = start(), start()
    record = here.registry.create(persistence="store")
    here.registry.record(record.id, [move("web", "beta")])
    there.registry.delete(record.id)
    for process in (here, there):
        with pytest.raises(SessionNotFound), process.registry.use(record.id):
            pass
        with pytest.raises(SessionNotFound):
            process.registry.delete(record.id)


def test_statistics_count_by_status_and_persistence(start: Start) -> None:
    """Deltas and the oldest base generation are those of active sessions."""
    process = start()
    registry = process.registry
    first = registry.create(persistence="store", deltas=[move("web", "beta")])
    process.store.apply([PatchProvider(uuid="hdd", maintenance=True)])
    second = registry.create(deltas=[move("web", "beta"), move("db", "beta")])
    registry.rollback(registry.create().id)
    found = registry.statistics()
    assert found.by_status == {"active": 2, "rolled_back": 1}
    assert found.by_persistence == {"store": 1, "memory": 2}
    assert (found.deltas, found.oldest_base_generation) == (3, 1)
    registry.delete(first.id)
    assert registry.statistics().oldest_base_generation == second.base_generation == 2


def test_cache_is_bounded(start: Start) -> None:
    """A stored session that dropped out of the cache is rebuilt when it is asked for again."""
    process = start(cached=2)
    ids = [
        process.registry.create(persistence="store", deltas=[move("web", to)]).id
        for to in ("beta", "gamma", "beta", "gamma")
    ]
    assert [host(process, i, "web") for i in ids] == ["beta", "gamma", "beta", "gamma"]
