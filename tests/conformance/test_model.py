"""Random histories against the naive graph: same answers, same content, a feed that replays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tachyon.graph.entities import Consumer, Flavor, Inventory, ResourceProvider
from tachyon.graph.mutations import (
    AnyMutation,
    Cluster,
    Expected,
    PatchConsumer,
    PatchProvider,
    PutConsumer,
    PutFlavor,
    PutProvider,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
    Synchronise,
)
from tachyon.graph.store import Store, open_store

from .cluster import Image, contents, replayed, rewound
from .conftest import empty
from .naive import NaiveGraph, Refused

PROVIDERS = st.sampled_from(["p1", "p2", "p3", "P1"])
CONSUMERS = st.sampled_from(["c1", "c2", "c3", "c1 "])
FLAVORS = st.sampled_from(["f1", "f2"])
CLASSES = st.sampled_from(["VCPU", "DISK_GB"])
TYPES = st.sampled_from(["compute", "pool"])
KINDS_OF_CONSUMERS = st.sampled_from(["instance", "volume"])

PARENTS = st.none() | PROVIDERS
INVENTORIES = st.dictionaries(
    CLASSES, st.builds(Inventory, total=st.integers(0, 2)), max_size=2
) | st.just({"VCPU": Inventory(total=9), "DISK_GB": Inventory(total=9)})
ALLOCATIONS = st.dictionaries(
    PROVIDERS, st.dictionaries(CLASSES, st.integers(0, 2), max_size=2), max_size=2
)
METADATA = st.dictionaries(st.just("k"), st.sampled_from([1, True, 1.0, "1", None]), max_size=1)

PROVIDER_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "parent_uuid": PARENTS,
    "type": TYPES,
    "state": st.sampled_from(["up", "down"]),
    "traits": st.sampled_from([(), ("A",), ("A", "B")]),
    "inventories": INVENTORIES,
    "extra": METADATA,
}
CONSUMER_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "type": KINDS_OF_CONSUMERS,
    "locked": st.booleans(),
    "bootable": st.sampled_from([None, True, False]),
    "project_id": st.sampled_from([None, "t1", "T1"]),
    "allocations": ALLOCATIONS,
    "metadata": METADATA,
}
ENTITIES: dict[str, st.SearchStrategy[Any]] = {
    "providers": st.builds(ResourceProvider, uuid=PROVIDERS, name=st.just("n"), **PROVIDER_FIELDS),
    "consumers": st.builds(Consumer, uuid=CONSUMERS, **CONSUMER_FIELDS),
    "flavors": st.builds(Flavor, id=FLAVORS, vcpus=st.integers(0, 1)),
}
SINGLE: st.SearchStrategy[AnyMutation] = st.one_of(
    st.builds(PutProvider, provider=ENTITIES["providers"]),
    st.builds(PutConsumer, consumer=ENTITIES["consumers"]),
    st.builds(PutFlavor, flavor=ENTITIES["flavors"]),
    st.builds(RemoveProvider, uuid=PROVIDERS, cascade=st.booleans()),
    st.builds(RemoveConsumer, uuid=CONSUMERS),
    st.builds(RemoveRecord, kind=st.just("flavor"), key=FLAVORS),
    st.fixed_dictionaries({"uuid": PROVIDERS}, optional=PROVIDER_FIELDS).map(
        lambda fields: PatchProvider(**fields)
    ),
    st.fixed_dictionaries({"uuid": CONSUMERS}, optional=CONSUMER_FIELDS).map(
        lambda fields: PatchConsumer(**fields)
    ),
)


def machine(fresh: Callable[[], Store]) -> type[RuleBasedStateMachine]:
    """Return a machine that plays random histories, each on an empty store."""

    class Histories(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.store = fresh()
            self.naive = NaiveGraph()
            self.images: list[Image] = [{}]

        def teardown(self) -> None:
            self.store.close()

        @rule(mutations=st.lists(SINGLE, min_size=1, max_size=4))
        def apply(self, mutations: list[AnyMutation]) -> None:
            self.both(mutations, None)

        @rule(
            mutation=SINGLE,
            provider=PROVIDERS,
            consumer=CONSUMERS,
            age=st.integers(0, 1),
        )
        def apply_guarded(
            self, mutation: AnyMutation, provider: str, consumer: str, age: int
        ) -> None:
            found = {
                "providers": {provider: self.naive.state["provider"].get(provider)},
                "consumers": {consumer: self.naive.state["consumer"].get(consumer)},
            }
            guards = {
                name: {
                    key: max(0, node["generation"] - age) if node else 0
                    for key, node in nodes.items()
                }
                for name, nodes in found.items()
            }
            self.both([mutation], Expected(**guards))

        @rule(
            lists=st.fixed_dictionaries(
                {
                    "providers": st.lists(
                        ENTITIES["providers"], max_size=4, unique_by=lambda p: p.uuid
                    ),
                    "consumers": st.lists(
                        ENTITIES["consumers"], max_size=4, unique_by=lambda c: c.uuid
                    ),
                    "flavors": st.lists(ENTITIES["flavors"], max_size=2),
                }
            ),
            provider_types=st.none() | st.lists(TYPES, max_size=1).map(tuple),
            consumer_types=st.none() | st.lists(KINDS_OF_CONSUMERS, max_size=1).map(tuple),
            records=st.sampled_from([None, (), ("flavor",)]),
            back=st.none() | st.integers(0, 4),
        )
        def synchronise(self, lists: Any, back: int | None, **types: Any) -> None:
            since = None if back is None else max(0, self.naive.generation - back)
            sync = Synchronise(cluster=Cluster(**lists), since=since, **types)
            self.both([sync], None)

        def both(self, mutations: list[AnyMutation], expected: Expected | None) -> None:
            order = self.order()
            try:
                changed = self.naive.apply(mutations, expected)
            except Refused as refused:
                with pytest.raises(refused.errors):
                    self.store.apply(mutations, expected)
            else:
                applied = self.store.apply(mutations, expected)
                assert applied.changed == changed
                assert applied.generation == self.naive.generation
            self.compare(order)

        def order(self) -> list[str]:
            snapshot = self.store.load()
            return [p.uuid for p in snapshot.providers] + list(snapshot.consumers.uuid)

        def compare(self, order: list[str]) -> None:
            present = contents(self.store)
            assert present == {
                (kind, key): node
                for kind, nodes in self.naive.state.items()
                for key, node in nodes.items()
            }
            now = self.order()
            assert [key for key in now if key in order] == [key for key in order if key in now]
            if self.naive.generation == len(self.images):
                self.images.append(present)
            for generation in (0, max(0, self.naive.generation - 3)):
                feed = self.store.changes(generation)
                assert feed.generation == self.naive.generation
                assert replayed(self.images[generation], feed.changes) == present
                assert rewound(present, feed.changes) == self.images[generation]

    return Histories


def test_random_histories_agree_with_the_naive_graph(store_url: str) -> None:
    """Whatever is applied, the store does what the plain reading of the rules says."""
    histories = 25 if store_url == "sqlite://" else 5

    def fresh() -> Store:
        open_store(store_url).close()
        empty(store_url)
        return open_store(store_url)

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine(fresh), settings=settings(max_examples=histories, stateful_step_count=15)
    )
