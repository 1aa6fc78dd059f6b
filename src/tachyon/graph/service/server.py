"""The service as processes: cheroot in front, one or several that share a port and a store.

Called by the command line through `serve`; other WSGI servers go by `wsgi`.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import ConfigurationError, TachyonError
from tachyon.graph.service import processes
from tachyon.graph.service.application import application
from tachyon.graph.service.framing import WSGI
from tachyon.graph.service.identity import Guard, KeystoneGuard, NoGuard, check_noauth
from tachyon.graph.service.model import Model
from tachyon.graph.service.options import Options
from tachyon.graph.service.processes import Listening, reserve
from tachyon.graph.store import open_store

LOG = logging.getLogger(__name__)


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
    with reserve(conf.service.host, conf.service.port) as reserved:
        worker = _Worker(conf, guard, shared=False)
        with processes.serving(_listening(conf, reserved), worker) as url:
            yield url


def _listening(conf: cfg.ConfigOpts, reserved: socket.socket) -> Listening:
    service = conf.service
    return Listening.of(
        service,
        port=reserved.getsockname()[1],
        max_body=max(service.max_body, service.max_bulk_body),
    )


def _configured(config_file: str | None, given: dict[str, Any]) -> cfg.ConfigOpts:
    try:
        conf = options.load(config_file)
        for name, value in given.items():
            if value is not None:
                conf.set_override(name, value, group="service")
    except (cfg.Error, ValueError) as error:
        raise ConfigurationError(f"the configuration cannot be used: {error}") from error
    return conf


def run(conf: cfg.ConfigOpts, ready: Callable[[str], None] | None = None) -> None:
    """Serve as a configuration says; see `serve`."""
    service = conf.service
    guard = guard_of(conf)
    if service.workers > 1 and service.store_url in ("sqlite://", "sqlite:///:memory:"):
        raise ConfigurationError("a database in memory belongs to one process; set workers = 1")
    # Once, before anybody serves: processes that start together need not race for it.
    open_store(service.store_url).close()
    with reserve(service.host, service.port) as reserved:
        listening = _listening(conf, reserved)
        processes.serve(
            listening,
            lambda: _Worker(conf, guard, shared=service.workers > 1),
            service.workers,
            lambda: _announce(listening.url, ready),
        )


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


class _Worker:
    """A model, the application that serves it, and the sweeps beside."""

    def __init__(self, conf: cfg.ConfigOpts, guard: Guard, *, shared: bool) -> None:
        self._interval = conf.service.sweep_interval
        self._ended = threading.Event()
        self._model, self.app = build(conf, guard, shared=shared)

    def start(self) -> None:
        start_sweeper(self._model, self._interval, self._ended)

    def stopping(self) -> None:
        self._ended.set()
        self._model.stop()

    def stop(self) -> None:
        self._model.store.close()
