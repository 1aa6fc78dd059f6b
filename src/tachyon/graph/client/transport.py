"""The one seam of the client: a call by the name of its operation, however it is carried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tachyon.graph.view import View

#: A query as strings, several values of one name as a list; None is left out.
QueryValues = Mapping[str, str | int | float | bool | Sequence[str] | None]


class Transport(Protocol):
    """Carries calls to a graph. Safe to use from several threads."""

    def call(
        self,
        operation: str,
        path: Mapping[str, str],
        query: QueryValues,
        body: Any,
        expected: int | None,
    ) -> Any:
        """Carry out an operation of the route table and return its answer, typed.

        Args:
            operation: its name in the table.
            path: the names in its path.
            query: its query.
            body: its body, None when it has none.
            expected: the generation that the entity written to must have; 0: must not exist.

        Raises:
            TachyonError: whatever the operation raises, of the same class in every transport.
        """

    def view(self, kept: View | None) -> View:
        """Return a view of the graph as it is now; `kept` is the one returned last."""

    def close(self) -> None:
        """Release what the transport holds."""


def query_pairs(query: QueryValues) -> list[tuple[str, str]]:
    """Return a query as pairs of strings."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, Sequence) and not isinstance(value, str):
            pairs.extend((name, item) for item in value)
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs
