"""What a handler is given and what it gives back; the same in process and over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from tachyon.graph.mutations import Expected


class Call(Struct, frozen=True, kw_only=True):
    """A request whose path, query and body have passed their schemas.

    `expected` is the generation that If-Match names, 0 for `If-None-Match: *` (must not exist).
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    expected: int | None = None

    def guard(self, kind: str, key: str) -> Expected | None:
        """Return what must hold for a write to the provider or consumer that the path names."""
        if self.expected is None:
            return None
        found = {key: self.expected}
        return Expected(providers=found) if kind == "provider" else Expected(consumers=found)


class Answer(Struct, frozen=True):
    """A response: its body, the generation it was given at, and the entity's own as ETag.

    Where `generation` is None, the answer does not depend on the graph as it is now.
    """

    body: Any
    generation: int | None = None
    etag: int | None = None
