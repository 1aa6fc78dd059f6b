"""What all operations have in common: versions, links, paths, methods, media types, errors."""

from __future__ import annotations

import re

import pytest

from tachyon.control.api.routes import ROUTES, Route
from tests.control.api.conftest import Api, fault
from tests.control.objects.examples import World
from tests.service.raw import send

RESOURCES = ["goals", "strategies", "audit_templates", "audits", "action_plans", "actions"]


def test_the_root_lists_the_versions(api: Api) -> None:
    """Whoever comes finds version 1 and its microversions, without a header of versions."""
    answer = api("GET", "/", version=None)
    body = answer.body
    assert body["default_version"] == body["versions"][0]
    version = body["versions"][0]
    assert version == {
        "id": "v1",
        "status": "CURRENT",
        "min_version": "1.0",
        "max_version": "1.8",
        "links": [{"rel": "self", "href": f"{api.url}/v1/"}],
    }
    assert "OpenStack-API-Version" not in answer.headers


@pytest.mark.parametrize(
    ("version", "more"),
    [("1.0", set()), ("1.3", {"data_model"}), ("1.4", {"data_model", "webhooks"})],
)
def test_version_1_lists_its_resources(api: Api, version: str, more: set[str]) -> None:
    """Each resource with two links; newer ones by the microversion."""
    body = api.ok("GET", "/v1", version=version)
    assert body["id"] == "v1"
    assert body["media_types"][0]["type"] == "application/vnd.openstack.watcher.v1+json"
    assert [link["rel"] for link in body["links"]] == ["self", "describedby"]
    always = {*RESOURCES, "scoring_engines", "services"}
    assert body.keys() - {"id", "links", "media_types"} == always | more
    assert [link["rel"] for link in body["audits"]] == ["self", "bookmark"]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (None, "1.0"),
        ("infra-optim 1.4", "1.4"),
        ("infra-optim latest", "1.8"),
        ("compute 2.96, infra-optim 1.5", "1.5"),
        ("compute 2.96", "1.0"),
        ("infra-optim 1", "1.0"),
        ("infra-optim one", "1.0"),
        ("infra-optim", "1.0"),
        ("", "1.0"),
        ("\xe9\xff", "1.0"),
    ],
)
def test_the_microversion_in_force_is_told(api: Api, header: str | None, told: str) -> None:
    """Absent, for others or unreadable, it is the oldest."""
    headers = {} if header is None else {"OpenStack_API_Version": header}
    answer = api("GET", "/v1/goals", version=None, **headers)
    assert answer.status == 200
    assert answer.headers["OpenStack-API-Version"] == f"infra-optim {told}"
    assert answer.headers["OpenStack-API-Minimum-Version"] == "1.0"
    assert answer.headers["OpenStack-API-Maximum-Version"] == "1.8"
    assert answer.headers["Vary"] == "OpenStack-API-Version"
    assert answer.headers["x-openstack-request-id"].startswith("req-")


@pytest.mark.parametrize("asked", ["9.9", "0.9", "1.99", "1.2.3", "2", "1.99999999999"])
def test_a_microversion_that_there_is_not_is_not_acceptable(api: Api, asked: str) -> None:
    """The answer says what range there is, in words and in headers."""
    answer = api("GET", "/v1/goals", version=asked)
    assert answer.status == 406
    assert "The supported version range is: [1.0, 1.8]." in fault(answer)
    assert answer.headers["OpenStack-API-Maximum-Version"] == "1.8"
    assert "OpenStack-API-Version" not in answer.headers


def test_newer_routes_and_parameters_are_not_in_older_microversions(api: Api, here: World) -> None:
    """A route is refused one microversion below its own, and served from there on."""
    for route in ROUTES:
        if route.since == 0 or route.method != "GET":
            continue
        path = filled(route, here)
        assert "microversion" in api.fails(406, "GET", path, version=f"1.{route.since - 1}")
        assert api("GET", path, version=f"1.{route.since}").status in (200, 404)
    api.fails(400, "GET", "/v1/audits?state=PENDING", version="1.7")
    assert len(api.ok("GET", "/v1/audits?state=PENDING", version="1.8")["audits"]) == 2


def filled(route: Route, here: World) -> str:
    """Return a route's path with names of what there is."""
    names = {
        "goal": here.goal.uuid,
        "strategy": here.strategy.uuid,
        "audit": here.audit.uuid,
        "action_plan": here.plan.uuid,
    }
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "nobody"), route.path)


@pytest.mark.parametrize("path", ["/v1/goals", "/v1/goals/", "/goals", "/goals/", "/v1/goals.json"])
def test_paths_are_taken_in_every_form_that_clients_use(api: Api, here: World, path: str) -> None:
    """With or without the version, a slash at the end or a suffix."""
    assert len(api.ok("GET", path)["goals"]) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing",
        "/v2/goals",
        "/v1/goals/x/detail",
        "/v1/audits/detail/x",
        "/%00",
        "//",
    ],
)
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    """Unknown paths answer 404 in the form of all errors (or the root, for nothing at all)."""
    answer = api("GET", path)
    if path == "//":
        assert answer.status == 200
    else:
        assert answer.status == 404
        assert fault(answer)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/goals", {"GET"}),
        ("DELETE", "/v1/strategies/x", {"GET"}),
        ("PUT", "/v1/audits", {"GET", "POST"}),
        ("POST", "/v1/action_plans", {"GET"}),
        ("POST", "/v1/actions", {"GET"}),
        ("DELETE", "/v1/actions/x", {"GET", "PATCH"}),
        ("GET", "/v1/webhooks/x", {"POST"}),
    ],
)
def test_a_wrong_method_is_told_with_the_right_ones(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    """405 with Allow."""
    answer = api(method, path)
    assert answer.status == 405
    assert fault(answer)
    told = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert told - {"OPTIONS"} == allowed


def test_head_is_refused_and_options_answered(api: Api) -> None:
    """As Watcher does."""
    assert api("HEAD", "/v1/goals").status == 405
    assert api("OPTIONS", "/v1/goals").status == 200


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"", 400),
        ("application/json", b"[]", 400),
        ("application/json", b'"x"', 400),
        ("application/json", b"null", 400),
        ("application/json", b"{}", 400),
        ("application/json", b"\xff\xfe", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
        ("application/x-www-form-urlencoded", b"goal=dummy", 400),
        ("text/plain", b"{}", 415),
        ("application/json; charset=latin-1", b"{}", 415),
        ("application/msgpack", b"\x80", 415),
    ],
)
@pytest.mark.parametrize("path", ["/v1/audits", "/v1/audit_templates"])
def test_bodies_are_json_objects(
    api: Api, path: str, content_type: str, body: bytes, status: int
) -> None:
    """Anything else is refused by its kind."""
    assert api.fails(status, "POST", path, body, Content_Type=content_type)


def test_a_body_is_bounded(api: Api) -> None:
    """A larger one is refused before it is sent."""
    head = b"POST /v1/audits HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    answer = send(api.url, head)
    assert answer.status == 413
    assert fault(answer)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, */*;q=0.1"])
def test_answers_are_json(api: Api, accept: str) -> None:
    """For whoever takes it; others are told."""
    assert api("GET", "/v1/goals", Accept=accept).status == 200
    assert api.fails(406, "GET", "/v1/goals", Accept="application/xml")


@pytest.mark.parametrize("plural", [*RESOURCES, "services"])
def test_records_have_two_links(api: Api, here: World, objects: object, plural: str) -> None:
    """Self and bookmark, the first as the URL that serves the record."""
    if plural == "services":
        objects.services.create(name="watcher-applier", host="h")  # type: ignore[attr-defined]
    if plural == "audit_templates":
        api.ok("POST", "/v1/audit_templates", {"name": "t", "goal": "dummy"})
    record = api.ok("GET", f"/v1/{plural}")[plural][0]
    ident = record["id"] if plural == "services" else record["uuid"]
    assert record["links"] == [
        {"rel": "self", "href": f"{api.url}/v1/{plural}/{ident}"},
        {"rel": "bookmark", "href": f"{api.url}/{plural}/{ident}"},
    ]
    shown = api.ok("GET", record["links"][0]["href"].removeprefix(api.url))
    # The short form agrees with the long one in all that it says.
    assert {key: shown[key] for key in record} == record


def test_links_are_those_of_the_proxy_in_front(api: Api, here: World) -> None:
    """The Host that the client named is in the links."""
    goals = api.ok("GET", "/v1/goals", Host="cloud.example:9322")["goals"]
    assert goals[0]["links"][0]["href"].startswith("http://cloud.example:9322/v1/goals/")


def test_health_and_measurements_are_for_everybody(api: Api, here: World) -> None:
    """Load balancers and Prometheus ask without a token."""
    assert api("GET", "/healthcheck", version=None).body == {"status": "ok"}
    api("GET", "/v1/goals")
    text = api("GET", "/metrics", version=None).body.decode()
    assert 'tachyon_audits{state="PENDING"} 2.0' in text
    assert 'tachyon_action_plans{state="RECOMMENDED"} 2.0' in text
    assert re.search(r'tachyon_api_requests_total\{operation="goal.find",.*status="200"\}', text)
