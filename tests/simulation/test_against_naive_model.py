"""A session on one base graph against the naive model, for any deltas, undo and fork."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session, compare
from tachyon.graph.view import build, snapshot_of
from tests.simulation import agreement
from tests.simulation.agreement import outcome
from tests.simulation.clusters import METRIC, clusters, deltas, measured, with_measured
from tests.simulation.naive import Graph, Situation
from tests.simulation.naive_session import NaiveSession
from tests.simulation.naive_session import compare as naive_compare
from tests.simulation.profiles import stateful

MAX_SESSIONS = 3
ACTIONS = [
    *["record", "record_many"] * 4,
    *["undo", "fork"] * 2,
    *["open", "drop", "forget"],
    *["evaluate_deltas", "evaluate_moves"] * 2,
    *["ask_destinations", "ask_consumers", "ask_masked_metrics", "ask_comparison"],
]


class SessionMachine(RuleBasedStateMachine):
    """Several sessions on one view, each beside its naive model."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[Session, NaiveSession]] = []
        self.expected: dict[int, dict[str, Any]] = {}

    @initialize(cluster=clusters(), data=st.data())
    def start(self, cluster: Any, data: st.DataObject) -> None:
        self.view = build(snapshot_of(cluster))
        self.graph = Graph(snapshot_of(cluster))
        if data.draw(st.booleans(), label="with a metric"):
            metric = data.draw(measured(Situation(self.graph, self.view.classes)))
            self.graph.measured[METRIC] = metric
            self.view = with_measured(self.view, metric)
        self.pairs = [(Session(self.view), NaiveSession(self.graph, self.view.classes))]

    def pick(self, data: st.DataObject) -> tuple[int, Session, NaiveSession]:
        at = data.draw(st.integers(0, len(self.pairs) - 1), label="session")
        return at, *self.pairs[at]

    def delta(self, data: st.DataObject, naive: NaiveSession) -> Any:
        return data.draw(deltas(naive.now()))

    @rule(data=st.data(), actions=st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=6))
    def act(self, data: st.DataObject, actions: list[str]) -> None:
        """Change a session, open or drop one, or ask something.

        One rule for all: of several, Hypothesis leaves some out of whole runs.
        """
        for action in actions:
            getattr(self, action)(data)

    def record(self, data: st.DataObject) -> None:
        """One delta is recorded, or refused with the same error."""
        at, session, naive = self.pick(data)
        delta = self.delta(data, naive)
        ours = outcome(lambda: session.record(delta))
        event(f"record {type(delta).__name__} {ours[0]}")
        theirs = outcome(lambda: naive.record([delta]))
        if theirs[0] != "ok":
            theirs[1].pop("position", None)
        assert ours == theirs
        self.expected.pop(at, None)

    def record_many(self, data: st.DataObject) -> None:
        """Deltas are recorded all or none, and the error says which one was refused."""
        at, session, naive = self.pick(data)
        some = [self.delta(data, naive) for _ in range(data.draw(st.integers(0, 5)))]
        note(str(agreement.recorded_alike(session, naive, some)))
        self.expected.pop(at, None)

    def undo(self, data: st.DataObject) -> None:
        """The newest deltas are taken back, or none when there are too few."""
        count = data.draw(st.integers(1, 4))
        at, session, naive = self.pick(data)
        assert outcome(lambda: session.undo(count)) == outcome(lambda: naive.undo(count))
        self.expected.pop(at, None)

    def fork(self, data: st.DataObject) -> None:
        """A fork starts where its parent stands."""
        _, session, naive = self.pick(data)
        if len(self.pairs) < MAX_SESSIONS:
            self.pairs.append((session.fork(), naive.fork()))

    def open(self, data: st.DataObject) -> None:
        """A new session stands on the base, whatever others did."""
        if len(self.pairs) < MAX_SESSIONS:
            self.pairs.append((Session(self.view), NaiveSession(self.graph, self.view.classes)))

    def drop(self, data: st.DataObject) -> None:
        """The end of a session changes nothing for others."""
        at, _, _ = self.pick(data)
        if len(self.pairs) > 1:
            del self.pairs[at]
            self.expected.clear()

    def forget(self, data: st.DataObject) -> None:
        """What is kept for speed may be dropped at any time."""
        self.pick(data)[1].state.forget()

    def ask_destinations(self, data: st.DataObject) -> None:
        """Destinations and the reasons against the others, for every consumer."""
        _, session, naive = self.pick(data)
        limits = data.draw(
            st.dictionaries(
                st.sampled_from(self.view.classes),
                st.sampled_from([0.0, 0.5, 0.8, 1.0]),
                max_size=2,
            )
        )
        for consumer in [*naive.now().held, "ghost"]:
            agreement.assert_destinations(session, naive, consumer, limits)

    def ask_consumers(self, data: st.DataObject) -> None:
        """Consumers of every provider, in the order of arrival."""
        _, session, naive = self.pick(data)
        agreement.assert_consumers(session, naive)

    def ask_masked_metrics(self, data: st.DataObject) -> None:
        """Metrics over any choice of providers."""
        _, session, naive = self.pick(data)
        counted = data.draw(st.lists(st.sampled_from(list(self.graph.providers)), unique=True))
        agreement.assert_masked_metrics(session, naive, counted)

    def evaluate_deltas(self, data: st.DataObject) -> None:
        """Candidates of any kind are judged as if each were recorded alone."""
        at, _, naive = self.pick(data)
        one = deltas(naive.now())
        candidates = data.draw(st.lists(one | st.lists(one, max_size=3), max_size=6))
        if all(isinstance(c, Move) for c in candidates):
            candidates.append([])
        self.evaluate(data, at, candidates)

    def evaluate_moves(self, data: st.DataObject) -> None:
        """Single moves are judged all at once as they would be one by one."""
        at, _, naive = self.pick(data)
        hosts = [p for p in self.graph.providers if not naive.now().children[p]]
        moves = st.builds(
            Move,
            consumer_uuid=st.sampled_from(list(naive.now().held)),
            to_provider=st.sampled_from(hosts),
        )
        self.evaluate(data, at, data.draw(st.lists(moves, max_size=8)))

    def evaluate(self, data: st.DataObject, at: int, candidates: list[Any]) -> None:
        session, naive = self.pairs[at]
        counted = data.draw(
            st.none() | st.lists(st.sampled_from(list(self.graph.providers)), unique=True)
        )
        mask = None if counted is None else session.mask(providers=counted)
        ours = outcome(lambda: session.evaluate(candidates, mask))
        theirs = outcome(lambda: naive.evaluate(candidates, counted))
        if theirs[0] != "ok":
            assert ours[0] == theirs[0]
            assert theirs[1].items() <= ours[1].items()
            return
        if data.draw(st.booleans(), label="go on before metrics are asked for"):
            agreement.recorded_alike(session, naive, [self.delta(data, naive)])
            self.expected.pop(at, None)
            session.metrics()
        agreement.assert_evaluation(ours[1], theirs[1], self.view.classes)

    def ask_comparison(self, data: st.DataObject) -> None:
        """A comparison names what differs, and nothing else."""
        _, left, naive_left = self.pick(data)
        _, right, naive_right = self.pick(data)
        found = agreement.differences(compare(left, right))
        assert found == naive_compare(naive_left, naive_right)

    @invariant()
    def all_sessions_agree(self) -> None:
        """Placements, usages, provider fields and metrics of every session, after every step."""
        for at, (session, naive) in enumerate(self.pairs):
            if at not in self.expected:
                self.expected[at] = agreement.naive_answers(naive)
            agreement.assert_same(agreement.answers(session), self.expected[at])
            assert list(session.deltas) == naive.deltas

    def teardown(self) -> None:
        if sys.exc_info()[0] is not None:
            return
        for session, naive in self.pairs:
            agreement.assert_consumers(session, naive)
            for consumer in naive.now().held:
                agreement.assert_destinations(session, naive, consumer)


TestSessionMachine = pytest.mark.timeout(0)(SessionMachine.TestCase)
TestSessionMachine.settings = stateful(examples=40, steps=10)
