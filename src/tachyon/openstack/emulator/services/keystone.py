"""Keystone v3: tokens, the catalog, projects."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from tachyon.openstack.emulator.cloud import REGION, Cloud
from tachyon.openstack.emulator.state.identity import Project, Token, User
from tachyon.openstack.emulator.times import exact
from tachyon.openstack.emulator.web import Answer, Call, Refused, Route, ServiceType

PREFIX = "/identity"
_DOMAIN = {"id": "default", "name": "Default"}
_DAY = timedelta(hours=24)
#: Type → name and path of each service that may be in the catalog.
CATALOG = {
    "identity": ("keystone", "/identity/v3"),
    "compute": ("nova", "/compute/v2.1"),
    "placement": ("placement", "/placement"),
    "volumev3": ("cinder", "/volume/v3/{project}"),
    "baremetal": ("ironic", "/baremetal"),
    "image": ("glance", "/image"),
}


def _stable(*parts: str) -> str:
    return hashlib.md5("/".join(parts).encode(), usedforsecurity=False).hexdigest()


def catalog(cloud: Cloud, origin: str, project_id: str) -> list[dict[str, Any]]:
    """Return the catalog of a token for a project."""
    return [
        {
            "endpoints": [
                {
                    "id": _stable(kind, interface),
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": origin + path.format(project=project_id),
                }
                for interface in ("public", "internal", "admin")
            ],
            "id": _stable(kind),
            "name": name,
            "type": kind,
        }
        for kind, (name, path) in CATALOG.items()
        if kind in cloud.services
    ]


def _origin(call: Call) -> str:
    return call.base.removesuffix(PREFIX)


def _versions(call: Call) -> Any:
    return Answer(300, {"versions": {"values": [_version(call)]}})


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "links": [{"href": f"{call.base}/v3/", "rel": "self"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json",
            }
        ],
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
    }


def _issue(call: Call) -> Any:
    auth = call.member("auth")
    identity = call.cloud.identity
    try:
        user = _user(call, auth["identity"])
        scope = auth.get("scope") or {}
        project = None
        if isinstance(scope, dict) and "project" in scope:
            asked = scope["project"]
            project = identity.project_named(asked.get("id") or asked.get("name"))
            if project is None:
                raise Refused(401, "The request you have made requires authentication.")
    except (KeyError, TypeError, AttributeError):
        raise Refused(400, "Expecting to find identity and methods in auth.") from None
    # By the machine's time, whatever the cloud's: clients compare it with theirs.
    token = identity.issue(user, project, datetime.now(UTC))
    return Answer(201, {"token": _token(call, token)}, {"X-Subject-Token": token.id})


def _user(call: Call, asked: dict[str, Any]) -> User:
    identity = call.cloud.identity
    if "password" in asked["methods"]:
        given = asked["password"]["user"]
        named = {u.id: u for u in identity.users.values()} | identity.users
        user = named.get(given.get("id") or given.get("name"))
        if user is not None and secrets.compare_digest(user.password, given["password"]):
            return user
    elif "token" in asked["methods"]:
        token = identity.tokens.get(asked["token"]["id"])
        if token is not None:
            return token.user
    raise Refused(401, "The request you have made requires authentication.")


def _token(call: Call, token: Token) -> dict[str, Any]:
    body: dict[str, Any] = {
        "audit_ids": [_stable(token.id)[:22]],
        "catalog": [],
        "expires_at": exact(token.issued + _DAY) + "Z",
        "is_domain": False,
        "issued_at": exact(token.issued) + "Z",
        "methods": ["password"],
        "roles": [{"id": _stable("role", role), "name": role} for role in token.user.roles],
        "user": {
            "domain": _DOMAIN,
            "id": token.user.id,
            "name": token.user.name,
            "password_expires_at": None,
        },
    }
    if token.project is not None:
        body["project"] = {"domain": _DOMAIN, "id": token.project.id, "name": token.project.name}
    else:
        body["system"] = {"all": True}
    project_id = token.project.id if token.project is not None else ""
    body["catalog"] = catalog(call.cloud, _origin(call), project_id)
    return body


def _validate(call: Call) -> Any:
    token = call.cloud.identity.tokens.get(call.headers.get("X-SUBJECT-TOKEN", ""))
    if token is None:
        raise Refused(404, "Could not find token.")
    return Answer(200, {"token": _token(call, token)}, {"X-Subject-Token": token.id})


def _revoke(call: Call) -> Any:
    call.cloud.identity.tokens.pop(call.headers.get("X-SUBJECT-TOKEN", ""), None)


def _links(call: Call, path: str) -> dict[str, Any]:
    return {"next": None, "previous": None, "self": f"{call.base}/v3/{path}"}


def _project(call: Call, project: Project) -> dict[str, Any]:
    return {
        "description": "",
        "domain_id": "default",
        "enabled": True,
        "id": project.id,
        "is_domain": False,
        "links": {"self": f"{call.base}/v3/projects/{project.id}"},
        "name": project.name,
        "options": {},
        "parent_id": "default",
        "tags": [],
    }


def _projects(call: Call) -> Any:
    name = call.query.get("name")
    found = [p for p in call.cloud.identity.projects.values() if name in (None, p.name)]
    return {"links": _links(call, "projects"), "projects": [_project(call, p) for p in found]}


def _one_project(call: Call) -> Any:
    project = call.cloud.identity.projects.get(call.names["project"])
    if project is None:
        raise Refused(404, f"Could not find project: {call.names['project']}.")
    return {"project": _project(call, project)}


def _services(call: Call) -> Any:
    found = [
        {
            "enabled": True,
            "id": _stable(kind),
            "links": {"self": f"{call.base}/v3/services/{_stable(kind)}"},
            "name": name,
            "type": kind,
        }
        for kind, (name, _) in CATALOG.items()
        if kind in call.cloud.services and call.query.get("type") in (None, kind)
    ]
    return {"links": _links(call, "services"), "services": found}


def _endpoints(call: Call) -> Any:
    found = [
        {
            "enabled": True,
            "id": endpoint["id"],
            "interface": endpoint["interface"],
            "links": {"self": f"{call.base}/v3/endpoints/{endpoint['id']}"},
            "region": REGION,
            "region_id": REGION,
            "service_id": entry["id"],
            "url": endpoint["url"],
        }
        for entry in catalog(call.cloud, _origin(call), "%(project_id)s")
        for endpoint in entry["endpoints"]
    ]
    return {"endpoints": found, "links": _links(call, "endpoints")}


def _error(status: int, message: str, _code: str) -> Any:
    titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    return {"error": {"code": status, "message": message, "title": titles.get(status, "Error")}}


KEYSTONE = ServiceType(
    name="keystone",
    prefix=PREFIX,
    error=_error,
    routes=(
        Route("GET", "/", _versions, public=True),
        Route("GET", "/v3", lambda call: {"version": _version(call)}, public=True),
        Route("POST", "/v3/auth/tokens", _issue, public=True),
        Route("GET", "/v3/auth/tokens", _validate),
        Route("DELETE", "/v3/auth/tokens", _revoke, status=204),
        Route("GET", "/v3/projects", _projects, admin=True),
        Route("GET", "/v3/projects/{project}", _one_project, admin=True),
        Route("GET", "/v3/services", _services, admin=True),
        Route("GET", "/v3/endpoints", _endpoints, admin=True),
    ),
)
