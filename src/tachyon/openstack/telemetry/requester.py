"""Requests to a datasource: decoded answers, retries, errors of ours, a count of what was asked.

OpenStack's services are asked by `tachyon.openstack.service.Service`, on the session that the rest
of the process uses. Prometheus and Grafana know nothing of Keystone; `HttpRequester` asks those.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
import urllib3
from keystoneauth1.adapter import Adapter

from tachyon.errors import CloudError, CloudForbidden, CloudNotFound, CloudUnavailable
from tachyon.openstack.failures import TEMPORARY
from tachyon.openstack.retries import Retries
from tachyon.openstack.service import Service

_decode = msgspec.json.Decoder().decode


class Requester(Protocol):
    """What sends requests of a datasource."""

    #: Answers so far by (method, status); status 0 stands for none.
    answers: Counter[tuple[str, int]]

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool | None = None,
    ) -> dict[str, Any]:
        """Return the decoded answer; a list stands under the key "".

        Raises:
            CloudError: it was refused, or there was no answer after the retries.
        """


class HttpRequester:
    """Requests to one URL with urllib3. Safe to use from many threads.

    Args:
        name: of the datasource, for people.
        url: that paths are put behind.
        headers: of every request (Authorization …).
        retries: of requests without an answer, or with one that may pass.
        timeout: seconds that one request may take.
        tls: keyword arguments of urllib3's pool (ca_certs, cert_file, key_file).
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        retries: Retries | None = None,
        timeout: float = 60.0,
        tls: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.url = url.rstrip("/") + "/"
        self.answers: Counter[tuple[str, int]] = Counter()
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._retries = retries or Retries()
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, maxsize=8, **(tls or {}))
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool | None = None,
    ) -> dict[str, Any]:
        """Return the decoded answer; all requests are for reading, so all are repeatable."""
        query = f"?{urlencode(params)}" if params else ""
        return self._retries.call(lambda _: self._send(method, f"{self.url}{path}{query}", body))

    def _send(self, method: str, url: str, body: Any) -> dict[str, Any]:
        status = 0
        try:
            answer = self._pool.request(method, url, headers=self._headers, json=body)
            status = answer.status
        except (urllib3.exceptions.SSLError, urllib3.exceptions.LocationValueError) as error:
            raise CloudError(f"{self.name}: no trusted connection: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise CloudUnavailable(f"{self.name} cannot be reached: {error}") from error
        finally:
            with self._lock:
                self.answers[method, status] += 1
        if status >= 400:
            raise self._refusal(status, answer.data)
        try:
            decoded = _decode(answer.data)
        except msgspec.DecodeError as error:
            raise CloudError(f"{self.name}: no JSON in the answer") from error
        return decoded if isinstance(decoded, dict) else {"": decoded}

    def _refusal(self, status: int, body: bytes) -> CloudError:
        kinds = {401: CloudForbidden, 403: CloudForbidden, 404: CloudNotFound}
        kind = CloudUnavailable if status in TEMPORARY else kinds.get(status, CloudError)
        reason = " ".join(body[:300].decode("utf-8", "replace").split())
        return kind(f"{self.name} answered {status}: {reason}", http_status=status)


def openstack_requester(
    name: str,
    session: Any,
    *,
    service_type: str,
    interface: str,
    region_name: str | None,
    retries: Retries,
    timeout: float = 60.0,
) -> Service:
    """Return what asks a service of the catalog on a keystoneauth session.

    Args:
        name: of the datasource, for people.
        session: a keystoneauth session with an identity.
        service_type: in Keystone's catalog.
        interface: public, internal or admin, also with the suffix URL.
        region_name: None: the catalog's first.
        retries: of requests without an answer, or with one that may pass.
        timeout: seconds that one request may take.
    """
    return Service(
        name,
        lambda: Adapter(
            session,
            service_type=service_type,
            interface=interface.removesuffix("URL"),
            region_name=region_name,
        ),
        retries=retries,
        timeout=timeout,
    )
