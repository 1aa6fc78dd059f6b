"""A service of the control plane at work: its loop, its calls, its signs of life, its health.

Decision engine and applier run this way, as processes of their own or several in one.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self

import msgspec
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

from tachyon.control.objects import Change, Objects
from tachyon.control.rpc import serve as serve_calls
from tachyon.control.services import Heartbeat
from tachyon.errors import ConfigurationError, StoreUnavailable
from tachyon.graph.service.http_server import HttpServer

LOG = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Seconds that a thread is waited for when it should have ended.
_JOIN = 10.0
#: Seconds that a service waits for the bus before it says that it has started.
_CONNECT = 5.0


class Worker(Protocol):
    """What a service does."""

    @property
    def busy(self) -> int:
        """How many things are under way."""

    def run(self) -> None:
        """Work until `stop`."""

    def stop(self) -> None:
        """Finish what is under way, or hand it back."""


class Service:
    """A service in threads of this process: `with Service(…) as service`.

    Args:
        worker: what it does; also the endpoint of its calls.
        heartbeat: its signs of life.
        objects: its database, whose changes by this process are counted.
        transport, topic, host: where it takes calls.
        health: address and port of /healthcheck and /metrics; None: it has neither.
        closing: called at the very end.
    """

    def __init__(
        self,
        worker: Worker,
        heartbeat: Heartbeat,
        objects: Objects,
        *,
        transport: Any,
        topic: str,
        host: str,
        health: tuple[str, int] | None = None,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        self._worker = worker
        self._heartbeat = heartbeat
        self._objects = objects
        self._closing = closing
        self._calls = serve_calls(transport, topic, host, worker)
        # Beside the rest: it waits for the bus for as long as that is away.
        self._calling = threading.Thread(
            target=self._calls.start, name=f"{topic}-calls", daemon=True
        )
        self._threads = [
            threading.Thread(target=work, name=f"{topic}-{name}", daemon=True)
            for name, work in (("life", heartbeat.run), ("work", worker.run))
        ]
        self._health = None if health is None else Health(health, objects, worker)

    @property
    def url(self) -> str:
        """Where /healthcheck and /metrics are; "" for nowhere."""
        return "" if self._health is None else self._health.url

    def start(self) -> None:
        """Begin; returns when the service is listed, works, and takes calls.

        Without a bus it works all the same, by what it finds in the database; it takes calls as
        soon as the bus is there.

        Raises:
            ConfigurationError: the port of /healthcheck is taken.
            StoreUnavailable: the database cannot be reached.
        """
        if self._health is not None:
            self._health.start()
        self._heartbeat.beat()
        for thread in (*self._threads, self._calling):
            thread.start()
        self._calling.join(_CONNECT)
        if self._calling.is_alive():
            LOG.warning("no message bus yet: work is found by looking, calls are not answered")

    def stop(self) -> None:
        """Take no more calls, finish or hand back what is under way, and say good-bye."""
        called = not self._calling.is_alive()  # one that still waits for the bus holds nothing
        if called:
            self._calls.stop()
        self._worker.stop()
        self._heartbeat.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_JOIN)
        if called:
            self._calls.wait()
        if self._health is not None:
            self._health.stop()
        self._closing()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Health:
    """/healthcheck and /metrics of one service."""

    def __init__(self, address: tuple[str, int], objects: Objects, worker: Worker) -> None:
        self._objects = objects
        self._address = address
        self.url = ""
        self._registry = CollectorRegistry()
        self._transitions = Counter(
            "tachyon_transitions",
            "States that audits, plans and actions were brought into by this service.",
            ["kind", "state"],
            registry=self._registry,
        )
        busy = Gauge(
            "tachyon_under_way",
            "Audits or plans that this service is at.",
            registry=self._registry,
        )
        busy.set_function(lambda: worker.busy)
        objects.observe(self._count)
        self._server = HttpServer(
            address,
            self._answer,
            threads=2,
            connections=50,
            timeout=10.0,
            shutdown_timeout=1.0,
            max_body=1024,
        )
        # A second service on the same port is a mistake.
        self._server.reuse_port = False
        self._thread = threading.Thread(target=self._server.serve, daemon=True)

    def start(self) -> None:
        """Begin to answer; raises `ConfigurationError` where the port is taken."""
        try:
            self._server.prepare()
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on port {self._address[1]}: {error}"
            ) from error
        self.url = f"http://{self._address[0]}:{self._server.bind_addr[1]}"
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()
        self._thread.join(_JOIN)

    def _count(self, change: Change) -> None:
        state = getattr(change.record, "state", None)
        if state is not None and state != getattr(change.before, "state", None):
            self._transitions.labels(change.kind, state).inc()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, kind, body = "404 Not Found", "text/plain", b"not found"
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            status, kind, body = "200 OK", CONTENT_TYPE_LATEST, generate_latest(self._registry)
        elif path == "/healthcheck":
            status, kind, body = self._healthcheck()
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def _healthcheck(self) -> tuple[str, str, bytes]:
        try:
            self._objects.services.count()
        except StoreUnavailable as error:
            body = msgspec.json.encode({"status": "unavailable", "reason": error.message})
            return "503 Service Unavailable", "application/json", body
        return "200 OK", "application/json", msgspec.json.encode({"status": "ok"})


def run_until_signal(service: Any, ready: Callable[[], None] | None = None) -> None:
    """Start a service, and stop it upon SIGTERM or SIGINT.

    Args:
        service: a context manager.
        ready: called once it has started.
    """
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        with service:
            if ready is not None:
                ready()
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
