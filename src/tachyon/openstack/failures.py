"""Failures of requests as our errors: which of them may pass, and which never will."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import openstack.exceptions
import requests
from keystoneauth1 import exceptions as ksa

from tachyon.errors import (
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudUnavailable,
    CloudUnsupported,
)

#: What a service or a proxy before it answers when it is overloaded or restarting.
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_PERMANENT: dict[int, type[CloudError]] = {
    401: CloudForbidden,
    403: CloudForbidden,
    404: CloudNotFound,
    406: CloudUnsupported,
    409: CloudConflict,
}


def refusal(response: requests.Response, service: str) -> CloudError:
    """Return the error for an answer with a status of 400 or above."""
    method, path = str(response.request.method), str(response.request.path_url)
    details: dict[str, Any] = {
        "service": service,
        "method": method,
        "path": path,
        "http_status": response.status_code,
    }
    kind = _PERMANENT.get(response.status_code, CloudError)
    if response.status_code in TEMPORARY:
        kind = CloudUnavailable
        if (after := response.headers.get("Retry-After", "")).isdigit():
            details["retry_after"] = int(after)
    reason = _reason(response)
    return kind(
        f"{service}: {method} {path} was answered {response.status_code}: {reason}",
        reason=reason,
        **details,
    )


def _reason(response: requests.Response) -> str:
    """Return what a service says of a refusal; each of them wraps the sentence differently."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return (response.reason or "no reason given")[:200]
    for _ in range(3):
        if isinstance(body, list) and body:
            body = body[0]
        elif isinstance(body, dict) and body:
            named = (body.get(key) for key in ("message", "detail", "faultstring", "error_message"))
            body = next((n for n in named if n), None) or next(iter(body.values()))
        # Ironic's message is a document in a string.
        if isinstance(body, str) and body.startswith("{"):
            try:
                body = msgspec.json.decode(body)
            except msgspec.DecodeError:
                break
    return " ".join(str(body).split())[:500]


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Turn what openstacksdk, keystoneauth and requests raise in the block into our errors."""
    try:
        yield
    except (ksa.SSLError, requests.exceptions.SSLError) as error:
        raise CloudError(f"{service}: no trusted connection: {error}", service=service) from error
    except (ksa.ConnectionError, requests.RequestException) as error:
        raise CloudUnavailable(f"{service} cannot be reached: {error}", service=service) from error
    except (ksa.CatalogException, openstack.exceptions.ServiceDisabledException) as error:
        raise CloudUnsupported(
            f"{service}: the catalog has no such endpoint: {error}", service=service
        ) from error
    except openstack.exceptions.NotSupported as error:
        # Said of an endpoint that is in the catalog: far more often the service is down than that
        # it has none of the versions that there are.
        raise CloudUnavailable(
            f"{service}: no version of it was discovered: {error}", service=service
        ) from error
    except ksa.HttpError as error:
        raise _of_status(service, error, error.http_status) from error
    except openstack.exceptions.HttpException as error:
        raise _of_status(service, error, error.status_code) from error
    except ksa.DiscoveryFailure as error:
        raise CloudUnsupported(
            f"{service}: its versions cannot be discovered: {error}", service=service
        ) from error
    except (ksa.ClientException, openstack.exceptions.SDKException) as error:
        raise CloudError(f"{service}: {error}", service=service) from error


def _of_status(service: str, error: Exception, status: int | None) -> CloudError:
    kind = _PERMANENT.get(status or 0, CloudError)
    if status in TEMPORARY:
        kind = CloudUnavailable
    return kind(f"{service}: {error}", service=service, http_status=status)
