"""From HTTP to handlers: routes of all services under one address, versions, identity, errors.

Each service lies below a prefix of its own, as behind DevStack's proxy. A service module gives its
routes as `Route`s; everything that is the same for all of them is here.
"""

from __future__ import annotations

import errno
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import falcon
import msgspec

from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.faults import RequestFault
from tachyon.openstack.emulator.state.identity import Token
from tachyon.openstack.emulator.state.placement import Refused as PlacementRefused

LOG = logging.getLogger(__name__)

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Version = tuple[int, int]
_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """A service refuses a request."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        #: Placement's error code.
        self.code = code or "placement.undefined_code"


@dataclass(slots=True)
class Call:
    """A request as a handler sees it."""

    cloud: Cloud
    names: dict[str, str]
    query: dict[str, str]
    body: Any
    version: Version
    #: Address of the service: links start with it.
    base: str
    token: Token | None
    path: str
    #: Of notifications that the request causes.
    request_id: str
    #: All pairs of the query, where a name may repeat.
    pairs: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def project_id(self) -> str:
        """The project that the token is for, or the whole system."""
        project = self.token.project if self.token is not None else None
        return project.id if project is not None else ""

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see and do everything."""
        return self.token is not None and self.token.is_admin

    def needs_admin(self) -> None:
        """Raise `Refused` (403) unless the caller is an administrator."""
        if not self.is_admin:
            raise Refused(403, "You are not authorized to perform the requested action.")

    def member(self, name: str) -> Any:
        """Return a member of the body; raises `Refused` (400)."""
        if not isinstance(self.body, dict) or name not in self.body:
            raise Refused(400, f"Invalid input: '{name}' is a required property")
        return self.body[name]


class Answer(msgspec.Struct):
    """What a handler returns when a body with status 200 is not enough."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)


Handler = Callable[[Call], Any]


class Route(msgspec.Struct, frozen=True):
    """A method on a path of a service, and what serves it.

    `admin`: only administrators may call it. `public`: no token is needed.
    """

    method: str
    path: str
    handler: Handler
    status: int = 200
    admin: bool = False
    public: bool = False


class ServiceType(msgspec.Struct, frozen=True):
    """A service as the web sees it.

    `header` is the name in `OpenStack-API-Version`, `legacy` an older header of its own; `error`
    makes the body of a refusal from a status, a message and a code.
    """

    name: str
    prefix: str
    routes: tuple[Route, ...]
    error: Callable[[int, str, str], Any]
    header: str | None = None
    legacy: str | None = None
    oldest: Version = (0, 0)
    newest: Version = (0, 0)
    #: Taken when a request names none.
    default: Version = (0, 0)


class _Dropped(OSError):
    """The connection is closed without an answer; the server takes it for a client that left."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "dropped on demand")


def application(cloud: Cloud, services: Iterable[ServiceType]) -> WSGI:
    """Return the application that serves all services of a cloud."""
    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.keep_blank_qs_values = True
    for service in services:
        by_path: dict[str, dict[str, Route]] = {}
        for route in service.routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            template = (service.prefix + path).rstrip("/") or "/"
            app.add_route(template, _Resource(cloud, service, methods))
        # What we do not have answers as the service would, not as a web server.
        app.add_sink(_sink(cloud, service), service.prefix or "/")

    def failed(_request: Any, response: falcon.Response, error: Exception, _names: Any) -> None:
        if isinstance(error, _Dropped):
            raise error
        LOG.error("the emulator failed", exc_info=error)
        response.status = 500
        response.data = _encode({"error": f"the emulator failed: {error!r}"})

    app.add_error_handler(Exception, failed)
    return app


def _sink(cloud: Cloud, service: ServiceType) -> Callable[..., None]:
    def sink(request: falcon.Request, response: falcon.Response, **_names: Any) -> None:
        def nothing(call: Call) -> Any:
            raise Refused(404, f"The resource could not be found: {call.path}")

        route = Route(request.method, "*", nothing, public=True)
        _Responder(cloud, service, route).respond(request, response)

    return sink


class _Resource:
    """All methods of one path."""

    def __init__(self, cloud: Cloud, service: ServiceType, methods: Mapping[str, Route]) -> None:
        for method, route in methods.items():
            responder = _Responder(cloud, service, route)
            setattr(self, f"on_{method.lower()}", responder.respond)
            if method == "GET":
                self.on_head = responder.respond


class _Responder:
    """Serves one route."""

    def __init__(self, cloud: Cloud, service: ServiceType, route: Route) -> None:
        self._cloud = cloud
        self._service = service
        self._route = route

    def respond(self, request: falcon.Request, response: falcon.Response, **names: str) -> None:
        """Answer a request, unless a fault says otherwise."""
        cloud, service, route = self._cloud, self._service, self._route
        with cloud.lock:
            cloud.requests[service.name, route.method, route.path] += 1
        path = request.path.removeprefix(service.prefix) or "/"
        response.content_type = "application/json"
        body = request.bounded_stream.read()
        fault = cloud.faults.of_request(service.name, request.method, path)
        if fault is not None and self._spoilt(fault, response):
            return
        try:
            self._serve(request, response, path, body, names)
        except Refused as refused:
            self._refuse(response, refused)
        except PlacementRefused as refused:
            self._refuse(response, Refused(refused.status, str(refused), refused.code))
        if fault is not None and fault.reset == "after":
            raise _Dropped

    def _spoilt(self, fault: RequestFault, response: falcon.Response) -> bool:
        """Let a fault go off; tell whether that was all."""
        time.sleep(fault.latency)
        if fault.reset == "before":
            raise _Dropped
        if fault.status is None:
            return False
        if fault.retry_after is not None:
            response.set_header("Retry-After", str(fault.retry_after))
        self._refuse(response, Refused(fault.status, "A fault was asked for."))
        return True

    def _serve(
        self,
        request: falcon.Request,
        response: falcon.Response,
        path: str,
        body: bytes,
        names: dict[str, str],
    ) -> None:
        request_id = f"req-{uuid.uuid4()}"
        response.set_header("x-openstack-request-id", request_id)
        version = self._version(request, response)
        token = self._token(request)
        pairs = parse_qsl(request.query_string, keep_blank_values=True)
        call = Call(
            cloud=self._cloud,
            names=names,
            query=dict(pairs),
            body=_decoded(body),
            version=version,
            base=f"{request.scheme}://{request.netloc}{self._service.prefix}",
            token=token,
            path=path,
            request_id=request_id,
            pairs=pairs,
            headers=request.headers,
        )
        with self._cloud.lock:
            # Encoded under the lock, too: an answer is made of the cloud's own records.
            self._render(response, self._route.handler(call))

    def _render(self, response: falcon.Response, answer: Any) -> None:
        status = self._route.status
        if isinstance(answer, Answer):
            status = answer.status
            for name, value in answer.headers.items():
                response.set_header(name, value)
            answer = answer.body
        response.status = status
        if answer is not None:
            response.data = _encode(answer)

    def _refuse(self, response: falcon.Response, refused: Refused) -> None:
        response.status = refused.status
        response.data = _encode(self._service.error(refused.status, str(refused), refused.code))

    def _version(self, request: falcon.Request, response: falcon.Response) -> Version:
        service = self._service
        if service.header is None:
            return service.default
        asked = _asked_version(request, service)
        version = service.newest if asked == "latest" else _parsed(asked) or service.default
        if not service.oldest <= version <= service.newest:
            raise Refused(
                406,
                f"Version {asked} is not supported by the API. Minimum is {_text(service.oldest)} "
                f"and maximum is {_text(service.newest)}.",
            )
        response.set_header("OpenStack-API-Version", f"{service.header} {_text(version)}")
        response.set_header("Vary", "OpenStack-API-Version")
        if service.legacy is not None:
            response.set_header(service.legacy, _text(version))
        return version

    def _token(self, request: falcon.Request) -> Token | None:
        token = self._cloud.identity.tokens.get(request.get_header("X-Auth-Token") or "")
        if token is None and not self._route.public:
            raise Refused(401, "The request you have made requires authentication.")
        if self._route.admin and not (token is not None and token.is_admin):
            raise Refused(403, "You are not authorized to perform the requested action.")
        return token


def _asked_version(request: falcon.Request, service: ServiceType) -> str | None:
    for entry in (request.get_header("OpenStack-API-Version") or "").split(","):
        name, _, version = entry.strip().partition(" ")
        if name == service.header:
            return version.strip()
    return request.get_header(service.legacy) if service.legacy is not None else None


def _parsed(version: str | None) -> Version | None:
    if version is None:
        return None
    major, _, minor = version.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise Refused(400, f"API Version String {version} is of invalid format.")
    return int(major), int(minor)


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _decoded(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused(400, "The server could not decode the body as JSON.") from None


#: Members in which Nova and Cinder wrap a refusal, by status.
_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    503: "serviceUnavailable",
}


def wrapped_error(status: int, message: str, _code: str) -> Any:
    """Return a refusal as Nova and Cinder word it."""
    return {_FAULTS.get(status, "computeFault"): {"code": status, "message": message}}


def flag(value: str | None) -> bool:
    """Return a flag of a query as Nova reads it."""
    return (value or "").lower() in {"1", "true", "t", "yes", "on", "y"}
