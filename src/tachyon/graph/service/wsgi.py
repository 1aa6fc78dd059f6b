"""`application` for other WSGI servers (uWSGI, gunicorn, mod_wsgi).

Reads the file that TACHYON_CONFIG names. Such a server runs several processes and listens where
it likes, so sessions are kept in the store, and only `auth = keystone` is served.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from tachyon import conf as options
from tachyon.errors import ConfigurationError
from tachyon.graph.service.application import WSGI
from tachyon.graph.service.identity import KeystoneGuard
from tachyon.graph.service.server import build, start_sweeper

_lock = threading.Lock()
_built: list[WSGI] = []


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Serve a request; the first one opens the store, after the server has forked."""
    if not _built:
        with _lock:
            if not _built:
                _built.append(_build())
    return _built[0](environ, start_response)


def _build() -> WSGI:
    conf = options.load(os.environ.get("TACHYON_CONFIG"))
    if conf.service.auth != "keystone":
        raise ConfigurationError(
            "noauth is for loopback only, and nobody knows where this server listens"
        )
    model, app = build(conf, KeystoneGuard(conf), shared=True)
    start_sweeper(model, conf.service.sweep_interval, threading.Event())
    return app
