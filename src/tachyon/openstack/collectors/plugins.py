"""Collectors and handlers of notifications by name: plug-ins of two entry point groups."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from stevedore import ExtensionManager

from tachyon.errors import CloudError, PluginNotFound
from tachyon.openstack.collectors.contract import Collector
from tachyon.openstack.connection import Connection
from tachyon.openstack.notifications.contract import Handler

LOG = logging.getLogger(__name__)

COLLECTORS = "tachyon.collectors"
HANDLERS = "tachyon.notification_handlers"


def _load(group: str) -> dict[str, Any]:
    def failed(_: Any, entry_point: Any, error: BaseException) -> None:
        LOG.error("plug-in %s of %s cannot be used: %s", entry_point.name, group, error)

    manager = ExtensionManager(group, on_load_failure_callback=failed)
    return {found.name: found.plugin for found in sorted(manager, key=lambda e: e.name)}


def collectors(names: Sequence[str], cloud: Connection) -> list[Collector]:
    """Return the named collectors whose services the cloud has.

    Raises:
        PluginNotFound: there is no collector of a name.
        CloudError: none of the services could be reached.
    """
    installed = _load(COLLECTORS)
    missing = [name for name in names if name not in installed]
    if missing:
        raise PluginNotFound(
            f"no collector {missing[0]}; there are: {', '.join(installed)}", plugin=missing[0]
        )
    chosen: list[Collector] = [installed[name]() for name in dict.fromkeys(names)]
    applying: dict[str, bool | CloudError] = {c.name: _applies(c, cloud) for c in chosen}
    failures = [found for found in applying.values() if isinstance(found, CloudError)]
    if chosen and len(failures) == len(chosen):
        raise failures[0]
    for collector in chosen:
        found = applying[collector.name]
        if isinstance(found, CloudError):
            # It is in the catalog; while it is away its synchronisation fails and is tried again.
            LOG.warning("%s: %s", collector.name, found.message)
        elif not found:
            LOG.info("the cloud has no service for %s", collector.name)
    return [c for c in chosen if applying[c.name]]


def _applies(collector: Collector, cloud: Connection) -> bool | CloudError:
    try:
        return collector.applies(cloud)
    except CloudError as error:
        return error


def handlers(models: Iterable[str]) -> list[Handler]:
    """Return the handlers for the models of some collectors."""
    wanted = set(models)
    return [found() for found in _load(HANDLERS).values() if found.model in wanted]
