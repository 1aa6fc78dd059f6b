"""Options of the infra-optim API: where it listens, what it bounds, who may call."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("api", title="The infra-optim API")

OPTIONS = (
    cfg.StrOpt(
        "host",
        default="127.0.0.1",
        help="Address to listen on. Loopback, so that nothing is open to a network by accident.",
    ),
    cfg.PortOpt("port", default=9322, help="TCP port to listen on; 0 takes a free one."),
    cfg.IntOpt(
        "workers", default=1, min=1, max=256, help="Processes that share the port and serve."
    ),
    cfg.IntOpt(
        "threads",
        default=16,
        min=1,
        max=1024,
        help="Threads of each process, so requests served at the same time.",
    ),
    cfg.IntOpt(
        "connections",
        default=1000,
        min=1,
        help="Idle kept-alive connections of each process; what comes above is closed after its "
        "request.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=30.0,
        min=1.0,
        help="Seconds to wait for the rest of a request, and to keep an idle connection.",
    ),
    cfg.FloatOpt(
        "shutdown_timeout",
        default=10.0,
        min=0.0,
        help="Seconds that requests under way are given after SIGTERM.",
    ),
    cfg.IntOpt(
        "max_limit", default=1000, min=1, help="Most objects in one page of a list, and default."
    ),
    cfg.BoolOpt("enable_ssl_api", default=False, help="Speak HTTPS; needs cert_file and key_file."),
    cfg.StrOpt("cert_file", help="PEM file of the certificate, with its chain."),
    cfg.StrOpt("key_file", help="PEM file of the certificate's private key."),
    cfg.BoolOpt(
        "enable_webhooks_auth",
        default=True,
        help="Ask for a token at /v1/webhooks, too. Without it whoever reaches the API can start "
        "audits of type EVENT.",
    ),
    cfg.FloatOpt(
        "rpc_timeout",
        default=60.0,
        min=0.1,
        help="Seconds to wait for the answer of a decision engine or an applier.",
    ),
    cfg.FloatOpt(
        "rollback_within",
        default=3600.0,
        min=0.0,
        help="Seconds after its end in which an action plan can be taken back. The cluster goes "
        "on changing, and with it what taking back would mean.",
    ),
)
