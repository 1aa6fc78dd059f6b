"""The order of arrival is the same in every process, whatever it has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.graph.mutations import PutConsumer, PutProvider, RemoveConsumer, RemoveProvider
from tachyon.graph.simulation import Session
from tachyon.graph.store import Store, open_store
from tachyon.graph.view import Follower, View, wire


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in which hosts and instances came in an order of their own."""
    store = open_store(f"sqlite:///{tmp_path}/graph.db")
    room = {"VCPU": Inventory(total=64)}
    for name in ("h3", "h1", "h2"):
        store.apply(
            [PutProvider(provider=ResourceProvider(uuid=name, name=name, inventories=room))]
        )
    names = ("c2", "c9", "c1", "c5")
    store.apply(
        [PutConsumer(consumer=Consumer(uuid=n, allocations={"h1": {"VCPU": 1}})) for n in names]
    )
    return store


def _order(view: View) -> tuple[list[str], list[str], list[str]]:
    return (
        [view.providers.uuid[row] for row in view.provider_order.tolist()],
        [view.consumers.uuid[row] for row in view.consumer_order.tolist()],
        Session(view).consumers_of("h1"),
    )


def test_a_process_that_came_later_knows_the_older_order(store: Store) -> None:
    """A view rewound over removals has the order of one that was there before them."""
    early = Follower(store)
    before = early.current()
    store.apply([RemoveConsumer(uuid="c9"), RemoveProvider(uuid="h3")])
    again = Consumer(uuid="c9", allocations={"h1": {"VCPU": 2}})
    store.apply([PutConsumer(consumer=again)])

    late = Follower(store)
    assert _order(late.current())[1] == ["c2", "c1", "c5", "c9"]
    assert _order(late.at(before.generation)) == _order(before)
    assert _order(early.current()) == _order(late.current())
    assert _order(before) == (
        ["h3", "h1", "h2"],
        ["c2", "c9", "c1", "c5"],
        ["c2", "c9", "c1", "c5"],
    )


def test_the_order_travels_with_the_view(store: Store) -> None:
    """A view from the wire, rewound or carried on, keeps the order of arrival."""
    follower = Follower(store)
    store.apply([RemoveConsumer(uuid="c2")])
    view = follower.current()
    assert _order(wire.decode(wire.encode(view))) == _order(view)
