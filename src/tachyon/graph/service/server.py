"""The service as processes: cheroot in front, one or several that share a port and a store.

Called by the command line through `serve`; other WSGI servers go by `wsgi`.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import ConfigurationError, TachyonError
from tachyon.graph.service.application import WSGI, application
from tachyon.graph.service.http_server import HttpServer
from tachyon.graph.service.identity import Guard, KeystoneGuard, NoGuard, check_noauth
from tachyon.graph.service.model import Model
from tachyon.graph.service.options import Options
from tachyon.graph.store import open_store

LOG = logging.getLogger(__name__)

#: Seconds before a process that died is started again; doubles up to `_SLOWEST`.
_SOONEST, _SLOWEST = 0.5, 30.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(
    *,
    store_url: str | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    auth: str | None = None,
    config_file: str | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; what is not given comes from the configuration.

    Args:
        store_url: where the graph is kept.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        workers: processes that share the port.
        auth: "noauth" or "keystone".
        config_file: of the options in `tachyon.conf`, [keystone_authtoken] and [oslo_policy].
        ready: called with the URL of the service once it can be reached.

    Raises:
        ConfigurationError: the options do not fit together, or the port is taken.
        StoreUnavailable: the store cannot be reached at start-up.
    """
    given = {
        "store_url": store_url,
        "host": host,
        "port": port,
        "workers": workers,
        "auth": auth,
    }
    run(_configured(config_file, given), ready)


@contextmanager
def running(store_url: str, *, port: int = 0, config_file: str | None = None) -> Iterator[str]:
    """Serve from threads of this process for the time of the block; gives the service's URL.

    For all-in-one set-ups, demos and tests; takes no signals.

    Raises:
        ConfigurationError, StoreUnavailable: as `serve`.
    """
    conf = _configured(config_file, {"store_url": store_url, "port": port})
    guard = guard_of(conf)
    with _reserve(conf.service.host, conf.service.port) as reserved:
        taken = reserved.getsockname()[1]
        process = _Process(conf, guard, taken, shared=False)
        process.start()
        try:
            yield _url(conf.service.host, taken)
        finally:
            process.stop()


def _configured(config_file: str | None, given: dict[str, Any]) -> cfg.ConfigOpts:
    try:
        conf = options.load(config_file)
        for name, value in given.items():
            if value is not None:
                conf.set_override(name, value, group="service")
    except (cfg.Error, ValueError) as error:
        raise ConfigurationError(f"the configuration cannot be used: {error}") from error
    return conf


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(conf: cfg.ConfigOpts, ready: Callable[[str], None] | None = None) -> None:
    """Serve as a configuration says; see `serve`."""
    service = conf.service
    guard = guard_of(conf)
    if service.workers > 1 and service.store_url in ("sqlite://", "sqlite:///:memory:"):
        raise ConfigurationError("a database in memory belongs to one process; set workers = 1")
    # Once, before anybody serves: processes that start together need not race for it.
    open_store(service.store_url).close()
    with _reserve(service.host, service.port) as reserved:
        port = reserved.getsockname()[1]
        url = _url(service.host, port)
        if service.workers == 1:
            _Process(conf, guard, port, shared=False).run(lambda: _announce(url, ready))
        else:
            _Supervisor(conf, guard, port).run(lambda: _announce(url, ready))


def guard_of(conf: cfg.ConfigOpts) -> Guard:
    """Return what stands before the handlers; raises `ConfigurationError`."""
    if conf.service.auth == "keystone":
        return KeystoneGuard(conf)
    check_noauth(conf.service.host)
    return NoGuard()


def build(conf: cfg.ConfigOpts, guard: Guard, *, shared: bool) -> tuple[Model, WSGI]:
    """Return a model on a store of its own, and the application that serves it."""
    model = Model(open_store(conf.service.store_url), options=Options.of(conf, shared=shared))
    return model, application(model, guard)


def start_sweeper(model: Model, interval: float, stop: threading.Event) -> threading.Thread:
    """Start the thread that expires sessions and trims the change log now and then."""

    def sweep() -> None:
        while not stop.wait(interval):
            try:
                model.sweep()
            except TachyonError as error:
                LOG.warning("sweep failed, the next one may do better: %s", error)
            except Exception:
                LOG.exception("sweep failed")

    thread = threading.Thread(target=sweep, name="tachyon-sweep", daemon=True)
    thread.start()
    return thread


def _announce(url: str, ready: Callable[[str], None] | None) -> None:
    LOG.info("serving Tachyon API v1 on %s", url)
    if ready is not None:
        ready(url)


def _reserve(host: str, port: int) -> socket.socket:
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


class _Process:
    """One serving process."""

    def __init__(self, conf: cfg.ConfigOpts, guard: Guard, port: int, *, shared: bool) -> None:
        service = conf.service
        self._pause = service.shutdown_timeout
        self._stop = threading.Event()
        self._model, app = build(conf, guard, shared=shared)
        self._server = HttpServer(
            (service.host, port),
            app,
            threads=service.threads,
            connections=service.connections,
            timeout=service.timeout,
            shutdown_timeout=service.shutdown_timeout,
            max_body=max(service.max_body, service.max_bulk_body),
        )
        self._serving = threading.Thread(
            target=self._server.serve, name="tachyon-serve", daemon=True
        )
        self._interval = service.sweep_interval

    def start(self) -> None:
        """Begin to serve; returns when the service can be reached."""
        self._server.prepare()
        self._serving.start()
        start_sweeper(self._model, self._interval, self._stop)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal says to stop."""
        _on_signals(self._stop.set)
        self.start()
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
        self._model.stop()
        self._server.stop()
        self._serving.join(timeout=self._pause)
        self._model.store.close()


class _Supervisor:
    """Several serving processes on one port, each started again when it dies."""

    def __init__(self, conf: cfg.ConfigOpts, guard: Guard, port: int) -> None:
        self._conf = conf
        self._guard = guard
        self._port = port
        self._stopping = threading.Event()
        self._children: dict[int, float] = {}
        self._pause = _SOONEST

    def run(self, ready: Callable[[], None]) -> None:
        """Keep the processes running until told to stop."""
        _on_signals(self._stop)
        told, tell = os.pipe()
        for _ in range(self._conf.service.workers):
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
        for _ in range(self._conf.service.workers):
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
            _Process(self._conf, self._guard, self._port, shared=True).run(lambda: _tell(tell))
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


def _on_signals(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: Any) -> None:
        stop()

    for number in _SIGNALS:
        signal.signal(number, handle)
