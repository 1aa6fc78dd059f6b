"""The WSGI application: from HTTP to checked calls, from answers and errors to HTTP.

falcon routes; everything else derives from the route table. Whatever a client sends, it gets a
4xx in one JSON shape at worst.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import falcon
import msgspec

from tachyon.errors import StoreUnavailable, TachyonError
from tachyon.graph.service import framing, openapi
from tachyon.graph.service import negotiation as http
from tachyon.graph.service.bodies import ErrorDocument, Problem
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.framing import WSGI, Environ, StartResponse
from tachyon.graph.service.identity import Guard
from tachyon.graph.service.model import Model
from tachyon.graph.service.problems import InternalError
from tachyon.graph.service.routes import ROUTES, Route
from tachyon.graph.service.validation import check_path, decode_body, decode_query, refuse
from tachyon.graph.view import View

LOG = logging.getLogger(__name__)

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode
_LINES = {status: falcon.util.code_to_http_status(status) for status in (200, 201, 304)}


def application(model: Model, guard: Guard) -> WSGI:
    """Return the application for a model; `guard` says who may call what."""
    app = falcon.App(media_type=http.JSON)
    for path, routes in framing.by_path(ROUTES).items():
        app.add_route(path, _Resource(model, guard, routes))
    app.add_route("/v1/openapi.json", _OpenApi())
    app.add_error_handler(Exception, _unexpected(model))
    app.add_error_handler(falcon.HTTPError, _of_falcon(model))
    app.add_error_handler(TachyonError, _expected(model))
    return _Outermost(guard.wrap(app), model)


class _Outermost:
    """What is done before the middleware in front of the routes, and when that fails."""

    def __init__(self, inner: WSGI, model: Model) -> None:
        self._inner = inner
        self._model = model

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return framing.outermost(self._inner, environ, start_response, self._failed)

    def _failed(self, error: TachyonError | None) -> tuple[int, bytes, list[tuple[str, str]]]:
        known = error or InternalError("the service failed; see its log")
        headers = [("Tachyon-Generation", str(self._model.generation))]
        return known.status, error_body(known), headers


class _Resource:
    """All methods of one path."""

    def __init__(self, model: Model, guard: Guard, routes: list[Route]) -> None:
        for route in routes:
            responder = _responder(model, guard, route)
            setattr(self, f"on_{route.method.lower()}", responder)
            if route.method == "GET":
                self.on_head = responder


def _responder(model: Model, guard: Guard, route: Route) -> Callable[..., None]:
    most = model.options.max_bulk_body if route.bulk else model.options.max_body

    def respond(request: falcon.Request, response: falcon.Response, **names: str) -> None:
        environ = request.env
        guard.check(environ, route.policy)
        media = http.answer_form(environ.get("HTTP_ACCEPT", ""))
        answer = route.handler(model, _call(route, environ, names, most))
        _render(model, route, answer, media, environ, response)

    return respond


def _call(route: Route, environ: Environ, names: dict[str, str], most: int) -> Call:
    path = {name: http.unquote_name(value) for name, value in names.items()}
    check_path(path)
    query = decode_query(route, http.parse_query(environ.get("QUERY_STRING", "")))
    raw = http.read_body(environ, most)
    body = None
    if route.body is not None:
        media = http.body_form(environ.get("CONTENT_TYPE", "") if raw else "")
        body = decode_body(route, raw or (b"{}" if route.optional else b""), media)
    elif raw:
        refuse(iter([("", "this operation takes no body")]))
    expected = http.expected_generation(environ) if route.guarded else None
    return Call(path=path, query=query, body=body, expected=expected)


def _render(
    model: Model,
    route: Route,
    answer: Answer,
    media: http.Media,
    environ: Environ,
    response: falcon.Response,
) -> None:
    generation = model.generation if answer.generation is None else answer.generation
    response.set_header("Tachyon-Generation", str(generation))
    response.set_header("Vary", "Accept")
    if answer.etag is not None:
        response.set_header("ETag", f'"{answer.etag}"')
        if route.method == "GET" and http.is_known(environ, answer.etag):
            response.status = _LINES[304]
            return
    response.status = _LINES[route.status]
    response.content_type = http.MEDIA_TYPES[media]
    body = answer.body
    if isinstance(body, View):
        response.data = model.encoded(body, media)
    else:
        response.data = _json(body) if media == "json" else _msgpack(body)


class _OpenApi:
    """The document that describes all the rest."""

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the document."""
        response.content_type = http.JSON
        response.data = openapi.document()

    on_head = on_get


def error_body(error: TachyonError) -> bytes:
    """Return an error as the API sends it."""
    return _json(ErrorDocument(Problem(error.code, error.message, error.details)))


ErrorHandler = Callable[[falcon.Request, falcon.Response, Any, Any], None]


def _expected(model: Model) -> ErrorHandler:
    def handle(request: falcon.Request, response: falcon.Response, error: Any, _: Any) -> None:
        if isinstance(error, StoreUnavailable):
            LOG.warning("%s %s: %s", request.method, request.path, error)
            response.set_header("Retry-After", "1")
        if error.status == 401:
            response.set_header("WWW-Authenticate", "Keystone")
        response.set_header("Tachyon-Generation", str(model.generation))
        response.status = falcon.util.code_to_http_status(error.status)
        response.content_type = http.JSON
        response.data = error_body(error)

    return handle


def _of_falcon(model: Model) -> ErrorHandler:
    expected = _expected(model)

    def handle(request: falcon.Request, response: falcon.Response, error: Any, params: Any) -> None:
        found = framing.of_falcon(request, response, error)
        expected(request, response, found, params)

    return handle


def _unexpected(model: Model) -> ErrorHandler:
    expected = _expected(model)

    def handle(request: falcon.Request, response: falcon.Response, error: Any, params: Any) -> None:
        LOG.error("%s %s failed", request.method, request.path, exc_info=error)
        expected(request, response, InternalError("the service failed; see its log"), params)

    return handle
