"""The collector as a process: synchronisations, notifications, health and metrics.

Called by `tachyon collector` through `serve`, and by whoever runs a collector within another
process through `CollectorService`.
"""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

import msgspec
from oslo_config import cfg
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tachyon.errors import CloudError, ConfigurationError
from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.graph.service.http_server import HttpServer
from tachyon.openstack.collectors import plugins
from tachyon.openstack.collectors.contract import Collector
from tachyon.openstack.collectors.metrics import Metrics
from tachyon.openstack.collectors.schedule import Schedule
from tachyon.openstack.connection import Connection
from tachyon.openstack.connection import connect as connect_cloud
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.listener import Listener
from tachyon.openstack.notifications.polling import Poller

LOG = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Seconds between two looks for a cloud whose catalog could not be read at start-up.
_LOOK = 5.0
#: Seconds that what is under way is given when the collector is stopped.
_PATIENCE = 15.0


class CollectorService:
    """A collector at work in threads of this process: `with CollectorService(conf) as collector`.

    `url` is that of /healthcheck and /metrics.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        *,
        cloud: Connection | None = None,
        graph: GraphClient | None = None,
    ) -> None:
        """Describe a collector.

        Args:
            conf: the options of `tachyon.conf`.
            cloud: to read; None: that of the options.
            graph: to fill; None: that of `[graph] url`.

        Raises:
            ConfigurationError: the options do not fit together.
            StoreUnavailable: the graph cannot be reached.
        """
        self._conf = conf
        self._own: list[Callable[[], None]] = []
        self.cloud = cloud or connect_cloud(conf)
        if cloud is None:
            self._own.append(self.cloud.close)
        self.graph = graph or connect_graph(conf.graph.url)
        if graph is None:
            self._own.append(self.graph.close)
        self.url = ""
        self.schedule: Schedule | None = None
        self._listener: Listener | None = None
        self._poller: Poller | None = None
        self._stopping = threading.Event()
        self._metrics = Metrics(conf.collector.collectors, self.graph, self.cloud)
        self._server = HttpServer(
            (conf.collector.host, conf.collector.port),
            self._answer,
            threads=2,
            connections=50,
            timeout=10.0,
            shutdown_timeout=2.0,
            max_body=1024,
        )
        # A second collector on the same port is a mistake.
        self._server.reuse_port = False
        self._serving = threading.Thread(target=self._server.serve, name="tachyon-serve")
        self._beginning = threading.Thread(target=self._begin, name="tachyon-begin", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin; returns when /healthcheck answers, and waits neither for cloud nor for bus.

        Raises:
            ConfigurationError: the port is taken.
        """
        conf = self._conf.collector
        try:
            self._server.prepare()
        except OSError as error:
            raise ConfigurationError(f"cannot listen on port {conf.port}: {error}") from error
        self.url = f"http://{conf.host}:{self._server.bind_addr[1]}"
        self._serving.start()
        self._beginning.start()

    def stop(self) -> None:
        """Stop cleanly: events in hand are applied, or go back to the queue."""
        self._stopping.set()
        # It may be waiting for a cloud that does not answer.
        self._beginning.join(_PATIENCE)
        if self._listener is not None:
            self._listener.stop()
        if self._poller is not None:
            self._poller.stop(_PATIENCE)
        if self.schedule is not None:
            self.schedule.stop(_PATIENCE)
        self._server.stop()
        self._serving.join()
        for close in self._own:
            close()

    def _begin(self) -> None:
        """Begin to work as soon as the catalog tells what there is to collect."""
        found: list[Collector] | None = None
        while found is None and not self._stopping.is_set():
            try:
                found = plugins.collectors(self._conf.collector.collectors, self.cloud)
            except CloudError as error:
                LOG.warning("the cloud is not to be reached yet: %s", error.message)
                self._stopping.wait(_LOOK)
        if found is None or self._stopping.is_set():
            return
        names = [collector.name for collector in found]
        self._metrics.models = names
        if self._conf.notifications.transport_url:
            applier = Applier(self.graph, self.cloud, plugins.handlers(names))
            self._listener = Listener(self._conf, applier, self._metrics.applied)
            self._listener.start()
        self.schedule = Schedule(
            found,
            self.cloud,
            self.graph,
            period=self._conf.collector.period,
            retry_interval=self._conf.collector.retry_interval,
            done=self._metrics.synchronised,
            failed=self._metrics.failed,
        )
        self.schedule.start()
        if interval := self._conf.collector.poll_interval:
            self._poller = Poller(
                self.graph, self.cloud, names, interval=interval, told=self._metrics.polled
            )
            self._poller.start()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        status, kind = "200 OK", "application/json"
        if path == "/healthcheck":
            health = self._metrics.health()
            body = msgspec.json.encode(health)
            status = status if health.healthy else "503 Service Unavailable"
        elif path == "/metrics":
            body, kind = generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST
        else:
            status, body = "404 Not Found", b"{}"
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


def collect_garbage_seldom() -> None:
    """Let Python look for cycles less often in this process.

    A batch makes many objects and next to no cycles, while a graph of 20,000 instances is gone
    through at every look for them: a third of what events cost.
    """
    gc.set_threshold(20_000, 20, 100)


def serve(conf: cfg.ConfigOpts, ready: Callable[[str], None] | None = None) -> None:
    """Collect until SIGTERM or SIGINT.

    Args:
        conf: the options of `tachyon.conf`.
        ready: called with the URL of /healthcheck once it answers.

    Raises:
        ConfigurationError, StoreUnavailable: as `CollectorService`.
    """
    collect_garbage_seldom()
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        with CollectorService(conf) as collector:
            if ready is not None:
                ready(collector.url)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
