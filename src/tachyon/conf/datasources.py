"""Options that say where measurements come from; each datasource has a group of its own."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("watcher_datasources", title="Where measurements come from")

#: Those that need nothing but a cloud's catalog, or are left out quietly without options.
DEFAULT = ("gnocchi", "grafana", "aetos")

OPTIONS = (
    cfg.ListOpt(
        "datasources",
        default=list(DEFAULT),
        help="Datasources in order of preference: gnocchi, prometheus, aetos, grafana, monasca, "
        "ceilometer, file. A metric is asked of the first that has it; the next one is asked when "
        "that fails. A strategy may have an order of its own ([watcher_strategies.NAME] "
        "datasources). prometheus and aetos cannot both be named.",
    ),
    cfg.IntOpt(
        "query_max_retries",
        default=3,
        min=1,
        help="How often a query is repeated after a failure that may pass.",
    ),
    cfg.FloatOpt(
        "query_interval",
        default=1.0,
        min=0.0,
        deprecated_name="query_timeout",
        help="Seconds before the first repetition; doubles from one to the next.",
    ),
    cfg.FloatOpt(
        "query_time_limit",
        default=60.0,
        min=0.1,
        help="Seconds that one query may take.",
    ),
)

#: Of [watcher_decision_engine], where Watcher has it.
METRIC_MAP_OPTIONS = (
    cfg.StrOpt(
        "metric_map_path",
        default="/etc/watcher/metric_map.yaml",
        help="YAML file with other names of metrics, by datasource. It need not exist.",
    ),
)
