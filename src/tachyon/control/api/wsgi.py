"""`application` for other WSGI servers (uWSGI, gunicorn, mod_wsgi).

Reads the file that TACHYON_CONFIG names. Nobody here knows where such a server listens, so only
`enable_authentication` is served.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from tachyon import conf as options
from tachyon.control.api.application import WSGI
from tachyon.control.api.server import ApiWorker, check
from tachyon.errors import ConfigurationError

_lock = threading.Lock()
_built: list[WSGI] = []


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Serve a request; the first one opens the database, after the server has forked."""
    if not _built:
        with _lock:
            if not _built:
                _built.append(_build())
    return _built[0](environ, start_response)


def _build() -> WSGI:
    conf = options.load(os.environ.get("TACHYON_CONFIG"))
    if not conf.enable_authentication:
        raise ConfigurationError(
            "without authentication only loopback is served, and nobody knows where this server "
            "listens"
        )
    check(conf)
    return ApiWorker(conf).app
