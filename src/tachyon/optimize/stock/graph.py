"""The one client of the graph that all collectors, audits and handlers of an engine share."""

from __future__ import annotations

import threading

from oslo_config import cfg
from watcher.common import clients

from tachyon.graph.client import GraphClient, connect

_lock = threading.Lock()
_made: dict[tuple[str, str], GraphClient] = {}


def client(conf: cfg.ConfigOpts) -> GraphClient:
    """Return the client of the graph at `[tachyon] url`.

    Raises:
        ConfigurationError: the URL is none of a service or store.
    """
    key = conf.tachyon.url, conf.tachyon.auth
    with _lock:
        if key not in _made:
            auth = clients.OpenStackClients().session if conf.tachyon.auth == "keystone" else None
            _made[key] = connect(conf.tachyon.url, auth)
        return _made[key]
