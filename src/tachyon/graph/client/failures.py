"""From an error on the wire back to the exception that the service raised."""

from __future__ import annotations

from functools import cache

import msgspec

from tachyon.errors import StoreUnavailable, TachyonError
from tachyon.graph.service.bodies import ErrorDocument

_decoder = msgspec.json.Decoder(ErrorDocument)


def error_of(status: int, body: bytes) -> TachyonError:
    """Return the error that a response carries, of the class that its code names."""
    try:
        problem = _decoder.decode(body).error
    except msgspec.DecodeError:
        # Not ours: a proxy in between, or something else that listens there.
        text = body[:200].decode(errors="replace")
        return StoreUnavailable(f"HTTP {status}: {text}", status=status)
    cls = _classes().get(problem.code, TachyonError)
    error = cls.__new__(cls)
    TachyonError.__init__(error, problem.message)
    error.details = problem.details
    return error


@cache
def _classes() -> dict[str, type[TachyonError]]:
    found: dict[str, type[TachyonError]] = {}
    stack: list[type[TachyonError]] = [TachyonError]
    while stack:
        cls = stack.pop()
        found[cls.code] = cls
        stack.extend(cls.__subclasses__())
    return found
