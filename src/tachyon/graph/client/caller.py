"""What the parts of the client have in common: typed calls and pages, over any transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from tachyon.graph.client.transport import QueryValues, Transport

T = TypeVar("T")
Item = TypeVar("Item")


class Caller:
    """Makes calls by a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _call(
        self,
        operation: str,
        _returns: type[T],
        path: Mapping[str, str] | None = None,
        *,
        query: QueryValues | None = None,
        body: Any = None,
        expected: int | None = None,
    ) -> T:
        answer = self._transport.call(operation, path or {}, query or {}, body, expected)
        return cast(T, answer)

    def _pages(
        self,
        operation: str,
        returns: type[T],
        query: QueryValues,
        items: Callable[[T], list[Item]],
    ) -> list[Item]:
        """Return the items of all pages of a list."""
        found: list[Item] = []
        marker: str | None = None
        while True:
            page: Any = self._call(operation, returns, query={**query, "marker": marker})
            found.extend(items(page))
            marker = page.next
            if marker is None:
                return found
