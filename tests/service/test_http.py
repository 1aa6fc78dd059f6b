"""The contract over HTTP: one shape of errors, negotiation, preconditions, odd requests."""

from __future__ import annotations

import json

import msgspec
import pytest

# A case is a line, however long.
# ruff: noqa: E501
from tachyon.graph.client import GraphClient
from tachyon.graph.entities import Consumer
from tachyon.graph.view import wire
from tests.conformance.cluster import host, instance
from tests.service.processes import ServiceProcess
from tests.service.raw import request, send

MSGPACK = {"Content-Type": "application/msgpack"}


@pytest.fixture
def url(http: GraphClient, service: ServiceProcess) -> str:
    """A service with host p1 and instance c1 on it."""
    http.put_provider(host("p1"))
    http.put_consumer(instance("c1", "p1"))
    return service.url


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("GET", "/nowhere", {}, None, 404, "route_not_found"),
        ("GET", "/v1/providers/", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers/unknown", {}, None, 404, "provider_not_found"),
        ("POST", "/v1/providers", {}, {}, 405, "method_not_allowed"),
        ("PUT", "/v1/snapshot", {}, {}, 405, "method_not_allowed"),
        ("BREW", "/v1/providers", {}, None, 405, "method_not_allowed"),
        ("TRACE", "/v1/providers", {}, None, 405, "method_not_allowed"),
        ("GET", "/v1", {"Accept": "text/html"}, None, 406, "not_acceptable"),
        ("GET", "/v1", {"Accept": ";;;"}, None, 406, "not_acceptable"),
        ("POST", "/v1/mutations", {"Content-Type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/v1/mutations", {"Content-Type": "application/json; charset=utf-16"}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/v1/mutations", {"Content-Encoding": "gzip"}, b"\x1f\x8b", 415, "unsupported_media_type"),
        ("POST", "/v1/mutations", {}, None, 400, "invalid_input"),
        ("POST", "/v1/mutations", {}, b"{", 400, "invalid_input"),
        ("POST", "/v1/mutations", {}, b"\xff", 400, "invalid_input"),
        ("POST", "/v1/mutations", {}, b"[" * 100_000, 400, "invalid_input"),
        ("POST", "/v1/mutations", {}, b'{"mutations":' + b"[" * 100_000, 400, "invalid_input"),
        ("POST", "/v1/mutations", {}, b"1" * 10_000, 400, "invalid_input"),
        ("POST", "/v1/mutations", MSGPACK, b"\xc1", 400, "invalid_input"),
        ("POST", "/v1/mutations", MSGPACK, b"\xdf\xff\xff\xff\xff", 400, "invalid_input"),
        ("POST", "/v1/mutations", MSGPACK, b"\x81\xa9mutations\xa1\xff", 400, "invalid_input"),
        ("POST", "/v1/mutations", MSGPACK, b"\x91" * 100_000, 400, "invalid_input"),
        ("POST", "/v1/changes/trim", MSGPACK, b"\x81\xa4keep\xcb\x7f\xf8\0\0\0\0\0\0", 400, "invalid_input"),
        ("POST", "/v1/sessions/x/commit", {}, {}, 400, "invalid_input"),
        ("GET", "/v1/providers", {}, {}, 400, "invalid_input"),
        ("GET", "/v1/providers?unknown=1", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers?name=a&name=b", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers?limit=0&marker=", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers?limit=" + "9" * 5000, {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers?name=%FF", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers/%FF", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers/a%00b", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers/" + "x" * 256, {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers/%ED%A0%80", {}, None, 400, "invalid_input"),
        ("GET", "/v1/providers/%zz", {}, None, 404, "provider_not_found"),
        ("GET", "/v1/changes", {}, None, 400, "invalid_input"),
        ("GET", "/v1/changes?since=-1&limit=x&wait=nan", {}, None, 400, "invalid_input"),
        ("GET", "/v1/changes?since=0&wait=inf", {}, None, 400, "invalid_input"),
        ("DELETE", "/v1/providers/p1", {"If-Match": "x"}, None, 400, "invalid_input"),
        ("DELETE", "/v1/providers/p1", {"If-Match": "*"}, None, 400, "invalid_input"),
        ("DELETE", "/v1/providers/p1", {"If-None-Match": "5"}, None, 400, "invalid_input"),
        ("DELETE", "/v1/providers/p1", {"If-Match": "0"}, None, 409, "generation_conflict"),
        ("DELETE", "/v1/providers/p1", {}, None, 409, "provider_in_use"),
        ("PUT", "/v1/providers/other", {}, {"uuid": "p1", "name": "n"}, 400, "invalid_input"),
    ],
)  # fmt: skip
def test_every_error_has_one_shape(
    url: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: object,
    status: int,
    code: str,
) -> None:
    """A stable code, words and facts, whatever went wrong, and never a 5xx."""
    answer = request(url, method, path, body, headers)
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Tachyon-Generation"]) > 0
    assert answer.error["code"] == code


HEAD = b" /v1/mutations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://other/v1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET v1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1#x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"get /v1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1 HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1 HTTP/x\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET /v1\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1?\xff=1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1 HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /v1/" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /v1 HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 413),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST" + HEAD + b"Content-Length: x\r\n\r\n{}", 400),
        (b"POST" + HEAD + b"Content-Length: -5\r\n\r\n{}", 400),
        (b"POST" + HEAD + b"Content-Length: +2\r\n\r\n{}", 400),
        (b"POST" + HEAD + b"Content-Length: 9999999999999\r\n\r\n{}", 413),
        (b"POST" + HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}", 400),
        (b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
        (
            b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\n"
            b'{"mutations":[]}\r\n0\r\n\r\n',
            200,
        ),
        (b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
        (b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n", 400),
    ],
)
def test_broken_requests_are_the_clients_fault(url: str, raw: bytes, status: int) -> None:
    """What breaks HTTP itself is answered in the same shape, and never by a 5xx."""
    answer = send(url, raw)
    assert answer.status == status, answer.body
    if status >= 400:
        assert answer.error["code"]


@pytest.mark.parametrize(
    "raw",
    [
        b"POST" + HEAD + b"Content-Length: 100\r\n\r\n{}",
        b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
    ],
)
def test_a_body_that_ends_early_is_refused(url: str, raw: bytes) -> None:
    """A client that leaves in the middle of its body is told so, if it still listens."""
    answer = send(url, raw, half_close=True)
    assert (answer.status, answer.error["code"]) == (400, "invalid_input")


def test_head_and_options_tell_about_a_path(url: str) -> None:
    """HEAD is GET without a body, OPTIONS lists the methods, as does a 405."""
    head = request(url, "HEAD", "/v1/providers/p1")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 100
    assert request(url, "HEAD", "/v1/providers/unknown").status == 404
    options = request(url, "OPTIONS", "/v1/providers/p1")
    assert set(options.headers["Allow"].split(", ")) >= {"GET", "HEAD", "PUT", "PATCH", "DELETE"}
    refused = request(url, "POST", "/v1/providers/p1", {})
    assert "PATCH" in refused.headers["Allow"]
    assert "PATCH" in refused.error["details"]["allowed"]


def test_a_duplicate_key_counts_once(url: str) -> None:
    """Of two fields with the same name the last one holds."""
    body = b'{"uuid": "p9", "name": "first", "name": "last"}'
    assert request(url, "PUT", "/v1/providers/p9", body).status == 200
    assert request(url, "GET", "/v1/providers/p9").body["name"] == "last"


@pytest.mark.parametrize(
    ("text", "status"),
    [('"\\ud800"', 400), ('"\\ud83d\\ude00"', 200), ('"\\u0000"', 400), ('""', 400), ("null", 400)],
)
def test_odd_strings_are_refused(url: str, text: str, status: int) -> None:
    """Half a surrogate pair and control characters are no text."""
    body = f'{{"uuid": "p9", "name": {text}}}'.encode()
    answer = request(url, "PUT", "/v1/providers/p9", body)
    assert answer.status == status, answer.body


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 30, "NaN", "Infinity", "1e-400"])
def test_odd_numbers_never_break_anything(url: str, number: str) -> None:
    """Numbers beyond what is kept are refused, wherever they stand; what is accepted is kept."""
    for body in (
        f'{{"uuid":"c1","metadata":{{"a":[{{"b":{number}}}]}}}}',
        f'{{"uuid":"c1","allocations":{{"p1":{{"VCPU":{number}}}}}}}',
    ):
        answer = request(url, "PUT", "/v1/consumers/c1", body.encode())
        assert answer.status in (200, 400), answer.body
        for accept in ("application/json", "application/msgpack"):
            found = request(url, "GET", "/v1/consumers/c1", headers={"Accept": accept})
            assert found.status == 200


def test_deep_metadata_is_refused(url: str) -> None:
    """What one side could still decode, the other could not encode."""
    for depth, status in ((20, 200), (100, 400), (900, 400), (50_000, 400)):
        body = '{"uuid":"c1","metadata":{"a":' + "[" * depth + "]" * depth + "}}"
        assert request(url, "PUT", "/v1/consumers/c1", body.encode()).status == status


@pytest.mark.parametrize(
    "value",
    [b"bytes", msgspec.msgpack.Ext(5, b"x"), float("nan"), float("inf"), {1: 2}, 2**64 - 1],
    ids=["binary", "ext", "nan", "inf", "number as key", "unsigned"],
)
def test_messagepack_carries_no_more_than_json(url: str, value: object) -> None:
    """What only MessagePack can say is refused, and its place is told."""
    body = msgspec.msgpack.encode({"uuid": "c1", "extra": {"deep": [value]}})
    answer = request(url, "PUT", "/v1/consumers/c1", body, MSGPACK)
    assert answer.status == 400
    assert answer.paths == {"extra.deep[0]"}


def test_both_forms_say_the_same(url: str) -> None:
    """A body may be sent and asked for in either form."""
    record = {"uuid": "c2", "name": "n", "created_at": "2026-03-01T12:00:00Z"}
    packed = msgspec.msgpack.encode(record)
    assert request(url, "PUT", "/v1/consumers/c2", packed, MSGPACK).status == 200
    as_json = request(url, "GET", "/v1/consumers/c2").body
    accept = {"Accept": "text/html;q=0.9, application/msgpack;q=0.8, */*;q=0.1"}
    answer = request(url, "GET", "/v1/consumers/c2", headers=accept)
    assert answer.headers["Content-Type"] == "application/msgpack"
    assert msgspec.msgpack.decode(answer.body, type=Consumer) == msgspec.convert(as_json, Consumer)
    assert as_json["created_at"] == "2026-03-01T12:00:00Z"


def test_the_snapshot_is_sent_only_when_it_changed(url: str, http: GraphClient) -> None:
    """Its ETag is the generation; the same columns come as JSON and as MessagePack."""
    first = request(url, "GET", "/v1/snapshot")
    assert first.headers["ETag"] == f'"{first.body["generation"]}"'
    assert first.headers["Tachyon-Generation"] == str(first.body["generation"])
    assert first.body["consumers"]["uuid"] == ["c1"]
    known = {"If-None-Match": first.headers["ETag"]}
    again = request(url, "GET", "/v1/snapshot", headers=known)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    http.put_consumer(instance("c2", "p1"))
    packed = {**known, "Accept": "application/msgpack"}
    changed = request(url, "GET", "/v1/snapshot", headers=packed)
    assert changed.status == 200
    view = wire.decode(changed.body)
    assert view.consumer("c2") == http.consumer("c2")
    assert view.generation == int(changed.headers["Tachyon-Generation"])


def test_an_entity_is_guarded_by_its_etag(url: str) -> None:
    """What GET gives as ETag, a write takes as If-Match."""
    etag = request(url, "GET", "/v1/providers/p1").headers["ETag"]
    patch = {"maintenance": True}
    guard = {"If-Match": etag}
    assert request(url, "PATCH", "/v1/providers/p1", patch, guard).status == 200
    patch = {"maintenance": False}
    answer = request(url, "PATCH", "/v1/providers/p1", patch, guard)
    assert (answer.status, answer.error["code"]) == (409, "generation_conflict")
    fresh = {"If-None-Match": "*"}
    record = {"uuid": "p1", "name": "again"}
    assert request(url, "PUT", "/v1/providers/p1", record, fresh).status == 409


def test_all_wrong_fields_are_told_at_once(url: str) -> None:
    """Each with its path, in lists, unions and mappings alike."""
    body = {
        "mutations": [
            {"op": "put_provider", "provider": {"uuid": 5, "inventories": {"vcpu": {"total": -1}}}},
            {"op": "unheard of"},
            {},
            7,
            {"op": "patch_consumer", "uuid": "a", "created_at": "noon", "locked": None},
        ],
        "expected": {"graph": "1"},
        "more": 1,
    }
    assert request(url, "POST", "/v1/mutations", body).paths == {
        "mutations[0].provider.uuid",
        "mutations[0].provider.name",
        "mutations[0].provider.inventories.vcpu",
        "mutations[0].provider.inventories.vcpu.total",
        "mutations[1].op",
        "mutations[2].op",
        "mutations[3]",
        "mutations[4].created_at",
        "mutations[4].locked",
        "expected.graph",
        "more",
    }
    query = "/v1/consumers?limit=0&type=&unknown=1&name=a&name=b"
    assert request(url, "GET", query).paths == {
        "query.limit",
        "query.type",
        "query.unknown",
        "query.name",
    }


def test_one_mistake_in_a_large_body_is_found_fast(url: str) -> None:
    """Of 20,000 consumers only the wrong one is looked at closely."""
    consumers = [{"uuid": f"c{n}", "metadata": {"n": n}} for n in range(20_000)]
    consumers[-1]["name"] = 5
    answer = request(url, "POST", "/v1/synchronise", {"cluster": {"consumers": consumers}})
    assert answer.paths == {"cluster.consumers[19999].name"}


def test_the_openapi_document_is_served(url: str) -> None:
    """It describes every route."""
    document = request(url, "GET", "/v1/openapi.json").body
    assert document["openapi"] == "3.1.0"
    assert "/v1/sessions/{session}/deltas" in document["paths"]
    assert json.dumps(document).count('"operationId"') > 60
