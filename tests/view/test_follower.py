"""How a process follows the store: freshness, sharing, and what happens when the log is cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.errors import GenerationTooOld, StoreUnavailable
from tachyon.graph.mutations import PatchConsumer, PatchProvider, RemoveConsumer
from tachyon.graph.store.sql import SqlStore
from tachyon.graph.view import Follower, View, build
from tests.simulation.clusters import puts
from tests.simulation.examples import cluster
from tests.view.content import arrays, content


class Unsteady(SqlStore):
    """A store that may stop answering, and counts how often it is loaded whole."""

    down = False
    loads = 0

    def generation(self) -> int:
        if self.down:
            raise StoreUnavailable("away")
        return super().generation()

    def load(self) -> object:  # type: ignore[override]
        self.loads += 1
        return super().load()


@pytest.fixture
def store() -> Iterator[Unsteady]:
    store = Unsteady.open("sqlite://")
    store.create_schema()
    store.apply(puts(cluster()))
    yield store
    store.close()


def move_web(store: SqlStore, to: str) -> int:
    held = {to: {"VCPU": 2, "MEMORY_MB": 10}}
    return store.apply([PatchConsumer(uuid="web", allocations=held)]).generation


def test_view_is_loaded_once_and_carried_along(store: Unsteady) -> None:
    """The whole graph is read at the first question only."""
    follower = Follower(store)
    assert follower.generation == 0
    for to in ("beta", "gamma", "alpha"):
        generation = move_web(store, to)
        view = follower.current()
        assert (view.generation, follower.generation) == (generation, generation)
        assert content(view)["homes"]["web"] == to
    assert store.loads == 1


def test_unchanged_graph_gives_the_same_view(store: Unsteady) -> None:
    """Where nothing changed nothing is made."""
    follower = Follower(store)
    assert follower.current() is follower.current()


def test_age_says_when_the_view_was_last_known_to_be_current(store: Unsteady) -> None:
    """Age counts from the moment at which the store was asked."""
    now = [100.0]
    follower = Follower(store, clock=lambda: now[0])
    assert follower.age == float("inf")
    first = follower.current()
    assert follower.age == 0
    now[0] += 5
    assert follower.age == 5
    move_web(store, "beta")
    assert follower.current(max_age=5) is first
    now[0] += 1
    assert follower.current(max_age=5).generation == 2
    assert follower.age == 0


def test_view_that_is_fresh_enough_needs_no_store(store: Unsteady) -> None:
    """A store that is away matters to those only who ask for something newer."""
    now = [0.0]
    follower = Follower(store, clock=lambda: now[0])
    view = follower.current()
    store.down = True
    now[0] += 10
    assert follower.current(max_age=60) is view
    with pytest.raises(StoreUnavailable):
        follower.current()
    assert follower.age == 10


def test_cut_log_leads_to_a_reload(store: Unsteady) -> None:
    """A follower that fell behind what the log holds reads the whole graph again."""
    follower = Follower(store)
    follower.current()
    move_web(store, "beta")
    move_web(store, "gamma")
    store.trim(0)
    assert content(follower.current()) == content(build(store.load()))
    assert store.loads == 3


def test_generation_out_of_reach_is_refused(store: Unsteady) -> None:
    """A generation that the log does not reach, or that is yet to come, has no view."""
    move_web(store, "beta")
    store.trim(0)
    follower = Follower(store)
    for generation in (1, 99):
        with pytest.raises(GenerationTooOld):
            follower.at(generation)


def test_older_view_in_use_is_not_made_again(store: Unsteady) -> None:
    """As long as somebody holds the view of a generation, all get the same."""
    follower = Follower(store)
    first = follower.current()
    move_web(store, "beta")
    follower.current()
    store.trim(0)
    assert follower.at(1) is first


def test_store_that_went_back_is_read_anew(store: Unsteady) -> None:
    """A graph that was restored from a backup has a lower generation than the view."""
    follower = Follower(store)
    generation = move_web(store, "beta")
    follower.current()
    older = SqlStore.open("sqlite://")
    older.create_schema()
    older.apply(puts(cluster()))
    follower._store = older
    assert follower.current().generation < generation
    assert content(follower.current()) == content(build(older.load()))
    older.close()


def shared(before: View, after: View) -> set[str]:
    """Name the arrays that two views have in common."""
    mine, theirs = arrays(before), arrays(after)
    return {name for name in mine if mine[name] is theirs[name]}


def test_columns_that_no_change_touches_are_shared(store: Unsteady) -> None:
    """A move copies placements and usage; flags, inventories and all else are the same objects."""
    follower = Follower(store)
    before = follower.current()
    everything = set(arrays(before))
    move_web(store, "beta")
    moved = follower.current()
    copied = {"used", "consumers.home", "consumers.generation", "consumers.placed"}
    assert everything - shared(before, moved) == copied
    assert moved.tree is before.tree
    assert moved.consumers.index is before.consumers.index

    store.apply([PatchProvider(uuid="beta", maintenance=True)])
    after = follower.current()
    flags = {f"providers.{name}" for name in ("alive", "enabled", "up", "maintenance")}
    assert everything - shared(moved, after) == flags
    assert after.consumers is moved.consumers


def test_older_views_never_change(store: Unsteady) -> None:
    """What a session stands on stays, whatever the graph does; no array can be written."""
    follower = Follower(store)
    view = follower.current()
    before = content(view)
    move_web(store, "beta")
    store.apply([RemoveConsumer(uuid="web"), PatchProvider(uuid="gamma", state="down")])
    follower.current()
    assert content(view) == before
    for array in arrays(view).values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
