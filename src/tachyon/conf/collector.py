"""Options of the collector: which models it reads, how often, and where it tells of itself."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("collector", title="The collector: from a cloud into the graph")

OPTIONS = (
    cfg.ListOpt(
        "collectors",
        default=["compute", "storage", "baremetal"],
        deprecated_name="collector_plugins",
        help="Models to read: plug-ins of the group tachyon.collectors. One whose service the "
        "cloud does not have is left out.",
    ),
    cfg.FloatOpt(
        "period",
        default=3600.0,
        min=1.0,
        deprecated_opts=[
            cfg.DeprecatedOpt("period", group=f"watcher_cluster_data_model_collectors.{model}")
            for model in ("compute", "storage", "baremetal")
        ],
        help="Seconds between two full synchronisations of a model. Notifications keep it fresh "
        "in between; a synchronisation repairs what they missed.",
    ),
    cfg.FloatOpt(
        "retry_interval",
        default=30.0,
        min=0.1,
        help="Seconds until a failed synchronisation is tried again; doubles up to the period.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=10.0,
        min=0.0,
        help="Seconds between two looks at what no service sends an event of: volumes that their "
        "driver moved, pools, services that stopped reporting or, in Cinder, were disabled. Four "
        "requests; if the services take long to answer, it is done less often. 0: never, so that "
        "the next synchronisation finds it.",
    ),
    cfg.StrOpt("host", default="127.0.0.1", help="Address of /healthcheck and /metrics."),
    cfg.PortOpt("port", default=8643, help="Port of /healthcheck and /metrics; 0: a free one."),
)
