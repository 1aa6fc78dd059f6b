"""Options of the notifications that keep the graph up to date between two synchronisations."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("notifications", title="Notifications of Nova, Cinder and Ironic")

OPTIONS = (
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="The cloud's message bus, as in rabbit://user:password@host:5672/. Unset: no "
        "notifications are followed, and the graph is as fresh as its last synchronisation.",
    ),
    cfg.ListOpt(
        "topics",
        default=[
            "nova.versioned_notifications",
            "openstack.notifications",
            "ironic.ironic_versioned_notifications",
        ],
        deprecated_opts=[cfg.DeprecatedOpt("notification_topics", group="watcher_decision_engine")],
        help="Where the services send to, as exchange.topic. The defaults are those of Nova, "
        "Cinder and Ironic.",
    ),
    cfg.StrOpt(
        "pool",
        default="tachyon-collector",
        help="Name of the queue that all collectors share: each event goes to one of them. Other "
        "services that listen to the same topics are not disturbed.",
    ),
    cfg.IntOpt(
        "batch_size",
        default=500,
        min=1,
        max=10_000,
        help="Events that are applied in one transaction at most.",
    ),
    cfg.FloatOpt(
        "batch_timeout",
        default=0.25,
        min=0.01,
        help="Seconds to wait for a batch to fill. An event takes this long to arrive in the "
        "graph when nothing else happens.",
    ),
    cfg.FloatOpt(
        "retry_interval",
        default=1.0,
        min=0.0,
        help="Seconds before events that could not be applied (the graph or the cloud does not "
        "answer) are taken from the queue again; doubles up to a minute.",
    ),
)
