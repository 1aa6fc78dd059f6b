"""Options that all services of the control plane share; names are those of Watcher's operators."""

from __future__ import annotations

import socket

from oslo_config import cfg

GROUP = cfg.OptGroup("DEFAULT", title="All services of the control plane")

OPTIONS = (
    cfg.StrOpt(
        "host",
        default=socket.gethostname(),
        max_length=255,
        sample_default="<hostname>",
        help="Name of this host in the list of services, in audits and in action plans. Two "
        "services of one kind need two names.",
    ),
    cfg.BoolOpt(
        "enable_authentication",
        default=True,
        help="Ask Keystone who calls the API. Without it the API listens on loopback only; "
        "a caller is whoever its X-Roles and X-User-Id headers say, an administrator without.",
    ),
    cfg.IntOpt(
        "service_down_time",
        default=90,
        min=1,
        help="Seconds since its last sign of life after which a service counts as failed.",
    ),
    cfg.IntOpt(
        "periodic_interval",
        default=60,
        min=1,
        help="Seconds between two signs of life of a service, and between two looks at others.",
    ),
    cfg.StrOpt(
        "notification_level",
        default="info",
        choices=["", "debug", "info", "warning", "error", "critical"],
        help="Least priority of the notifications that are sent; empty: none are.",
    ),
)
