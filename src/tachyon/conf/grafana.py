"""Options of the datasource grafana, and of its translators."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("grafana_client", title="The datasource grafana")


def _map(name: str, what: str) -> cfg.Opt:
    return cfg.DictOpt(name, default={}, help=f"By metric (host_cpu_usage:…), {what}.")


OPTIONS = (
    cfg.StrOpt("token", secret=True, help="Bearer token. Must be given."),
    cfg.StrOpt(
        "base_url",
        help="URL of Grafana's proxy, such as https://grafana.example.org/api/datasources/proxy/. "
        "Must be given.",
    ),
    _map("project_id_map", "the number of Grafana's data source"),
    _map("database_map", "the name of the database"),
    _map("attribute_map", "the attribute that names a resource there (uuid, name, hostname)"),
    _map("translator_map", "the translator of the database's language (influxdb)"),
    _map("query_map", "the query (one with commas belongs into the metric map's file)"),
    cfg.IntOpt("http_timeout", default=60, min=1, help="Seconds that one request may take."),
)

TRANSLATORS_GROUP = cfg.OptGroup("grafana_translators", title="The translators of grafana")

TRANSLATORS_OPTIONS = (
    cfg.DictOpt(
        "retention_periods",
        default={"one_week": "604800", "one_month": "2592000", "five_years": "31556952"},
        help="Name of each retention policy of InfluxDB, and the seconds that it keeps. The one "
        "that keeps the least more than a query's period is used.",
    ),
)
