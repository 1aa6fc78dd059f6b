"""Options that say where the control plane finds the cluster graph."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("graph", title="Where the control plane finds the cluster graph")

OPTIONS = (
    cfg.StrOpt(
        "url",
        default="sqlite:///tachyon.db",
        secret=True,
        help="URL of the model service (http://, https://), or of the store itself (sqlite://, "
        "postgresql://, mariadb://, bolt://). Secret, because it may carry a password.",
    ),
)
