"""What stands around an API's routes, the same for every API: both have theirs from here."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import falcon
from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import TachyonError
from tachyon.graph.service import negotiation as http
from tachyon.graph.service.problems import MethodNotAllowed, NotAcceptable, RouteNotFound

LOG = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]


class _Routed(Protocol):
    @property
    def path(self) -> str: ...


R = TypeVar("R", bound=_Routed)


def by_path(routes: Iterable[R]) -> dict[str, list[R]]:
    """Return routes by their paths: falcon has one resource for all methods of a path."""
    found: dict[str, list[R]] = {}
    for route in routes:
        found.setdefault(route.path, []).append(route)
    return found


def outermost(
    inner: WSGI,
    environ: Environ,
    start_response: StartResponse,
    failed: Callable[[TachyonError | None], tuple[int, bytes, list[tuple[str, str]]]],
) -> Iterable[bytes]:
    """Answer a request by an application, whatever fails in front of its routes.

    Args:
        inner: the application with its middleware.
        environ: the request.
        start_response: takes the answer's head.
        failed: returns status, body and further headers for an error, None for a defect.
    """
    error: TachyonError | None = None
    try:
        http.requote_path(environ)
        return inner(environ, start_response)
    except TachyonError as found:
        error = found
    except Exception:
        LOG.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
    status, body, more = failed(error)
    headers = [("Content-Type", http.JSON), ("Content-Length", str(len(body))), *more]
    start_response(falcon.util.code_to_http_status(status), headers)
    return [body]


def of_falcon(request: falcon.Request, response: falcon.Response, error: Any) -> TachyonError:
    """Return the error that one of falcon's routing is for us."""
    where = request.path[:255]
    if isinstance(error, falcon.HTTPNotFound):
        return RouteNotFound(f"there is nothing at {where}")
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        allowed = (error.headers or {}).get("Allow", "")  # type: ignore[union-attr]
        response.set_header("Allow", allowed)
        return MethodNotAllowed(
            f"{where} has no method {request.method[:40]}", allowed=allowed.split(", ")
        )
    if isinstance(error, falcon.HTTPNotAcceptable):
        return NotAcceptable(f"answers are {http.JSON} or {http.MSGPACK}")
    return MethodNotAllowed(f"there is no method {request.method[:40]}", allowed=[])


def at_first_request(build: Callable[[cfg.ConfigOpts], WSGI]) -> WSGI:
    """Return an application for servers that load one: made when the first request comes.

    Such a server forks before that, and what is opened before does not survive it. The options
    are those of the file that TACHYON_CONFIG names.
    """
    lock = threading.Lock()
    built: list[WSGI] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not built:
            with lock:
                if not built:
                    built.append(build(options.load(os.environ.get("TACHYON_CONFIG"))))
        return built[0](environ, start_response)

    return application
