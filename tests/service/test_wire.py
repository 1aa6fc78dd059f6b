"""A view on the wire is the same view on the other side."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from tachyon.errors import InvalidInput
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster, PatchConsumer, PutConsumer, PutProvider, RemoveConsumer
from tachyon.graph.store import open_store
from tachyon.graph.view import Follower, View, build, snapshot_of, wire
from tests.conformance.cluster import host, instance

CLUSTER = generate(
    20, 120, seed=3, nested=2, zones=2, aggregates=3, pools=4, volumes=30, disabled=0.2
).cluster


def same(left: View, right: View) -> None:
    """Check that two views answer alike."""
    assert left.generation == right.generation
    assert left.classes == right.classes
    assert left.records == right.records
    assert [left.provider_at(r) for r in left.provider_order] == [
        right.provider_at(r) for r in right.provider_order
    ]
    assert list(left.all_consumers()) == list(right.all_consumers())
    order_left, order_right = left.provider_order, right.provider_order
    assert (left.used[order_left] == right.used[order_right]).all()
    assert (left.capacity[order_left] == right.capacity[order_right]).all()
    for p in left.provider_order.tolist():
        row = right.provider_row(left.providers.uuid[p])
        assert [left.consumers.uuid[c] for c in left.holders.of(p)] == [
            right.consumers.uuid[c] for c in right.holders.of(row)
        ]


@pytest.mark.parametrize("cluster", [CLUSTER, Cluster()], ids=["generated", "empty"])
def test_a_view_survives_the_wire(cluster: Cluster) -> None:
    """Nested providers, spread consumers, every field."""
    view = build(snapshot_of(cluster, generation=7))
    decoded = wire.decode(wire.encode(view))
    same(view, decoded)
    assert wire.encode(decoded) == wire.encode(view)
    assert not decoded.used.flags.writeable
    assert decoded.consumers.demand.dtype == np.int64


def test_every_process_encodes_alike() -> None:
    """Whatever way a view came about, its rows on the wire are canonical."""
    store = open_store("sqlite://")
    follower = Follower(store)
    follower.current()
    store.apply([PutProvider(provider=host("p1")), PutConsumer(consumer=instance("c1", "p1"))])
    follower.current()
    store.apply([PutConsumer(consumer=instance("c2", "p1", state="stopped", extra={"a": 1}))])
    follower.current()
    store.apply([RemoveConsumer(uuid="c1"), PatchConsumer(uuid="c2", project_id="x")])
    carried, loaded = follower.current(), build(store.load())
    same(carried, loaded)
    assert wire.encode(carried) == wire.encode(loaded)
    assert wire.encode_json(carried) == wire.encode_json(loaded)
    store.close()


def test_json_columns_are_for_people() -> None:
    """The same document with plain lists."""
    document = json.loads(wire.encode_json(build(snapshot_of(CLUSTER, generation=7))))
    assert document["generation"] == 7
    assert len(document["consumers"]["uuid"]) == len(CLUSTER.consumers)
    assert len(document["used"]) == len(CLUSTER.providers)
    assert document["consumers"]["type"]["table"] == ["instance", "volume"]


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"format": "x", "version": 1}), b"\x91" * 99999],
)
def test_what_is_no_view_is_refused(body: bytes) -> None:
    """Something else at that address does not crash a client in odd ways."""
    with pytest.raises(InvalidInput):
        wire.decode(body)
