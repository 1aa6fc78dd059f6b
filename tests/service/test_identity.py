"""Who may call what: keystonemiddleware and oslo.policy in front, noauth on loopback only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3

from tachyon.errors import ConfigurationError, Forbidden, Unauthorized
from tachyon.graph.client import connect
from tachyon.graph.mutations import Cluster
from tachyon.graph.service.server import serve
from tests.conformance.cluster import host
from tests.service.keystone import Keystone
from tests.service.processes import ServiceProcess
from tests.service.raw import request


@pytest.fixture(scope="module")
def keystone() -> Iterator[Keystone]:
    with Keystone() as made:
        yield made


def options(keystone: Keystone, more: str = "") -> str:
    return (
        "[keystone_authtoken]\n"
        "auth_type = password\n"
        f"auth_url = {keystone.url}\n"
        f"www_authenticate_uri = {keystone.url}\n"
        "username = service-user\npassword = secret\nproject_name = service\n"
        "user_domain_name = Default\nproject_domain_name = Default\n" + more
    )


@pytest.fixture(scope="module")
def protected(
    keystone: Keystone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    """A service that asks Keystone."""
    folder = tmp_path_factory.mktemp("identity")
    config = folder / "tachyon.conf"
    config.write_text(options(keystone))
    with ServiceProcess(
        store_url=f"sqlite:///{folder / 'graph.db'}", auth="keystone", config_file=str(config)
    ) as service:
        yield service


def status(url: str, method: str, path: str, body: object = None, token: str = "") -> int:
    answer = request(url, method, path, body, {"X-Auth-Token": token} if token else {})
    if answer.status >= 400:
        assert answer.error["code"]
    return answer.status


READ = ("GET", "/v1/providers", None)
SIMULATE = ("POST", "/v1/sessions", {})
WRITE = ("POST", "/v1/mutations", {"mutations": []})
ADMINISTER = ("POST", "/v1/sessions/expire", None)
CALLS = (READ, SIMULATE, WRITE, ADMINISTER)


@pytest.mark.parametrize(
    ("user", "system", "allowed"),
    [
        ("nobody", True, []),
        ("reader", False, []),
        ("member", False, []),
        ("reader", True, [READ]),
        ("member", True, [READ, SIMULATE]),
        ("service-user", False, [READ, SIMULATE, WRITE]),
        ("root", False, [READ, SIMULATE, WRITE, ADMINISTER]),
    ],
)
def test_roles_decide(
    protected: ServiceProcess, keystone: Keystone, user: str, system: bool, allowed: list[object]
) -> None:
    """Each policy opens what it should, and a role in a mere project opens nothing."""
    token = keystone.issue(user, system=system)
    for call in CALLS:
        method, path, body = call
        found = status(protected.url, method, path, body, token)
        assert found == (403 if call not in allowed else 201 if call is SIMULATE else 200), call


def test_a_call_without_a_valid_token_is_refused(protected: ServiceProcess) -> None:
    """401 in the shape of all errors, whatever stands in the header."""
    for token in ("", "unknown", "x" * 5000, "\u00ff"):
        assert status(protected.url, "GET", "/v1/providers", None, token) == 401
    answer = request(protected.url, "GET", "/v1/providers")
    assert answer.headers["WWW-Authenticate"].startswith("Keystone")
    assert answer.error["code"] == "unauthorized"
    forged = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "x"}
    assert request(protected.url, "GET", "/v1/providers", headers=forged).status == 401


def test_documents_are_open_to_everybody(protected: ServiceProcess) -> None:
    """Versions, health and the OpenAPI document need no token."""
    for path in ("/", "/v1", "/v1/health", "/v1/openapi.json"):
        assert status(protected.url, "GET", path) == 200


def test_a_keystoneauth_session_gives_tokens(protected: ServiceProcess, keystone: Keystone) -> None:
    """The client takes any keystoneauth1 session, and asks again when a token is refused."""
    auth = v3.Password(
        keystone.url,
        username="root",
        password="secret",
        user_domain_name="Default",
        project_name="admin",
        project_domain_name="Default",
    )
    session = keystone_session.Session(auth=auth)
    with connect(protected.url, auth=session) as client:
        client.synchronise(Cluster(providers=[host("p1")]))
        old = session.get_token()
        assert client.provider("p1").uuid == "p1"
        auth.auth_ref._auth_token = "forgotten"
        assert client.provider("p1").uuid == "p1"
        assert session.get_token() not in (old, "forgotten")
    reader = v3.Password(
        keystone.url,
        username="reader",
        password="secret",
        user_domain_name="Default",
        system_scope="all",
    )
    with connect(protected.url, auth=keystone_session.Session(auth=reader)) as client:
        assert client.provider("p1").uuid == "p1"
        with pytest.raises(Forbidden):
            client.remove_provider("p1")
    with connect(protected.url) as client, pytest.raises(Unauthorized):
        client.providers()


def test_the_policy_can_be_overridden(keystone: Keystone, tmp_path: Path) -> None:
    """A policy file says who may write."""
    policy = tmp_path / "policy.yaml"
    policy.write_text('"graph:write": "role:reader"\n')
    config = tmp_path / "tachyon.conf"
    config.write_text(options(keystone, f"[service]\npolicy_file = {policy}\n"))
    with ServiceProcess(
        store_url=f"sqlite:///{tmp_path / 'graph.db'}", auth="keystone", config_file=str(config)
    ) as service:
        method, path, body = WRITE
        reader, admin = keystone.issue("reader"), keystone.issue("root")
        assert status(service.url, method, path, body, reader) == 200
        assert status(service.url, method, path, body, admin) == 403


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "", "192.0.2.1", "8.8.8.8"])
def test_noauth_is_refused_where_others_can_reach_it(address: str, tmp_path: Path) -> None:
    """Without authentication a service listens on loopback or not at all."""
    with pytest.raises(ConfigurationError, match="loopback"):
        serve(store_url=f"sqlite:///{tmp_path / 'graph.db'}", host=address, port=0, auth="noauth")


def test_other_wsgi_servers_get_no_noauth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows where they listen."""
    from tachyon.graph.service import wsgi

    monkeypatch.delenv("TACHYON_CONFIG", raising=False)
    with pytest.raises(ConfigurationError, match="loopback"):
        wsgi.application({}, lambda *_: None)


def test_a_wrong_configuration_is_told(tmp_path: Path) -> None:
    """Before anything is served."""
    for arguments in ({"config_file": "/nowhere"}, {"port": 70_000}, {"auth": "maybe"}):
        with pytest.raises(ConfigurationError):
            serve(store_url=f"sqlite:///{tmp_path / 'graph.db'}", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        serve(store_url="sqlite://", workers=2)
