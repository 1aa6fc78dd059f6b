"""The WSGI application: from HTTP to checked calls, from answers and errors to HTTP.

falcon routes; everything else derives from the route table. Whatever a client sends, it gets a
4xx in the one form that clients of Watcher parse, at worst.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import falcon
import msgspec
from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi, request_id
from oslo_policy import policy as oslo_policy

from tachyon.control.api import faults, identity, policies, versions
from tachyon.control.api.call import Call, Services
from tachyon.control.api.openapi import document
from tachyon.control.api.routes import ROUTES, Route
from tachyon.control.api.telemetry import CONTENT_TYPE, Telemetry
from tachyon.errors import InvalidInput, StoreUnavailable, TachyonError, Unauthorized
from tachyon.graph.service import framing
from tachyon.graph.service import negotiation as http
from tachyon.graph.service.framing import WSGI, Environ, StartResponse
from tachyon.graph.service.problems import NotAcceptable, UnsupportedMediaType

LOG = logging.getLogger(__name__)

#: Bytes of a body; the largest are scopes and parameters.
MAX_BODY = 2**20
_json = msgspec.json.Encoder().encode
_LINES = {
    status: falcon.util.code_to_http_status(status) for status in (200, 201, 202, 204, 400, 404)
}
_VERSIONED = "/v1"
_EXPOSED = ["X-Auth-Token", "OpenStack-API-Version", "OpenStack-API-Minimum-Version"]


def application(services: Services, conf: cfg.ConfigOpts) -> WSGI:
    """Return the application; who is let in is said by the configuration."""
    rules = policies.enforcer(conf)
    telemetry = Telemetry(services.objects, services.service_down_time)
    app = falcon.App(media_type=http.JSON)
    for path, routes in framing.by_path(ROUTES).items():
        app.add_route(path, _Resource(services, rules, routes))
    app.add_route("/v1/openapi.json", _OpenApi())
    app.add_route("/healthcheck", _Health(services))
    app.add_route("/metrics", _Metrics(telemetry))
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(falcon.HTTPError, _of_falcon)
    app.add_error_handler(TachyonError, _expected)
    inner: Any = app
    if conf.enable_authentication:
        inner = identity.protected(inner, conf, open_webhooks=not conf.api.enable_webhooks_auth)
    else:
        inner = identity.unprotected(inner)
    return _Outermost(_with_middleware(_normalised(inner), conf), telemetry)


def _with_middleware(app: Any, conf: cfg.ConfigOpts) -> Any:
    """Return the application behind what every API of OpenStack stands behind."""
    cors.set_defaults(
        allow_headers=["X-Auth-Token", "X-Show-Deleted", "OpenStack-API-Version"],
        expose_headers=[*_EXPOSED, "OpenStack-API-Maximum-Version", "x-openstack-request-id"],
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
    )
    app = cors.CORS(app, {"oslo_config_config": conf})
    app = http_proxy_to_wsgi.HTTPProxyToWSGI(app, {"oslo_config_config": conf})
    return request_id.RequestId(app, {"oslo_config_config": conf})


def _normalised(app: Any) -> WSGI:
    """Return the application for paths in all forms that Watcher's clients use."""

    def route(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").rstrip("/").removesuffix(".json") or "/"
        if path == "/v1/openapi":
            path = "/v1/openapi.json"
        first = path.split("/", 2)[1]
        if path not in ("/", "/healthcheck", "/metrics") and first != "v1":
            path = _VERSIONED + path
        environ["PATH_INFO"] = path
        found: Iterable[bytes] = app(environ, start_response)
        return found

    return route


class _Outermost:
    """What is done before the middleware in front of the routes, and when that fails."""

    def __init__(self, inner: WSGI, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        told: list[int] = []

        def start(line: str, headers: Any, *rest: Any) -> Any:
            told.append(int(line[:3]))
            return start_response(line, headers, *rest)

        try:
            return framing.outermost(self._inner, environ, start, _failed)
        finally:
            operation = environ.get("tachyon.operation", "none")
            seconds = time.perf_counter() - began
            self._telemetry.answered(operation, told[-1] if told else 0, seconds)


def _failed(error: TachyonError | None) -> tuple[int, bytes, list[tuple[str, str]]]:
    known = error or faults.UNEXPECTED
    return faults.status(known), faults.body(known), []


class _Resource:
    """All methods of one path."""

    def __init__(
        self, services: Services, rules: oslo_policy.Enforcer, routes: list[Route]
    ) -> None:
        for route in routes:
            setattr(self, f"on_{route.method.lower()}", _responder(services, rules, route))


def _responder(
    services: Services, rules: oslo_policy.Enforcer, route: Route
) -> Callable[..., None]:
    def respond(request: falcon.Request, response: falcon.Response, **names: str) -> None:
        environ = request.env
        environ["tachyon.operation"] = route.operation
        version = versions.negotiate(environ.get("HTTP_OPENSTACK_API_VERSION"))
        if route.path != "/":
            response.set_header(versions.HEADER, f"{versions.SERVICE} {version}")
            _tell_versions(response)
        if route.policy is not None and not environ.get("tachyon.public"):
            policies.check(rules, route.policy, identity.caller(environ))
        _check_accept(environ)
        if version < (1, route.since):
            raise NotAcceptable(
                f"Request not acceptable: this needs API microversion 1.{route.since}."
            )
        answer = route.handler(_call(services, route, request, names, version))
        response.status = _LINES[route.status]
        if answer.location is not None:
            response.set_header("Location", answer.location)
        if answer.body is not None:
            response.content_type = http.JSON
            response.data = _json(answer.body)

    return respond


def _tell_versions(response: falcon.Response) -> None:
    response.set_header("Vary", versions.HEADER)
    response.set_header("OpenStack-API-Minimum-Version", str(versions.MINIMUM))
    response.set_header("OpenStack-API-Maximum-Version", str(versions.MAXIMUM))


def _check_accept(environ: Environ) -> None:
    accept = environ.get("HTTP_ACCEPT", "")
    if accept in ("", "*/*", http.JSON):
        return
    try:
        best = falcon.mediatypes.best_match((http.JSON,), accept)
    except ValueError:
        best = ""
    if not best:
        raise NotAcceptable(f"Answers are {http.JSON}.")


def _call(
    services: Services,
    route: Route,
    request: falcon.Request,
    names: dict[str, str],
    version: versions.Version,
) -> Call:
    environ = request.env
    host_url = f"{request.scheme}://{request.netloc}"
    return Call(
        services=services,
        version=version,
        host_url=host_url,
        application_url=host_url + request.root_path,
        path={name: http.unquote_name(_text(value)) for name, value in names.items()},
        query=_query(route, environ, version),
        body=_body(route, environ),
        deleted=environ.get("HTTP_X_SHOW_DELETED", "").strip().lower() in ("true", "1", "yes"),
        detail=route.detail,
    )


def _text(value: str) -> str:
    if len(value) > 1024:
        raise InvalidInput("A name in the path has at most 1024 characters.")
    return value


def _query(route: Route, environ: Environ, version: versions.Version) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in http.parse_query(environ.get("QUERY_STRING", "")):
        if name not in route.query or version < (1, route.query[name]):
            raise InvalidInput(f'Unknown argument: "{name[:255]}"')
        if name in found:
            raise InvalidInput(f'Argument given more than once: "{name}"')
        if "\0" in value or len(value) > 1024:
            raise InvalidInput(f'Invalid input for argument "{name}".')
        found[name] = value
    return found


def _body(route: Route, environ: Environ) -> Any:
    raw = http.read_body(environ, MAX_BODY)
    if route.body == "none":
        # Some clients send a body with everything.
        return None
    if not raw.strip():
        if route.body == "optional":
            return None
        raise InvalidInput("Invalid input: a JSON body is needed.")
    _check_media(environ.get("CONTENT_TYPE", ""))
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"Invalid input: the body is not JSON: {str(error)[:255]}") from error


def _check_media(content_type: str) -> None:
    name = content_type.partition(";")[0].strip().lower()
    if name == "application/x-www-form-urlencoded":
        raise InvalidInput("Invalid input: the body must be JSON, not a form.")
    try:
        found = http.body_form(content_type)
    except UnsupportedMediaType:
        found = "msgpack"
    if found != "json":
        raise UnsupportedMediaType(f"Unknown mimetype: {content_type[:255]}")


class _OpenApi:
    """The document that describes all the rest."""

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the document."""
        request.env["tachyon.operation"] = "openapi"
        response.content_type = http.JSON
        response.data = document()


class _Health:
    """Whether this process can serve: load balancers ask."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer 200, or 503 when the database does not."""
        request.env["tachyon.operation"] = "healthcheck"
        try:
            self._services.objects.services.count()
        except StoreUnavailable as error:
            LOG.warning("not healthy: %s", error)
            response.status = falcon.HTTP_503
            response.data = _json({"status": "unavailable", "reason": "database"})
        else:
            response.data = _json({"status": "ok"})
        response.content_type = http.JSON

    on_head = on_get


class _Metrics:
    """Measurements for Prometheus."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with all measurements."""
        request.env["tachyon.operation"] = "metrics"
        response.content_type = CONTENT_TYPE
        response.data = self._telemetry.text()


def _expected(request: falcon.Request, response: falcon.Response, error: Any, _: Any) -> None:
    routing = False
    if isinstance(error, NotAcceptable):
        routing = "maximum" in error.details
        response.set_header("Vary", versions.HEADER)
        _tell_versions(response)
    if isinstance(error, StoreUnavailable) or error.status >= 500:
        LOG.warning("%s %s: %s", request.method, request.path, error)
        response.set_header("Retry-After", "1")
    if isinstance(error, Unauthorized):
        response.set_header("WWW-Authenticate", "Keystone")
    response.status = falcon.util.code_to_http_status(faults.status(error))
    response.content_type = http.JSON
    response.data = faults.body(error, routing=routing)


def _of_falcon(request: falcon.Request, response: falcon.Response, error: Any, params: Any) -> None:
    found = framing.of_falcon(request, response, error)
    _expected(request, response, found, params)


def _unexpected(request: falcon.Request, response: falcon.Response, error: Any, _: Any) -> None:
    LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    _expected(request, response, faults.UNEXPECTED, _)
