"""Serving processes: one or several on one port, each ended cleanly and started again when it dies.

Both APIs run this way: `tachyon.graph.service.server` and the control plane's.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from msgspec import Struct
from oslo_config import cfg

from tachyon.errors import ConfigurationError, TachyonError
from tachyon.graph.service.framing import WSGI
from tachyon.graph.service.http_server import ErrorDocuments, HttpServer, error_document

LOG = logging.getLogger(__name__)

#: Seconds before a process that died is started again; doubles up to `_SLOWEST`.
_SOONEST, _SLOWEST = 0.5, 30.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Listening(Struct, frozen=True, kw_only=True):
    """How a process listens; `tachyon.conf` declares each with unit and reason."""

    host: str
    port: int
    threads: int
    connections: int
    timeout: float
    shutdown_timeout: float
    max_body: int
    error_document: ErrorDocuments = error_document
    certificate: str | None = None
    private_key: str | None = None

    @classmethod
    def of(cls, group: cfg.ConfigOpts.GroupAttr, **more: Any) -> Listening:
        """Return what an option group says, with what it does not say."""
        names = ("host", "port", "threads", "connections", "timeout", "shutdown_timeout")
        return cls(**{**{name: getattr(group, name) for name in names}, **more})

    @property
    def url(self) -> str:
        """Where clients find it."""
        scheme = "http" if self.certificate is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


class Worker(Protocol):
    """What a process serves, and what it does beside."""

    app: WSGI

    def start(self) -> None:
        """Begin what is to be done beside serving."""

    def stopping(self) -> None:
        """Let requests go that wait for something."""

    def stop(self) -> None:
        """Close everything; no request is under way any more."""


def reserve(host: str, port: int) -> socket.socket:
    """Hold a port without listening on it, so that every process of ours finds the same."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    reserved = socket.socket(family, kind, protocol)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
    except OSError as error:
        reserved.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error}") from error
    return reserved


class Process:
    """One serving process."""

    def __init__(self, listening: Listening, worker: Worker) -> None:
        self._pause = listening.shutdown_timeout
        self._stop = threading.Event()
        self._worker = worker
        self._server = HttpServer(
            (listening.host, listening.port),
            worker.app,
            threads=listening.threads,
            connections=listening.connections,
            timeout=listening.timeout,
            shutdown_timeout=listening.shutdown_timeout,
            max_body=listening.max_body,
            error_document=listening.error_document,
        )
        if listening.certificate is not None:
            self._server.ssl_adapter = _tls(listening.certificate, listening.private_key)
        self._serving = threading.Thread(
            target=self._server.serve, name="tachyon-serve", daemon=True
        )

    def start(self) -> None:
        """Begin to serve; returns when the service can be reached."""
        self._server.prepare()
        self._serving.start()
        self._worker.start()

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal says to stop."""
        on_signals(self._stop.set)
        self.start()
        # What starting has made stays. Were the collector to look through it now and then, an
        # answer would take 100 ms longer now and then.
        gc.collect()
        gc.freeze()
        # A long answer is tens of thousands of objects, none of them in a cycle.
        gc.set_threshold(50_000, 20, 50)
        ready()
        try:
            while not self._stop.wait(1.0):
                if not self._serving.is_alive():
                    raise RuntimeError("the thread that accepts connections died")
        finally:
            self.stop()

    def stop(self) -> None:
        """Finish the requests under way, then close everything."""
        self._stop.set()
        self._worker.stopping()
        self._server.stop()
        self._serving.join(timeout=self._pause)
        self._worker.stop()


def _tls(certificate: str, private_key: str | None) -> Any:
    from cheroot.ssl.builtin import BuiltinSSLAdapter

    try:
        return BuiltinSSLAdapter(certificate, private_key)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the certificate cannot be used: {error}") from error


class Supervisor:
    """Several serving processes on one port, each started again when it dies.

    `make` is called in each of them for what it serves, after it was forked.
    """

    def __init__(self, listening: Listening, make: Callable[[], Worker], workers: int) -> None:
        self._listening = listening
        self._make = make
        self._workers = workers
        self._stopping = threading.Event()
        self._children: dict[int, float] = {}
        self._pause = _SOONEST

    def run(self, ready: Callable[[], None]) -> None:
        """Keep the processes running until told to stop."""
        on_signals(self._stop)
        told, tell = os.pipe()
        for _ in range(self._workers):
            self._fork(tell)
        threading.Thread(target=self._await_all, args=(told, ready), daemon=True).start()
        while self._children:
            try:
                child, _ = os.wait()
            except ChildProcessError:
                break
            started = self._children.pop(child, time.monotonic())
            if self._stopping.is_set():
                continue
            self._pause = (
                _SOONEST
                if time.monotonic() - started > _SLOWEST
                else min(self._pause * 2, _SLOWEST)
            )
            LOG.error("process %d died; another starts in %g s", child, self._pause)
            if not self._stopping.wait(self._pause):
                self._fork(tell)

    def _await_all(self, told: int, ready: Callable[[], None]) -> None:
        """Call `ready` when each process has written its byte: it can be reached."""
        for _ in range(self._workers):
            os.read(told, 1)
        if not self._stopping.is_set():
            ready()

    def _fork(self, tell: int) -> None:
        # Held back, so that the child never runs the handlers of its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        child = os.fork()
        if child == 0:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
        else:
            self._children[child] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if child == 0:
            self._work(tell)

    def _work(self, tell: int) -> None:
        """Serve, and end this process: a child never returns to what its parent was doing."""
        status = 1
        try:
            Process(self._listening, self._make()).run(lambda: _tell(tell))
            status = 0
        except TachyonError as error:
            LOG.error("%s", error)
        except Exception:
            LOG.exception("a serving process failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _stop(self) -> None:
        self._stopping.set()
        for child in list(self._children):
            try:
                os.kill(child, signal.SIGTERM)
            except ProcessLookupError:
                continue


def _tell(pipe: int) -> None:
    os.write(pipe, b".")


def serve(
    listening: Listening,
    worker: Callable[[], Worker],
    processes: int,
    ready: Callable[[], None],
) -> None:
    """Serve until a signal says to stop, in this process or in some that it looks after.

    Args:
        listening: how each of them listens.
        worker: makes what serves; called in the process that serves.
        processes: how many share the port.
        ready: called once the service can be reached.
    """
    if processes == 1:
        Process(listening, worker()).run(ready)
    else:
        Supervisor(listening, worker, processes).run(ready)


@contextmanager
def serving(listening: Listening, worker: Worker) -> Iterator[str]:
    """Serve from threads of this process for the time of the block; gives the URL.

    Takes no signals.
    """
    process = Process(listening, worker)
    process.start()
    try:
        yield listening.url
    finally:
        process.stop()


def on_signals(stop: Callable[[], None]) -> None:
    """Call something when the process is told to end."""

    def handle(_number: int, _frame: Any) -> None:
        stop()

    for number in _SIGNALS:
        signal.signal(number, handle)
