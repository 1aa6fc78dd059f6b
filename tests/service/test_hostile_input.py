"""Every field of every request with values it must not have: 400, its path named, never a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args
from urllib.parse import quote

import msgspec
import pytest
from msgspec import Struct

from tachyon.graph import entities as e
from tachyon.graph import mutations as m
from tachyon.graph.client import GraphClient
from tachyon.graph.deltas import Delta
from tachyon.graph.service import bodies as b
from tachyon.graph.service.routes import BY_OPERATION, ROUTES, Route
from tests.conformance.cluster import host, instance
from tests.service.processes import ServiceProcess
from tests.service.raw import request

HOSTILE: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**64,
    10**30,
    1.5,
    1e308,
    "",
    "x" * 5000,
    "a\0b",
    "a\nb",
    "\U0010ffff",
    [],
    [None],
    [[]],
    ["x", "x" * 300],
    {},
    {"": {}},
    {"x" * 300: None},
    {"VCPU": -1},
    {"a": {"VCPU": 2**70}},
    {"a": {"b": {"c": {}}}},
]
#: Wrong for every type of field that there is.
WRONG = [{"unheard_of": 1}]

Wrap = Callable[[dict[str, Any]], Any]


class Target(Struct):
    """A record somewhere in the body of an operation."""

    operation: str
    record: type[Any]
    prefix: str
    wrap: Wrap

    def path(self, name: str) -> str:
        return f"{self.prefix}{name}"


def _targets() -> Iterator[Target]:
    for route in ROUTES:
        if isinstance(route.body, type) and issubclass(route.body, Struct):
            yield Target(route.operation, route.body, "", lambda record: record)
    for op in get_args(m.AnyMutation):
        tag = op.__struct_config__.tag
        yield Target("apply", op, "mutations[0].", lambda r, t=tag: {"mutations": [{"op": t, **r}]})
        inner = [f for f in msgspec.structs.fields(op) if f.type in (*e.KIND_OF, m.Cluster)]
        for f in inner:
            yield Target(
                "apply",
                f.type,
                f"mutations[0].{f.name}.",
                lambda r, t=tag, n=f.name: {"mutations": [{"op": t, n: r}]},
            )
    yield Target("apply", m.Expected, "expected.", lambda r: {"mutations": [], "expected": r})
    yield Target(
        "put_inventories",
        e.Inventory,
        "inventories.VCPU.",
        lambda r: {"inventories": {"VCPU": r}},
    )
    yield Target(
        "put_consumer", e.Attachment, "attachments[1].",
        lambda r: {"attachments": [{"consumer_uuid": "x"}, r]},
    )  # fmt: skip
    for delta in get_args(Delta):
        kind = delta.__struct_config__.tag
        yield Target("sessions.record", delta, "", lambda r, k=kind: {"type": k, **r})
        yield Target("sessions.record", delta, "[0].", lambda r, k=kind: [{"type": k, **r}])
        yield Target(
            "sessions.create", delta, "deltas[0].", lambda r, k=kind: {"deltas": [{"type": k, **r}]}
        )
        yield Target(
            "sessions.evaluate",
            delta,
            "candidates[0][0].",
            lambda r, k=kind: {"candidates": [[{"type": k, **r}]]},
        )


TARGETS = list(_targets())
FILLED = {"uuid": "p1", "key": "k1", "session": "s1"}


@pytest.fixture(scope="module")
def url(service: ServiceProcess) -> str:
    return service.url


@pytest.fixture(autouse=True)
def _something_there(http: GraphClient) -> None:
    http.put_provider(host("p1"))
    http.put_consumer(instance("c1", "p1"))


def target_of(route: Route) -> str:
    path = route.path
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def names(paths: set[str], place: str) -> bool:
    return any(p == place or p.startswith((f"{place}.", f"{place}[")) for p in paths)


def valid(value: Any, kind: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except (msgspec.ValidationError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda t: f"{t.operation}-{t.prefix}{t.record.__name__}"
)
def test_every_field_is_held_to_its_schema(url: str, target: Target) -> None:
    """A wrong value is refused with the path of its field; a right one never breaks anything."""
    route = BY_OPERATION[target.operation]
    path = target_of(route)
    for f in msgspec.structs.fields(target.record):
        for value in HOSTILE:
            body = target.wrap({f.encode_name: value})
            answer = request(url, route.method, path, _encoded(body))
            assert answer.status < 500, (f.name, value, answer.body)
            if not valid(value, f.type):
                assert answer.status == 400, (f.name, value, answer.body)
                assert names(answer.paths, target.path(f.encode_name)), (f.name, value, answer.body)


def _encoded(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda t: f"{t.operation}-{t.prefix}{t.record.__name__}"
)
def test_all_wrong_fields_are_told_at_once(url: str, target: Target) -> None:
    """With every field wrong and one unknown, every one is named."""
    route = BY_OPERATION[target.operation]
    fields = [f.encode_name for f in msgspec.structs.fields(target.record)]
    body = target.wrap(dict.fromkeys([*fields, "unheard_of"], WRONG))
    for encoded, media in (
        (_encoded(body), "application/json"),
        (msgspec.msgpack.encode(body), "application/msgpack"),
    ):
        headers = {"Content-Type": media}
        answer = request(url, route.method, target_of(route), encoded, headers)
        assert answer.status == 400, answer.body
        missing = [n for n in [*fields, "unheard_of"] if not names(answer.paths, target.path(n))]
        assert not missing, answer.body


@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda t: f"{t.operation}-{t.prefix}{t.record.__name__}"
)
def test_binary_values_are_refused(url: str, target: Target) -> None:
    """What MessagePack can carry and JSON cannot is no value of any field."""
    route = BY_OPERATION[target.operation]
    odd = [b"\0\xff", msgspec.msgpack.Ext(7, b"x"), msgspec.msgpack.Ext(-1, b"x"), float("nan")]
    for f in msgspec.structs.fields(target.record):
        for value in odd:
            body = msgspec.msgpack.encode(target.wrap({f.encode_name: value}))
            headers = {"Content-Type": "application/msgpack"}
            answer = request(url, route.method, target_of(route), body, headers)
            assert answer.status == 400, (f.name, value, answer.body)


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.operation)
def test_every_parameter_is_held_to_its_schema(url: str, route: Route) -> None:
    """Of a query every wrong parameter is named at once, unknown ones too."""
    path = target_of(route)
    fields = msgspec.structs.fields(route.query)
    for value in (
        "x" * 5000,
        "",
        "-1",
        "1e99",
        "9" * 30,
        "a\nb",
        "\0",
        "\U0010ffff",
        "null",
        "NaN",
    ):
        pairs = [(f.encode_name, value) for f in fields] + [("unheard_of", value)]
        query = "&".join(f"{n}={quote(v)}" for n, v in pairs)
        answer = request(url, route.method, f"{path}?{query}")
        assert answer.status == 400, answer.body
        assert "query.unheard_of" in answer.paths
    for name in FILLED:
        if f"{{{name}}}" in route.path:
            for value in ("x" * 256, "\0", "a\nb"):
                wrong = route.path.replace(f"{{{name}}}", quote(value, safe=""))
                for other, right in FILLED.items():
                    wrong = wrong.replace(f"{{{other}}}", right)
                assert request(url, route.method, wrong).paths == {f"path.{name}"}


def test_the_queries_cover_every_type() -> None:
    """No query has a field of a type that strings cannot be turned into."""
    assert all(issubclass(route.query, b.Query) for route in ROUTES)
