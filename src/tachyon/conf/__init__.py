"""Tachyon's options, a file per group; every house reads its own group from here."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

from tachyon.conf import (
    api,
    applier,
    catalog_datasources,
    cinder,
    collector,
    database,
    datasources,
    decision_engine,
    default,
    grafana,
    graph,
    ironic,
    keystone,
    maas,
    notifications,
    nova,
    placement,
    planner,
    prometheus,
    series_files,
    service,
    sessions,
    strategies,
)

#: Every group with its options, in the order in which the sample file shows them.
GROUPS: tuple[tuple[cfg.OptGroup, Sequence[cfg.Opt]], ...] = (
    (default.GROUP, default.OPTIONS),
    (service.GROUP, service.OPTIONS),
    (sessions.GROUP, sessions.OPTIONS),
    (graph.GROUP, graph.OPTIONS),
    (database.GROUP, database.OPTIONS),
    (api.GROUP, api.OPTIONS),
    (keystone.GROUP, keystone.OPTIONS),
    (nova.GROUP, nova.OPTIONS),
    (placement.GROUP, placement.OPTIONS),
    (cinder.GROUP, cinder.OPTIONS),
    (ironic.GROUP, ironic.OPTIONS),
    (maas.GROUP, maas.OPTIONS),
    (collector.GROUP, collector.OPTIONS),
    (notifications.GROUP, notifications.OPTIONS),
    *((group, planner.OPTIONS) for group in planner.GROUPS),
    (datasources.GROUP, datasources.OPTIONS),
    (decision_engine.GROUP, (*decision_engine.OPTIONS, *datasources.METRIC_MAP_OPTIONS)),
    (applier.GROUP, applier.OPTIONS),
    (applier.TASKFLOW_GROUP, applier.TASKFLOW_OPTIONS),
    (catalog_datasources.GNOCCHI_GROUP, catalog_datasources.GNOCCHI_OPTIONS),
    (prometheus.GROUP, prometheus.OPTIONS),
    (catalog_datasources.AETOS_GROUP, catalog_datasources.AETOS_OPTIONS),
    (grafana.GROUP, grafana.OPTIONS),
    (grafana.TRANSLATORS_GROUP, grafana.TRANSLATORS_OPTIONS),
    (catalog_datasources.MONASCA_GROUP, catalog_datasources.MONASCA_OPTIONS),
    (catalog_datasources.CEILOMETER_GROUP, catalog_datasources.CEILOMETER_OPTIONS),
    (series_files.GROUP, series_files.OPTIONS),
    *strategies.GROUPS,
)


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options of every group; harmless when they are registered already."""
    for group, options in GROUPS:
        if group.name == "DEFAULT":
            conf.register_opts(options)
            continue
        # A group keeps the values of its options, so each configuration needs groups of its own.
        conf.register_group(cfg.OptGroup(group.name, group.title, group.help))
        conf.register_opts(options, group=group.name)


def load(config_file: str | None = None, *, logs: bool = False) -> cfg.ConfigOpts:
    """Return the options as a configuration file sets them (None: their defaults).

    Args:
        config_file: its name.
        logs: take the options of oslo.log as well, for a process that is a service.

    Raises:
        cfg.Error: the file cannot be read, or a value is not what its option takes.
    """
    conf = cfg.ConfigOpts()
    register(conf)
    if logs:
        # Commands that are over at once need not wait for it.
        from oslo_log import log

        log.register_options(conf)
    files = [] if config_file is None else [config_file]
    conf(args=[], project="tachyon", default_config_files=files, default_config_dirs=[])
    return conf


def list_opts() -> list[tuple[cfg.OptGroup, Sequence[cfg.Opt]]]:
    """Return every option, for oslo-config-generator."""
    return [*GROUPS, (keystone.GROUP, keystone.PASSWORD)]
