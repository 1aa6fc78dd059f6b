"""Views carried along by the change log, against views built from what the store holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tachyon.errors import TachyonError
from tachyon.graph.store.sql import SqlStore
from tachyon.graph.view import Follower, build, refresh
from tests.simulation.clusters import clusters, puts
from tests.simulation.naive import Graph
from tests.simulation.profiles import property_test
from tests.view.changes import mutations
from tests.view.content import arrays, content


class Paged(SqlStore):
    """A store whose change log comes in small sets."""

    def changes(self, since: int, limit: int = 10_000) -> Any:
        return super().changes(since, 2)


def change(data: st.DataObject, store: SqlStore) -> None:
    """Apply a random transaction; one that the graph refuses changes nothing."""
    graph = Graph(store.load())
    some = data.draw(st.lists(mutations(graph), min_size=1, max_size=3), label="transaction")
    try:
        store.apply(some)
    except TachyonError as error:
        note(f"refused: {error}")


@pytest.mark.timeout(0)
@given(cluster=clusters(), data=st.data())
@property_test(examples=60)
def test_any_way_to_a_generation_leads_to_the_same_view(cluster: Any, data: st.DataObject) -> None:
    """Followed in any batches, reloaded or rewound to: the views of a generation say the same.

    And no view ever changes, whatever becomes of others that share its columns.
    """
    store = data.draw(st.sampled_from([SqlStore, Paged])).open("sqlite://")
    store.create_schema()
    try:
        store.apply(puts(cluster))
        follower = Follower(store)
        fresh = {}
        seen = []
        for _ in range(data.draw(st.integers(1, 8), label="transactions")):
            view = build(store.load())
            fresh[view.generation] = content(view)
            if data.draw(st.booleans(), label="follow now"):
                seen.append(follower.current())
            change(data, store)
        last = content(build(store.load()))
        fresh[last["generation"]] = last
        seen.append(follower.current())
        for view in seen:
            assert content(view) == fresh[view.generation]
        for other in (follower, Follower(store)):
            for generation in data.draw(st.permutations(list(fresh))):
                older = other.at(generation)
                assert content(older) == fresh[generation]
                seen.append(older)
            assert content(other.current()) == last
        for view in seen:
            assert content(view) == fresh[view.generation]
            assert not any(array.flags.writeable for array in arrays(view).values())
    finally:
        store.close()


@pytest.mark.timeout(0)
@given(cluster=clusters(), data=st.data())
@property_test(examples=25)
def test_views_may_branch(cluster: Any, data: st.DataObject) -> None:
    """Several views may be carried on from one: each goes its way, none sees the others' rows."""
    store = SqlStore.open("sqlite://")
    store.create_schema()
    try:
        store.apply(puts(cluster))
        views = {1: build(store.load())}
        fresh = {1: content(views[1])}
        for _ in range(data.draw(st.integers(1, 5), label="transactions")):
            change(data, store)
            view = build(store.load())
            fresh[view.generation] = content(view)
        changes = store.changes(0).changes
        generations = sorted(fresh)
        branches = [views[1]]
        for _ in range(data.draw(st.integers(1, 8), label="branches")):
            base = data.draw(st.sampled_from(branches))
            target = data.draw(st.sampled_from([g for g in generations if g >= base.generation]))
            steps = [c for c in changes if base.generation < c.generation <= target]
            branches.append(refresh(base, steps, target))
        for view in branches:
            assert content(view) == fresh[view.generation]
    finally:
        store.close()
