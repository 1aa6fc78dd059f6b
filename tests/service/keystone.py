"""A small Keystone over HTTP: tokens are issued and validated as the real one does."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

#: Who there is: password "secret" for all, roles by user name.
USERS = {
    "service-user": ["service"],
    "root": ["admin"],
    "reader": ["reader"],
    "member": ["member", "reader"],
    "nobody": [],
}


class Keystone:
    """`with Keystone() as keystone: keystone.url`."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.validations = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v3"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def issue(self, user: str, *, system: bool = False) -> str:
        """Return a new token of a user, scoped to a project or to the system."""
        token = uuid4().hex
        domain = {"id": "default", "name": "Default"}
        scope: dict[str, Any] = (
            {"system": {"all": True}}
            if system
            else {"project": {"id": "p", "name": "p", "domain": domain}}
        )
        self.tokens[token] = {
            "token": {
                "methods": ["password"],
                "user": {"id": user, "name": user, "domain": domain},
                "roles": [{"id": name, "name": name} for name in USERS[user]],
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": "2126-01-01T00:00:00.000000Z",
                "audit_ids": [token[:8]],
                "catalog": [self._identity_service()],
                **scope,
            }
        }
        return token

    def _identity_service(self) -> dict[str, Any]:
        endpoints = [
            {"id": kind, "interface": kind, "region": "r", "region_id": "r", "url": self.url}
            for kind in ("public", "internal", "admin")
        ]
        return {"id": "identity", "type": "identity", "name": "keystone", "endpoints": endpoints}


def _handler(keystone: Keystone) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _send(self, status: int, body: Any, **headers: str) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if self.path.startswith("/v3/auth/tokens"):
                if self.headers["X-Auth-Token"] not in keystone.tokens:
                    return self._send(401, {"error": {"code": 401}})
                keystone.validations += 1
                found = keystone.tokens.get(self.headers["X-Subject-Token"])
                if found is None:
                    return self._send(404, {"error": {"code": 404}})
                return self._send(200, found)
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": f"{keystone.url}/"}],
            }
            return self._send(200, {"version": version})

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            asked = json.loads(self.rfile.read(length))["auth"]
            user = asked["identity"]["password"]["user"]
            if user.get("name") not in USERS or user["password"] != "secret":
                return self._send(401, {"error": {"code": 401}})
            system = "system" in asked.get("scope", {})
            token = keystone.issue(user["name"], system=system)
            return self._send(201, keystone.tokens[token], X_Subject_Token=token)

    return Handler
