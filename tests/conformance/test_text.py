"""Keys and texts come back exactly, whatever characters they have."""

from __future__ import annotations

from typing import get_args

import pytest

from tachyon.graph.entities import (
    Flavor,
    Inventory,
    Policy,
    ResourceProvider,
    ServerGroup,
    State,
    Status,
)
from tachyon.graph.mutations import PatchConsumer, PutFlavor, PutServerGroup, RemoveConsumer
from tachyon.graph.store import Store

from .cluster import consumer_in, contents, host, image_of, instance, provider_in, put, record

ODD = [
    "a", "A", "á", "a\u0301", "å", "Å", "ß", "ss", "SS", "ı", "i", "İ", "straße",
    "a ", " a", "a  ", "\u00a0a", "a\u200b", "日本語", "🚀", "🚀🚀", "\U0010ffff",
    "\U0001f469\u200d\U0001f467", "'", '"', "\\", "%s", "%(a)s", ":a", "?", "$1", "{a}", "--",
    "/*", "NULL", "0", "00", "x" * 255, "é" * 255, "🚀" * 255, "\u2126", "\u03a9", "\ufb01", "fi",
]  # fmt: skip


def test_keys_that_differ_are_different(store: Store) -> None:
    """No two keys are taken for one: not by case, accents, width or trailing spaces."""
    assert len(set(ODD)) == len(ODD)
    put(
        store,
        *[host(key) for key in ODD],
        *[instance(key, key, metadata={"k": key}) for key in ODD],
    )
    snapshot = store.load()
    assert [p.uuid for p in snapshot.providers] == ODD
    assert list(snapshot.consumers.uuid) == ODD
    for key in ODD:
        store.apply([PatchConsumer(uuid=key, status=key)])
    for key in ODD:
        consumer = consumer_in(store, key)
        assert (consumer.status, consumer.metadata) == (key, {"k": key})
    assert {c.key for c in store.changes(1).changes} == set(ODD)


def test_one_of_two_similar_keys_is_removed(store: Store) -> None:
    """A removal takes exactly what it names."""
    put(store, instance("a"), instance("A"), instance("a "))
    store.apply([RemoveConsumer(uuid="a")])
    assert list(store.load().consumers.uuid) == ["A", "a "]


@pytest.mark.parametrize("text", [t for t in ODD if len(t) < 10])
def test_names_of_all_sorts_are_kept(store: Store, text: str) -> None:
    """Names, reasons, zones, aggregates and specs keep every character."""
    provider = host(
        text, name=text, disabled_reason=f"{text}\n\t{text}", availability_zone=text,
        aggregates=(text,), extra={text: text},
    )  # fmt: skip
    put(store, provider)
    store.apply([PutFlavor(flavor=Flavor(id=text, name=text, extra_specs={text: text}))])
    found = contents(store)
    assert (
        found["flavor", text]
        == image_of([Flavor(id=text, name=text, extra_specs={text: text})])["flavor", text]
    )
    assert provider_in(store, text) == ResourceProvider(
        **{n: getattr(provider, n) for n in provider.__struct_fields__} | {"generation": 1}
    )


def test_odd_values_in_metadata_are_kept(store: Store) -> None:
    """Metadata is any JSON: NUL characters, huge and tiny numbers, deep nesting."""
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"d": [deep]}
    odd = {
        "nul": "a\x00b",
        "\x00": "\x00",
        "control": "\x01\x1f\x7f\u2028\ufeff\ufffe",
        "huge": 2**80,
        "negative": -(2**63) - 1,
        "tiny": 5e-324,
        "large": 1.7976931348623157e308,
        "third": 1 / 3,
        "empty": {"": "", "list": [], "dict": {}},
        "deep": deep,
        "long": "🚀" * 50_000,
    }
    put(store, instance("c", metadata=odd, extra=odd, scheduler_hints=odd), host("p", extra=odd))
    consumer = consumer_in(store, "c")
    assert consumer.metadata == consumer.extra == consumer.scheduler_hints == odd
    assert provider_in(store, "p").extra == odd
    assert store.changes(0).changes[1].after == contents(store)["consumer", "c"]
    assert put(store, instance("c", metadata=odd, extra=odd, scheduler_hints=odd)) == 1


def test_ratios_are_kept_to_the_last_bit(store: Store) -> None:
    """A ratio is a double, not a decimal of some digits."""
    ratios = [1 / 3, 0.1 + 0.2, 1.1, 16.0, 1e6, 2**-1074, 123456.78901234567, 0.0]
    for ratio in ratios:
        put(store, host("p", inventories={"VCPU": Inventory(total=1, allocation_ratio=ratio)}))
        assert provider_in(store, "p").inventories["VCPU"].allocation_ratio == ratio


def test_session_ids_and_names_are_kept(store: Store) -> None:
    """Sessions are keyed as exactly as entities."""
    stored = [store.create_session(record(key, audit_uuid=key, name=key)) for key in ODD[:20]]
    for kept in stored:
        assert store.session(kept.id) == kept
        assert store.sessions(audit_uuid=kept.id) == [kept]


@pytest.mark.parametrize("policy", get_args(Policy))
def test_every_policy_of_a_server_group_is_kept(store: Store, policy: Policy) -> None:
    """The longest word of a fixed vocabulary fits as well as the shortest."""
    group = ServerGroup(uuid="g", policy=policy)
    store.apply([PutServerGroup(server_group=group)])
    assert contents(store) == image_of([group])


def test_every_status_and_state_of_a_provider_is_kept(store: Store) -> None:
    """All pairs of administrative status and state come back."""
    hosts = [
        host(f"{status}-{state}", status=status, state=state)
        for status in get_args(Status)
        for state in get_args(State)
    ]
    put(store, *hosts)
    found = {(p.status, p.state) for p in store.load().providers}
    assert found == {(p.status, p.state) for p in hosts}
