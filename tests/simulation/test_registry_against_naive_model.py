"""Sessions of two registries over one store, against the naive model, while the graph changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from tachyon.errors import GenerationConflict, TachyonError
from tachyon.graph.deltas import Move
from tachyon.graph.simulation.registry import SessionRegistry
from tachyon.graph.store.sql import SqlStore
from tachyon.graph.view import Follower
from tests.simulation import agreement
from tests.simulation.agreement import outcome
from tests.simulation.clusters import clusters, deltas, puts
from tests.simulation.naive import Graph
from tests.simulation.naive_session import NaiveSession
from tests.simulation.profiles import stateful
from tests.view.changes import mutations

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERSISTENCE = st.sampled_from(["memory", "store", "store"])
MAX_SESSIONS = 4
ACTIONS = [
    *["record"] * 6,
    *["commit"] * 3,
    *["undo", "fork"] * 2,
    *["change_graph", "time_passes"] * 2,
    *["create", "ask_everything", "ask_for_sessions", "roll_back", "extend", "delete", "trim"],
]
TTL = st.sampled_from([60.0, 600.0, 3600.0])


class Known:
    """What the model knows of a session: its content, its life, and who can serve it."""

    def __init__(self, naive: NaiveSession, persistence: str, owner: int, ends: datetime) -> None:
        self.naive = naive
        self.persistence = persistence
        self.owner = owner
        self.ends = ends
        self.closed: str | None = None
        self.expected: dict[tuple[str, ...], dict[str, Any]] = {}

    def status(self, now: datetime) -> str:
        return self.closed or ("expired" if self.ends <= now else "active")

    def changed(self) -> None:
        self.expected.clear()


class RegistryMachine(RuleBasedStateMachine):
    """Two registries stand for two processes: each has a follower and caches of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.store = SqlStore.open("sqlite://")
        self.store.create_schema()
        self.registries = [
            SessionRegistry(self.store, Follower(self.store), clock=lambda: self.now)
            for _ in range(2)
        ]
        self.known: dict[str, Known] = {}
        self.trimmed = 0

    @initialize(cluster=clusters())
    def start(self, cluster: Any) -> None:
        self.store.apply(puts(cluster))
        self.graph = Graph(self.store.load())
        for registry, persistence in zip(self.registries, ("store", "memory"), strict=True):
            self.add(
                registry, NaiveSession(self.graph, ()), registry.create(persistence=persistence)
            )

    def pick(self, data: st.DataObject) -> tuple[str, Known, SessionRegistry]:
        """Choose a session, rather an active one, and a registry to ask."""
        if not self.known:
            self.create(data)
        active = [i for i, k in self.known.items() if k.status(self.now) == "active"]
        session_id = data.draw(st.sampled_from([*active * 4, *self.known]), label="session")
        at = data.draw(st.integers(0, 1), label="registry")
        return session_id, self.known[session_id], self.registries[at]

    def refusal(self, known: Known, registry: SessionRegistry, *, reading: bool = False) -> str:
        """Return the code with which a registry refuses a session, "ok" when it does not."""
        if known.persistence == "memory" and registry is not self.registries[known.owner]:
            return "session_not_found"
        status = known.status(self.now)
        if status == "expired":
            return "session_expired"
        if status == "active" or (reading and status == "committed"):
            return "ok"
        return "session_closed"

    def add(self, registry: SessionRegistry, naive: NaiveSession, record: Any) -> None:
        self.known[record.id] = Known(
            naive, record.persistence, self.registries.index(registry), record.expires_at
        )

    @rule(data=st.data(), actions=st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=6))
    def act(self, data: st.DataObject, actions: list[str]) -> None:
        """Do something with sessions, the graph or the clock.

        One rule for all: of several, Hypothesis leaves some out of whole runs.
        """
        for action in actions:
            getattr(self, action)(data)

    def create(self, data: st.DataObject) -> None:
        """A new session stands on the graph as it is."""
        if len(self.known) >= MAX_SESSIONS:
            return
        persistence, ttl = data.draw(PERSISTENCE), data.draw(TTL)
        registry = data.draw(st.sampled_from(self.registries))
        record = registry.create(persistence=persistence, ttl=ttl)
        assert record.base_generation == self.graph.generation
        assert record.expires_at == self.now + timedelta(seconds=ttl)
        self.add(registry, NaiveSession(self.graph, ()), record)

    def record(self, data: st.DataObject) -> None:
        """Deltas are recorded all or none, by whichever registry is asked."""
        session_id, known, registry = self.pick(data)
        naive = known.naive
        some = data.draw(st.lists(deltas(naive.now()), max_size=3), label="deltas")
        ours = outcome(lambda: registry.record(session_id, some))
        event(f"record {ours[0]}")
        refused = self.refusal(known, registry)
        if refused != "ok":
            assert ours[0] == refused
            return
        with registry.use(session_id) as session:
            naive.classes = session.view.classes
        theirs = outcome(lambda: naive.record(some))
        assert ours[0] == theirs[0]
        if theirs[0] == "ok":
            assert ours[1].delta_count == len(naive.deltas)
            known.changed()
        else:
            assert ours == theirs

    def undo(self, data: st.DataObject) -> None:
        """The newest deltas are taken back, whichever registry recorded them."""
        count = data.draw(st.integers(1, 3))
        session_id, known, registry = self.pick(data)
        ours = outcome(lambda: registry.undo(session_id, count))
        refused = self.refusal(known, registry)
        if refused != "ok":
            assert ours[0] == refused
            return
        assert ours[0] == outcome(lambda: known.naive.undo(count))[0]
        known.changed()

    def fork(self, data: st.DataObject) -> None:
        """A fork starts where its parent stands, on the parent's base."""
        if len(self.known) >= MAX_SESSIONS:
            return
        persistence = data.draw(st.none() | PERSISTENCE)
        session_id, known, registry = self.pick(data)
        ours = outcome(lambda: registry.fork(session_id, persistence=persistence))
        assert ours[0] == self.refusal(known, registry)
        if ours[0] == "ok":
            assert ours[1].base_generation == known.naive.graph.generation
            assert ours[1].persistence == (persistence or known.persistence)
            self.add(registry, known.naive.fork(), ours[1])

    def change_graph(self, data: st.DataObject) -> None:
        """The graph goes on under sessions, which stay on their base."""
        some = data.draw(st.lists(mutations(self.graph), min_size=1, max_size=2))
        try:
            self.store.apply(some)
        except TachyonError as error:
            note(f"refused: {error}")
        self.graph = Graph(self.store.load())

    def commit(self, data: st.DataObject) -> None:
        """A commit changes what the session changed and nothing else, or names every conflict."""
        session_id, known, registry = self.pick(data)
        refused = self.refusal(known, registry)
        if refused != "ok":
            assert outcome(lambda: registry.commit(session_id))[0] == refused
            return
        conflicts = known.naive.conflicts(self.graph)
        validation = registry.validate(session_id)
        assert validation.valid == (not conflicts)
        assert validation.stale == (self.graph.generation != known.naive.graph.generation)
        assert _conflicts(validation.conflicts) == conflicts
        before = self.graph
        event(f"commit {'refused' if conflicts else 'done'}")
        if conflicts:
            with pytest.raises(GenerationConflict) as refusal:
                registry.commit(session_id)
            assert _conflicts(refusal.value.details["conflicts"]) == conflicts
            assert self.store.generation() == before.generation
            return
        applied = registry.commit(session_id)
        known.closed = "committed"
        self.graph = Graph(self.store.load())
        assert applied.generation == self.graph.generation
        _assert_committed(known.naive, before, self.graph)

    def roll_back(self, data: st.DataObject) -> None:
        """A session rolled back is closed, and the graph is as it was."""
        session_id, known, registry = self.pick(data)
        ours = outcome(lambda: registry.rollback(session_id))
        assert ours[0] == self.refusal(known, registry)
        if ours[0] == "ok":
            assert ours[1].status == "rolled_back"
            known.closed = "rolled_back"

    def extend(self, data: st.DataObject) -> None:
        """An active session lives on from now; one that has ended does not come back."""
        ttl = data.draw(TTL)
        session_id, known, registry = self.pick(data)
        ours = outcome(lambda: registry.extend(session_id, ttl))
        assert ours[0] == self.refusal(known, registry)
        if ours[0] == "ok":
            known.ends = self.now + timedelta(seconds=ttl)
            assert ours[1].expires_at == known.ends

    def delete(self, data: st.DataObject) -> None:
        """A deleted session is unknown to all."""
        session_id, known, registry = self.pick(data)
        ours = outcome(lambda: registry.delete(session_id))
        if known.persistence == "memory" and registry is not self.registries[known.owner]:
            assert ours[0] == "session_not_found"
            return
        assert ours[0] == "ok"
        del self.known[session_id]
        for other in self.registries:
            assert outcome(lambda other=other: other.get(session_id))[0] == "session_not_found"

    def time_passes(self, data: st.DataObject) -> None:
        """Sessions end when their time has passed, swept or not."""
        self.now += timedelta(seconds=data.draw(st.sampled_from([1, 60, 599])))
        sweeper = data.draw(st.none() | st.integers(0, 1))
        if sweeper is not None:
            self.registries[sweeper].expire()

    def trim(self, data: st.DataObject) -> None:
        """The change log may be cut: active sessions of the store find what they need."""
        self.trimmed = self.store.trim(data.draw(st.integers(0, 3)))

    def ask_for_sessions(self, data: st.DataObject) -> None:
        """Lists and statistics tell how each session stands."""
        at = data.draw(st.integers(0, 1))
        registry = self.registries[at]
        mine = {
            i: k.status(self.now)
            for i, k in self.known.items()
            if k.persistence == "store" or k.owner == at
        }
        assert {r.id: r.status for r in registry.sessions()} == mine
        statistics = registry.statistics()
        for status in ("active", "committed", "rolled_back", "expired"):
            assert statistics.by_status.get(status, 0) == list(mine.values()).count(status)
        active = [self.known[i].naive for i, status in mine.items() if status == "active"]
        assert statistics.deltas == sum(len(n.deltas) for n in active)
        bases = [n.graph.generation for n in active]
        assert statistics.oldest_base_generation == min(bases, default=None)

    def ask_everything(self, data: st.DataObject) -> None:
        """Destinations and consumers of a session, whichever registry is asked."""
        session_id, known, registry = self.pick(data)
        if self.refusal(known, registry) == "ok":
            with registry.use(session_id) as session:
                agreement.assert_consumers(session, known.naive)
                self.evaluate(data, known.naive, session)
                for consumer in known.naive.now().held:
                    agreement.assert_destinations(session, known.naive, consumer)

    def evaluate(self, data: st.DataObject, naive: NaiveSession, session: Any) -> None:
        hosts = [p for p in naive.graph.providers if not naive.now().children[p]]
        if not (hosts and naive.now().held):
            return
        moves = st.builds(
            Move,
            consumer_uuid=st.sampled_from(list(naive.now().held)),
            to_provider=st.sampled_from(hosts),
        )
        candidates = data.draw(st.lists(moves, max_size=4), label="candidates")
        naive.classes = session.view.classes
        expected = naive.evaluate(candidates, None)
        agreement.assert_evaluation(session.evaluate(candidates), expected, naive.classes)

    @invariant()
    def all_registries_agree(self) -> None:
        """Every session answers alike in every process that can serve it."""
        for session_id, known in self.known.items():
            for registry in self.registries:
                refused = self.refusal(known, registry, reading=True)
                ours = outcome(lambda r=registry, i=session_id, k=known: self.compare(r, i, k))
                if known.closed and known.naive.graph.generation < self.trimmed:
                    assert ours[0] in (refused, "generation_too_old")
                else:
                    assert ours[0] == refused

    def compare(self, registry: SessionRegistry, session_id: str, known: Known) -> None:
        naive = known.naive
        with registry.use(session_id) as session:
            naive.classes = session.view.classes
            if naive.classes not in known.expected:
                known.expected[naive.classes] = agreement.naive_answers(naive)
            agreement.assert_same(agreement.answers(session), known.expected[naive.classes])
            assert list(session.deltas) == naive.deltas

    def teardown(self) -> None:
        self.store.close()


def _conflicts(found: list[dict[str, Any]]) -> set[tuple[str, str, int, int | None]]:
    return {(c["kind"], c["key"], c["expected"], c["found"]) for c in found}


def _assert_committed(naive: NaiveSession, before: Graph, after: Graph) -> None:
    """What the session changed is so in the graph now, and everything else is as it was."""
    changed = naive.changed()
    for uuid, consumer in after.consumers.items():
        was = before.consumers.get(uuid)
        if uuid in changed:
            assert (consumer.allocations, consumer.flavor_id) == changed[uuid]
            if was is not None:
                same = {name: getattr(was, name) for name in ("generation", "placed")}
                held, flavor = was.allocations, was.flavor_id
                now = replace(consumer, allocations=held, flavor_id=flavor, **same)
                assert now == was
        else:
            assert consumer == was
    assert before.consumers.keys() <= after.consumers.keys()
    assert {u for u in changed if u not in before.providers} <= after.consumers.keys()
    assert before.providers.keys() == after.providers.keys()
    for uuid, provider in after.providers.items():
        was_provider = before.providers[uuid]
        expected = replace(was_provider, **changed.get(uuid, {}))
        assert replace(provider, generation=was_provider.generation) == expected
        if uuid not in changed and provider.generation != was_provider.generation:
            touched = [c for c in after.consumers if c in changed]
            assert any(_holds(before, c, uuid) or _holds(after, c, uuid) for c in touched)
    assert after.records == before.records


def _holds(graph: Graph, consumer: str, provider: str) -> bool:
    return consumer in graph.consumers and provider in graph.consumers[consumer].allocations


TestRegistryMachine = pytest.mark.timeout(0)(RegistryMachine.TestCase)
TestRegistryMachine.settings = stateful(examples=25, steps=12)
