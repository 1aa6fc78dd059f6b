"""Errors as clients of Watcher parse them: JSON in a string in JSON."""

from __future__ import annotations

import msgspec

from tachyon.errors import Gone, InvalidInput, TachyonError
from tachyon.graph.service.problems import (
    InternalError,
    MethodNotAllowed,
    RouteNotFound,
    UnsupportedMediaType,
)

#: Errors that were found before any handler was called; they have another form.
_ROUTING: tuple[type[TachyonError], ...] = (RouteNotFound, MethodNotAllowed, UnsupportedMediaType)

_TITLES = {404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 415: "Unsupported"}


def body(error: TachyonError, *, routing: bool = False) -> bytes:
    """Return the body of an error's answer.

    Args:
        error: what went wrong.
        routing: whether it was found before any handler was called.
    """
    if routing or isinstance(error, _ROUTING):
        message = {
            "code": error.status,
            "title": _TITLES.get(error.status, "Bad Request"),
            "description": error.message,
        }
    else:
        message = {
            "faultcode": "Client" if error.status < 500 else "Server",
            "faultstring": error.message,
            "debuginfo": None,
        }
    return msgspec.json.encode({"error_message": msgspec.json.encode(message).decode()})


def protocol(_code: str, reason: str) -> bytes:
    """Return the body of an answer to what never became a request."""
    return body(InvalidInput(reason))


def status(error: TachyonError) -> int:
    """Return the HTTP status; what is past of the graph is missing here."""
    return 404 if isinstance(error, Gone) else error.status


UNEXPECTED = InternalError("The service failed; its log says where.")
