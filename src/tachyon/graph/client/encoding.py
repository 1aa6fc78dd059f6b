"""Bodies as every transport sends them."""

from __future__ import annotations

from typing import Any

import msgspec

from tachyon.errors import InvalidInput

_encode = msgspec.msgpack.Encoder().encode


def encoded(body: Any) -> bytes:
    """Return a body as MessagePack; raises `InvalidInput` for what has no form there."""
    try:
        return _encode(body)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput.at([("", f"cannot be sent: {error}")]) from error
