"""Calls in the caller's own process, past the same checks that a request passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tachyon.graph.client.encoding import encoded
from tachyon.graph.client.transport import QueryValues, query_pairs
from tachyon.graph.service.call import Call
from tachyon.graph.service.model import Model
from tachyon.graph.service.routes import BY_OPERATION
from tachyon.graph.service.validation import check_path, decode_body, decode_query
from tachyon.graph.store import Store
from tachyon.graph.view import View


class InProcessTransport:
    """Calls on a store, or on a model that a service in this process has."""

    def __init__(self, source: Store | Model) -> None:
        self._model = Model(source) if isinstance(source, Store) else source
        self._own = isinstance(source, Store)

    def call(
        self,
        operation: str,
        path: Mapping[str, str],
        query: QueryValues,
        body: Any,
        expected: int | None,
    ) -> Any:
        """Carry out an operation; see `Transport`."""
        route = BY_OPERATION[operation]
        check_path(path)
        # Objects made in Python were never checked; on the way through bytes they are.
        checked = None if body is None else decode_body(route, encoded(body), "msgpack")
        call = Call(
            path=path,
            query=decode_query(route, query_pairs(query)),
            body=checked,
            expected=expected,
        )
        return route.handler(self._model, call).body

    def view(self, kept: View | None) -> View:
        """Return the model's own view."""
        return self._model.current()

    def close(self) -> None:
        """Close the store, unless it belongs to a service."""
        if self._own:
            self._model.stop()
            self._model.store.close()
