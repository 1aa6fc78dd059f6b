"""Datasources as the options say: plug-ins, metric map, order of preference."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg
from stevedore import ExtensionManager

from tachyon.conf.datasources import DEFAULT
from tachyon.errors import CloudError, ConfigurationError
from tachyon.openstack.telemetry.datasource import Datasource
from tachyon.openstack.telemetry.metric_map import read_metric_map
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.openstack.telemetry.surroundings import Surroundings

LOG = logging.getLogger(__name__)

NAMESPACE = "tachyon.datasources"


def open_datasources(
    conf: cfg.ConfigOpts,
    session: Callable[[], Any] | None = None,
    *,
    names: Iterable[str] | None = None,
    surroundings: Surroundings | None = None,
) -> Datasources:
    """Return the datasources that the options name, in their order of preference.

    Nothing is asked yet, so this is cheap enough for every audit, which then sees the metric map
    as it is now.

    Args:
        conf: the options of `tachyon.conf`.
        session: returns a keystoneauth session (`lambda: connection.sdk.session`).
        names: a strategy's own preference; None: that of `[watcher_datasources]`.
        surroundings: in place of both, with another clock.

    Raises:
        ConfigurationError: a name is unknown, a datasource that was asked for by name lacks an
            option, the metric map is wrong, or Prometheus is named together with Aetos. One of the
            defaults that lacks an option is left out.
    """
    surroundings = surroundings or Surroundings(conf=conf, session=session)
    asked = list(conf.watcher_datasources.datasources if names is None else names)
    if {"prometheus", "aetos"} <= set(asked):
        raise ConfigurationError(
            "the datasources prometheus and aetos cannot be used together: choose one"
        )
    installed = _installed()
    unknown = [name for name in asked if name not in installed]
    if unknown:
        raise ConfigurationError(
            f"no datasource {', '.join(unknown)} is installed; there are: {', '.join(installed)}"
        )
    metric_map = read_metric_map(
        conf.watcher_decision_engine.metric_map_path,
        {name: kind.default_names for name, kind in installed.items()},
    )
    opened: list[Datasource] = []
    for name in asked:
        try:
            opened.append(installed[name].open(metric_map[name], surroundings))
        except ConfigurationError as error:
            if tuple(asked) != DEFAULT:
                raise
            LOG.info("datasource %s is left out: %s", name, error)
    return Datasources(opened)


def verify(datasources: Datasources) -> None:
    """Check at start-up what would otherwise show in the first audit.

    Raises:
        ConfigurationError: Aetos is asked for, and the catalog has no such service.
    """
    for one in datasources.datasources:
        if one.name == "aetos":
            try:
                one.verify()
            except CloudError as error:
                if error.temporary:
                    continue
                raise ConfigurationError(f"datasource aetos cannot be used: {error}") from error


def _installed() -> dict[str, type[Datasource]]:
    def failed(_: Any, entry_point: Any, error: BaseException) -> None:
        LOG.error("datasource %s cannot be imported: %s", entry_point.name, error)

    manager = ExtensionManager(NAMESPACE, on_load_failure_callback=failed)
    return {e.name: e.plugin for e in sorted(manager, key=lambda e: e.name)}
