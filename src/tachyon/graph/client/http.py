"""Calls over HTTP with kept-alive connections and MessagePack bodies."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from tachyon.errors import GenerationTooOld, InvalidInput, StoreUnavailable, TachyonError
from tachyon.graph.client.encoding import encoded
from tachyon.graph.client.failures import error_of
from tachyon.graph.client.transport import QueryValues, query_pairs
from tachyon.graph.service.bodies import Feed
from tachyon.graph.service.routes import BY_OPERATION, ROUTES, Route
from tachyon.graph.view import View, refresh, wire

_MSGPACK = "application/msgpack"
#: Safe in a path segment as it is (RFC 3986 "unreserved").
_SAFE = "-._~"

_DECODERS: dict[str, Any] = {
    route.operation: msgspec.msgpack.Decoder(route.response)
    for route in ROUTES
    if route.response not in (None, View)
}


class TokenSource(Protocol):
    """What gives tokens: a keystoneauth1 session, or anything like it."""

    def get_token(self) -> str | None:
        """Return a valid token."""

    def invalidate(self) -> bool:
        """Forget the token, as the service has refused it."""


class HttpTransport:
    """Calls to a service at a URL.

    Args:
        url: of the service, e.g. `http://127.0.0.1:8642`.
        auth: gives tokens (a keystoneauth1 session); None for a service without authentication.
        timeout: seconds to wait for an answer.
        retries: how often a call is tried again that is known to do no harm: questions when the
            store was unavailable or the connection broke, any call that never reached the service.
        backoff: seconds before the first of these; each next one waits twice as long.
        connections: kept alive at the same time, one for each thread that calls.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: TokenSource | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        backoff: float = 0.1,
        connections: int = 16,
    ) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=connections, timeout=timeout)
        self._prefix = (urllib3.util.parse_url(url).path or "").rstrip("/")
        self._auth = auth
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff

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
        headers = {"Accept": _MSGPACK}
        if expected == 0:
            headers["If-None-Match"] = "*"
        elif expected is not None:
            headers["If-Match"] = f'"{expected}"'
        sent = None
        if body is not None:
            sent = encoded(body)
            headers["Content-Type"] = _MSGPACK
        # An answer that waits for changes may take longer than others.
        wait = query.get("wait")
        patience = self._timeout + (wait if isinstance(wait, int | float) else 0.0)
        answer = self._send(route, _target(route, path, query), headers, sent, patience)
        if route.response is None:
            return None
        return (
            wire.decode(answer) if route.response is View else _DECODERS[operation].decode(answer)
        )

    def view(self, kept: View | None) -> View:
        """Return a view, carried forward from the one kept where the change log allows it."""
        view = kept
        try:
            while view is not None:
                query = {"since": view.generation}
                feed: Feed = self.call("changes", {}, query, None, None)
                if feed.changes:
                    view = refresh(view, feed.changes, feed.generation)
                if not feed.more:
                    return view
        except GenerationTooOld:
            pass
        loaded: View = self.call("snapshot", {}, {}, None, None)
        return loaded

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _send(
        self,
        route: Route,
        target: str,
        headers: dict[str, str],
        body: bytes | None,
        patience: float,
    ) -> bytes:
        pause = self._backoff
        refused = False
        for attempt in range(self._retries + 1):
            try:
                return self._once(route, self._prefix + target, headers, body, patience)
            except _TokenRefused as error:
                if refused or self._auth is None:
                    raise error.why from None
                refused = True
                self._auth.invalidate()
                continue
            except StoreUnavailable as error:
                harmless = route.idempotent or error.details.get("sent") is False
                if not harmless or attempt == self._retries:
                    raise
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _once(
        self,
        route: Route,
        target: str,
        headers: dict[str, str],
        body: bytes | None,
        patience: float,
    ) -> bytes:
        if self._auth is not None:
            headers["X-Auth-Token"] = self._auth.get_token() or ""
        try:
            response = self._pool.urlopen(
                route.method,
                target,
                body,
                headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=patience,
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as e:
            raise StoreUnavailable(f"the service cannot be reached: {e}", sent=False) from e
        except urllib3.exceptions.HTTPError as e:
            raise StoreUnavailable(f"the service did not answer: {e}", sent=True) from e
        if response.status < 300:
            return response.data
        error = error_of(response.status, response.data)
        if response.status == 401:
            raise _TokenRefused(error)
        raise error


class _TokenRefused(Exception):
    """A 401: the token may have run out."""

    def __init__(self, why: TachyonError) -> None:
        super().__init__(why)
        self.why = why


def _target(route: Route, path: Mapping[str, str], query: QueryValues) -> str:
    target = route.path
    for name, value in path.items():
        if value in ("", ".", ".."):
            raise InvalidInput.at([(f"path.{name}", f"no entity is named {value!r}")])
        try:
            target = target.replace(f"{{{name}}}", quote(value, safe=_SAFE))
        except UnicodeEncodeError as error:
            raise InvalidInput.at([(f"path.{name}", str(error))]) from error
    pairs = query_pairs(query)
    return f"{target}?{urlencode(pairs)}" if pairs else target
