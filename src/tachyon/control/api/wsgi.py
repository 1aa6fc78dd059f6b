"""`application` for other WSGI servers (uWSGI, gunicorn, mod_wsgi).

Reads the file that TACHYON_CONFIG names. Nobody here knows where such a server listens, so only
`enable_authentication` is served.
"""

from __future__ import annotations

from oslo_config import cfg

from tachyon.control.api.server import ApiWorker, check
from tachyon.errors import ConfigurationError
from tachyon.graph.service.framing import WSGI, at_first_request


def _build(conf: cfg.ConfigOpts) -> WSGI:
    if not conf.enable_authentication:
        raise ConfigurationError(
            "without authentication only loopback is served, and nobody knows where this server "
            "listens"
        )
    check(conf)
    return ApiWorker(conf).app


#: Opens the database with the first request, after the server has forked.
application = at_first_request(_build)
