"""Requests that no decent client would send."""

from __future__ import annotations

import http.client
import json
import socket
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct


class Answer(Struct):
    """A response, its JSON body decoded."""

    status: int
    headers: Message
    body: Any

    @property
    def error(self) -> dict[str, Any]:
        """The error in the body, which has the one shape that every error has."""
        assert self.body.keys() == {"error"}, self.body
        error: dict[str, Any] = self.body["error"]
        assert error.keys() == {"code", "message", "details"}
        return error

    @property
    def paths(self) -> set[str]:
        """The places that the error names."""
        return {problem["path"] for problem in self.error["details"]["errors"]}


def request(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """Send a request; a body that is not bytes goes as JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body, sent)
        found = connection.getresponse()
        return _answer(found)
    finally:
        connection.close()


def send(url: str, raw: bytes, *, half_close: bool = False) -> Answer:
    """Send bytes as they are and read the answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(raw)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        found = http.client.HTTPResponse(connection)
        found.begin()
        return _answer(found)


def _answer(found: http.client.HTTPResponse) -> Answer:
    body = found.read()
    kind = found.headers.get_content_type()
    decoded = json.loads(body) if body and kind == "application/json" else body
    return Answer(found.status, found.headers, decoded)
