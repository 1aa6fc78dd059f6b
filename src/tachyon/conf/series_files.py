"""Options of the datasource file: measurements from a cluster file or a folder of tables."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("file_client", title="The datasource file")

OPTIONS = (
    cfg.StrOpt(
        "path",
        help="Cluster file with metrics, or folder of METRIC.csv or .parquet. Must be given.",
    ),
)
