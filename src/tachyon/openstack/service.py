"""One service of the cloud: requests with retries and pages, answers decoded, errors ours.

Collectors and actions call `entries`, `get`, `post` … with paths of the service's API reference;
`connection` builds one `Service` each for Keystone, Nova, Placement, Cinder and Ironic.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import openstack.proxy
import requests
from msgspec import Struct

from tachyon.errors import CloudError, CloudNotFound, CloudUnsupported, ConfigurationError
from tachyon.openstack.failures import refusal, translated
from tachyon.openstack.retries import NEVER, Retries

Answer = dict[str, Any]
#: What HTTP calls idempotent: doing it twice is the same as doing it once.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_decode = msgspec.json.Decoder().decode


class Microversions(Struct, frozen=True):
    """The range of microversions that we can work with; `preferred` is asked for if it is there."""

    minimum: str
    preferred: str

    def negotiate(self, service: str, oldest: str, newest: str) -> str:
        """Return the microversion to use with a service that offers `oldest` to `newest`.

        Raises:
            CloudUnsupported: the two ranges have nothing in common; names both.
        """
        if _number(newest) < _number(self.minimum) or _number(oldest) > _number(self.preferred):
            raise CloudUnsupported(
                f"{service} offers microversions {oldest} to {newest}; "
                f"{self.minimum} to {self.preferred} can be used",
                service=service,
                offered=[oldest, newest],
                usable=[self.minimum, self.preferred],
            )
        return min(self.preferred, newest, key=_number)


def _number(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        raise ConfigurationError(f"api_version = {version} is no microversion") from None


class Service:
    """A service of the cloud.

    Every method raises `CloudError`: the service refused (`CloudNotFound`, `CloudConflict`,
    `CloudForbidden`), or lacks what we need (`CloudUnsupported`); `CloudUnavailable` when it still
    could not be reached after the retries.
    """

    def __init__(
        self,
        name: str,
        proxy: Callable[[], Any],
        *,
        versions: Microversions | None = None,
        retries: Retries | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Describe a service; nothing is sent before the first request.

        Args:
            name: of the service, for people: "nova".
            proxy: returns openstacksdk's proxy; the first call of it discovers the service.
            versions: microversions that can be used; None where the service has none.
            retries: of requests that can be repeated.
            timeout: seconds that one request may take.
        """
        self.name = name
        self.retries = retries or Retries()
        self._proxy_of = proxy
        self._versions = versions
        self._timeout = timeout
        self._lock = threading.RLock()
        self._proxy: Any = None
        self._microversion: str | None = None
        #: Answers by (method, status); status 0 stands for none.
        self.answers: Counter[tuple[str, int]] = Counter()

    @property
    def proxy(self) -> Any:
        """The proxy of openstacksdk, for what is easier said through it."""
        with self._lock:
            if self._proxy is None:
                self._proxy = self.retries.call(lambda _: self._discovered())
            return self._proxy

    def _discovered(self) -> Any:
        with translated(self.name):
            proxy = self._proxy_of()
            # One that the catalog lacks is found out here, and not in the middle of the work. The
            # proxy of Keystone has a method of this name for something else.
            if openstack.proxy.Proxy.get_endpoint(proxy) is None:
                raise CloudUnsupported(
                    f"{self.name}: the catalog has no such endpoint", service=self.name
                )
            return proxy

    @property
    def microversion(self) -> str | None:
        """The microversion that requests ask for; None where the service has none.

        Raises:
            CloudUnsupported: the service has none that we can use.
        """
        if self._versions is None:
            return None
        proxy = self.proxy
        with self._lock:
            if self._microversion is None:
                with translated(self.name):
                    data = proxy.get_endpoint_data()
                oldest, newest = (
                    ".".join(map(str, v)) if v else "0.0"
                    for v in (data.min_microversion, data.max_microversion)
                )
                self._microversion = self._versions.negotiate(self.name, oldest, newest)
            return self._microversion

    def supports(self, microversion: str) -> bool:
        """Tell whether the negotiated microversion is at least this one."""
        return _number(self.microversion or "0") >= _number(microversion)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to GET."""
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Answer:
        """Return the answer to POST; sent once only."""
        return self.request("POST", path, body=body)

    def put(self, path: str, body: Any = None, *, repeatable: bool = True) -> Answer:
        """Return the answer to PUT. `repeatable` is False where a second one does more."""
        return self.request("PUT", path, body=body, repeatable=repeatable)

    def patch(self, path: str, body: Any = None) -> Answer:
        """Return the answer to PATCH; sent once only."""
        return self.request("PATCH", path, body=body)

    def delete(self, path: str) -> None:
        """Delete; one that was repeated and then finds nothing has done what it should."""
        self.request("DELETE", path)

    def entries(
        self, path: str, member: str, params: Mapping[str, Any] | None = None
    ) -> list[Answer]:
        """Return all entries of a list, over all its pages.

        Args:
            path: of the list.
            member: of the answer that holds the entries.
            params: of the query; `limit` sets the size of a page.
        """
        return [entry for page in self.pages(path, member, params) for entry in page]

    def pages(
        self, path: str, member: str, params: Mapping[str, Any] | None = None
    ) -> Iterator[list[Answer]]:
        """Give the pages of a list as they arrive, following the links of the service."""
        asked = dict(params or {})
        while True:
            answer = self.get(path, asked)
            yield answer[member]
            following = _next_page(answer)
            if following is None:
                return
            # Only the query of a link counts: its address may be one that is not for us, as when
            # the service stands behind a proxy and does not know it.
            following = {**asked, **following}
            if following == asked:
                raise CloudError(f"{self.name}: a page of {path} names itself as the next one")
            asked = following

    def slices(
        self, path: str, member: str, params: Mapping[str, Any] | None = None, *, limit: int = 1000
    ) -> list[Answer]:
        """Return all entries of a list without links, by `limit` and `offset` (server groups)."""
        entries: list[Answer] = []
        while True:
            asked = {**(params or {}), "limit": limit, "offset": len(entries)}
            found = self.get(path, asked)[member]
            if not found:
                return entries
            entries += found

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        microversion: str | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Send a request and return the decoded body of its answer, {} if it has none.

        Args:
            method: of HTTP.
            path: below the service's endpoint.
            params: of the query; those that are None are left out.
            body: sent as JSON.
            microversion: to ask for in place of the negotiated one.
            repeatable: whether it may be sent again when the outcome is unknown; None: as HTTP
                says of its method.
        """
        if repeatable is None:
            repeatable = method in _REPEATABLE
        options: dict[str, Any] = {"microversion": microversion or self.microversion}
        if params:
            options["params"] = {k: v for k, v in params.items() if v is not None}
        if body is not None:
            options["json"] = body

        def attempt(made: int) -> Answer:
            try:
                return self._send(method, path, options)
            except CloudNotFound:
                if method == "DELETE" and made:
                    return {}
                raise

        return (self.retries if repeatable else NEVER).call(attempt)

    def _send(self, method: str, path: str, options: dict[str, Any]) -> Answer:
        status = 0
        try:
            with translated(self.name):
                response: requests.Response = self.proxy.request(
                    path,
                    method,
                    raise_exc=False,
                    # Repeating is for `Retries` alone.
                    connect_retries=0,
                    status_code_retries=0,
                    timeout=self._timeout,
                    **options,
                )
                status = response.status_code
        finally:
            with self._lock:
                self.answers[method, status] += 1
        if status >= 400:
            raise refusal(response, self.name)
        if not response.content:
            return {}
        try:
            decoded = _decode(response.content)
        except msgspec.DecodeError as error:
            raise CloudError(f"{self.name}: {method} {path}: no JSON in the answer") from error
        return decoded if isinstance(decoded, dict) else {"": decoded}


def _next_page(answer: Answer) -> dict[str, str] | None:
    """Return the query of the next page, or None on the last one.

    Nova and Cinder have `servers_links`, Ironic has `next`, Keystone has `links.next`.
    """
    found = answer.get("next")
    for name, links in answer.items():
        if name == "links" and isinstance(links, dict):
            found = links.get("next")
        elif name.endswith("_links") and isinstance(links, list):
            found = next((link["href"] for link in links if link["rel"] == "next"), None)
    return dict(parse_qsl(urlsplit(found).query, keep_blank_values=True)) if found else None
