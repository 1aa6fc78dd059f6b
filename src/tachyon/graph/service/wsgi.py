"""`application` for other WSGI servers (uWSGI, gunicorn, mod_wsgi).

Reads the file that TACHYON_CONFIG names. Such a server runs several processes and listens where
it likes, so sessions are kept in the store, and only `auth = keystone` is served.
"""

from __future__ import annotations

import threading

from oslo_config import cfg

from tachyon.errors import ConfigurationError
from tachyon.graph.service.framing import WSGI, at_first_request
from tachyon.graph.service.identity import KeystoneGuard
from tachyon.graph.service.server import build, start_sweeper


def _build(conf: cfg.ConfigOpts) -> WSGI:
    if conf.service.auth != "keystone":
        raise ConfigurationError(
            "noauth is for loopback only, and nobody knows where this server listens"
        )
    model, app = build(conf, KeystoneGuard(conf), shared=True)
    start_sweeper(model, conf.service.sweep_interval, threading.Event())
    return app


#: Opens the store with the first request, after the server has forked.
application = at_first_request(_build)
