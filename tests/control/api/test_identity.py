"""Who may call what: every rule, tokens of Keystone, and callers without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tachyon.control.api.policies import BASE, RULES
from tachyon.control.api.routes import ROUTES
from tachyon.control.api.server import check, running
from tachyon.control.objects import Objects
from tachyon.errors import ConfigurationError
from tests.control.api.conftest import Api, configuration, fault
from tests.control.api.test_framing import filled
from tests.control.objects.examples import World
from tests.interop_control.conftest import authenticate
from tests.service.keystone import Keystone
from tests.service.raw import request


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    """Nothing is left open, and no rule is for nothing."""
    used = {route.policy for route in ROUTES if route.policy is not None}
    assert used == {rule.name for rule in RULES}
    assert {route.path for route in ROUTES if route.policy is None} == {"/", "/v1"}


@pytest.mark.integration
@pytest.mark.parametrize("role", ["member", "reader", "service", "admin"])
def test_rules_let_in_whom_they_name(api: Api, here: World, role: str) -> None:
    """Administrators everywhere, services at webhooks, others nowhere; the rule is named."""
    for route in ROUTES:
        if route.policy is None:
            continue
        path = filled(route, here)
        answer = api(route.method, path, b"x", X_Roles=role, X_User_Id="u")
        allowed = role == "admin" or (role == "service" and route.policy == "webhook:trigger")
        assert (answer.status != 403) == allowed, (route.operation, answer.body)
        if not allowed:
            reason = f"Policy doesn't allow {route.policy} to be performed."
            assert fault(answer) == reason


def test_the_policy_file_overrides_rules(
    control_url: str, graph_url: str, tmp_path: Path, objects: Objects
) -> None:
    """A reader may be given the goals; a file that cannot be read is told at start-up."""
    from oslo_policy import opts

    conf = configuration(control_url, graph_url)
    opts.set_defaults(conf)
    policy = tmp_path / "policy.yaml"
    policy.write_text('"goal:get_all": "role:reader"\n')
    conf.set_override("policy_file", str(policy), group="oslo_policy")
    with running(conf, objects=objects) as url:
        answer = request(url, "GET", "/v1/goals", headers={"X-Roles": "reader"})
        assert answer.status == 200
        assert request(url, "GET", "/v1/audits", headers={"X-Roles": "reader"}).status == 403
    policy.write_text("{")
    with pytest.raises(ConfigurationError, match="policy file"), running(conf, objects=objects):
        pass


def test_without_authentication_only_loopback_is_served(control_url: str, graph_url: str) -> None:
    """Whoever can reach it could do everything."""
    conf = configuration(control_url, graph_url, api__host="0.0.0.0")
    with pytest.raises(ConfigurationError, match="loopback"):
        check(conf)


@pytest.fixture(params=[True, False])
def guarded(
    request: pytest.FixtureRequest, control_url: str, graph_url: str, objects: Objects
) -> Iterator[tuple[str, Keystone, bool]]:
    """The API behind a Keystone; with webhooks that ask for a token, or do not."""
    given = {"enable_authentication": True, "api__enable_webhooks_auth": request.param}
    conf = configuration(control_url, graph_url, **given)
    with Keystone() as keystone:
        authenticate(conf, keystone.url)
        with running(conf, objects=objects) as url:
            yield url, keystone, request.param


def test_callers_bring_a_token(guarded: tuple[str, Keystone, bool], here: World) -> None:
    """Keystone's own refusal without one; headers that only the middleware sets count nothing."""
    url, keystone, asks = guarded
    forged = {"X-Roles": "admin", "X-User-Id": "u", "X-Identity-Status": "Confirmed"}
    for headers in ({}, {"X-Auth-Token": "wrong"}, forged):
        answer = request(url, "GET", "/v1/goals", headers=headers)
        assert answer.status == 401
        assert answer.body["error"].keys() == {"code", "title", "message"}
        assert "Keystone" in answer.headers["WWW-Authenticate"]
        assert request(url, "GET", "/", headers=headers).status == 200
        assert request(url, "GET", "/healthcheck", headers=headers).status == 200
        event = request(url, "POST", f"/v1/webhooks/{here.audit.uuid}", {}, headers)
        assert event.status == (401 if asks else 400)
    admin = {"X-Auth-Token": keystone.issue("root")}
    assert request(url, "GET", "/v1/goals", headers=admin).status == 200
    member = {"X-Auth-Token": keystone.issue("member"), **forged}
    assert request(url, "GET", "/v1/goals", headers=member).status == 403
    if asks:
        service = {"X-Auth-Token": keystone.issue("service-user")}
        event = request(url, "POST", f"/v1/webhooks/{here.audit.uuid}", {}, service)
        assert event.status == 400


def test_base_rules_have_watchers_names() -> None:
    """Operators' policy files refer to them."""
    assert [rule.name for rule in BASE] == ["admin_api", "admin_or_service_api", "show_password"]
