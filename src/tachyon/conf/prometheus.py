"""Options of the datasource prometheus: a server that is asked directly."""

from __future__ import annotations

from oslo_config import cfg

from tachyon.conf.catalog_datasources import labels

GROUP = cfg.OptGroup("prometheus_client", title="The datasource prometheus")

OPTIONS = (
    cfg.HostAddressOpt("host", help="Host name or address of the server. Must be given."),
    cfg.PortOpt("port", default=9090, help="Port of the server."),
    *labels(),
    cfg.StrOpt("username", help="User of basic authentication."),
    cfg.StrOpt("password", secret=True, help="Password of basic authentication."),
    cfg.StrOpt(
        "cafile", help="Certificates that the server's is checked by. Given: TLS is spoken."
    ),
    cfg.StrOpt("certfile", help="Our certificate (mutual TLS); needs cafile and keyfile."),
    cfg.StrOpt("keyfile", help="Private key of our certificate."),
)
