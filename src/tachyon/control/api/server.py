"""The infra-optim API as processes: one or several that share a port and a database.

Called by the command line through `serve`, by the all-in-one and by tests through `running`;
other WSGI servers go by `wsgi`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

from tachyon.control.api import faults
from tachyon.control.api.application import MAX_BODY, application
from tachyon.control.api.call import Services
from tachyon.control.notifications import Notifier
from tachyon.control.objects import Database, Objects, migrations
from tachyon.control.rpc import ApplierClient, DecisionEngineClient, open_transport
from tachyon.errors import ConfigurationError
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.service import processes
from tachyon.graph.service.framing import WSGI
from tachyon.graph.service.identity import check_noauth
from tachyon.graph.service.processes import Listening, reserve

LOG = logging.getLogger(__name__)

Observer = Callable[[Objects], None]


def serve(conf: cfg.ConfigOpts, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called with the URL once it can be reached.

    Raises:
        ConfigurationError: the options do not fit together, the port is taken, or the database's
            schema is not this release's.
        StoreUnavailable: the database cannot be reached at start-up.
    """
    check(conf)
    with reserve(conf.api.host, conf.api.port) as reserved:
        listening = _listening(conf, reserved)

        def announce() -> None:
            LOG.info("serving infra-optim on %s", listening.url)
            if ready is not None:
                ready(listening.url)

        processes.serve(listening, lambda: ApiWorker(conf), conf.api.workers, announce)


@contextmanager
def running(conf: cfg.ConfigOpts, **parts: Any) -> Iterator[str]:
    """Serve from threads of this process for the time of the block; gives the API's URL.

    Takes no signals. `parts` are those of `ApiWorker`, shared with other services of the process.

    Raises:
        ConfigurationError, StoreUnavailable: as `serve`.
    """
    check(conf)
    with (
        reserve(conf.api.host, conf.api.port) as reserved,
        processes.serving(_listening(conf, reserved), ApiWorker(conf, **parts)) as url,
    ):
        yield url


def check(conf: cfg.ConfigOpts) -> None:
    """Raise what would keep the API from serving, before anything is started."""
    if not conf.enable_authentication:
        check_noauth(conf.api.host)
    if conf.api.enable_ssl_api and not (conf.api.cert_file and conf.api.key_file):
        raise ConfigurationError("[api] enable_ssl_api needs cert_file and key_file")
    database = Database.of(conf)
    try:
        migrations.check(database)
    finally:
        database.close()


def _listening(conf: cfg.ConfigOpts, reserved: socket.socket) -> Listening:
    tls = conf.api.enable_ssl_api
    return Listening.of(
        conf.api,
        port=reserved.getsockname()[1],
        max_body=MAX_BODY,
        error_document=faults.protocol,
        certificate=conf.api.cert_file if tls else None,
        private_key=conf.api.key_file if tls else None,
    )


class ApiWorker:
    """The application on a database, a bus and a graph; those not given are opened and closed.

    Args:
        conf: the options.
        objects: the database.
        transport: the bus.
        graph: the cluster graph.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        *,
        objects: Objects | None = None,
        transport: Any = None,
        graph: GraphClient | None = None,
    ) -> None:
        self._closing: list[Callable[[], None]] = []
        if objects is None:
            objects = Objects(Database.of(conf))
            objects.observe(Notifier.of(conf).changed)
            self._closing.append(objects.close)
        if transport is None:
            transport = open_transport(conf)
            self._closing.append(transport.cleanup)
        if graph is None:
            graph = connect_graph(conf)
            self._closing.append(graph.close)
        timeout = conf.api.rpc_timeout
        services = Services(
            objects=objects,
            engine=DecisionEngineClient(
                transport, conf.watcher_decision_engine.conductor_topic, timeout=timeout
            ),
            applier=ApplierClient(transport, conf.watcher_applier.conductor_topic, timeout=timeout),
            graph=graph,
            max_limit=conf.api.max_limit,
            service_down_time=conf.service_down_time,
            rollback_within=conf.api.rollback_within,
        )
        self.app: WSGI = application(services, conf)

    def start(self) -> None:
        """Begin; there is nothing beside serving."""

    def stopping(self) -> None:
        """Let requests go; none waits for long."""

    def stop(self) -> None:
        """Close what was opened here."""
        for close in self._closing:
            close()


def connect_graph(conf: cfg.ConfigOpts) -> GraphClient:
    """Return a client for the graph that a configuration names.

    A model service is called with the identity in [keystone_authtoken], where there is one.
    """
    url = conf.graph.url
    auth = None
    if url.startswith("http") and conf.enable_authentication:
        group = "keystone_authtoken"
        loading.register_auth_conf_options(conf, group)
        loading.register_session_conf_options(conf, group)
        auth = loading.load_session_from_conf_options(
            conf, group, auth=loading.load_auth_from_conf_options(conf, group)
        )
    return connect(url, auth=auth)
