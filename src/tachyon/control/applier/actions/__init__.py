"""The types of actions, plug-ins of the entry point group `tachyon.actions`."""

from __future__ import annotations

import logging

from stevedore import ExtensionManager

from tachyon.control.applier.actions.base import (
    Action,
    Interrupted,
    Patience,
    Patiences,
    Surroundings,
)

LOG = logging.getLogger(__name__)

GROUP = "tachyon.actions"

__all__ = ["Action", "Interrupted", "Patience", "Patiences", "Surroundings", "action_types"]


def action_types() -> dict[str, type[Action]]:
    """Return what is installed, by name; what cannot be imported is left out and logged."""
    manager = ExtensionManager(GROUP, on_load_failure_callback=_broken)
    return {e.name: e.plugin for e in sorted(manager, key=lambda e: e.name)}


def _broken(_manager: object, entry_point: object, error: BaseException) -> None:
    LOG.error("the action type %s cannot be used: %s", entry_point, error)
