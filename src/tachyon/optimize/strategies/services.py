"""Enabling and disabling the services of hosts, as strategies do it."""

from __future__ import annotations

from collections.abc import Iterable

from tachyon.graph.deltas import UpdateProvider
from tachyon.graph.simulation import Session


def disable(session: Session, rows: Iterable[int], reason: str) -> int:
    """Record that services of hosts are disabled, where they are not; returns how many."""
    changed = 0
    for row in rows:
        if session.state.provider_field(row, "status") == "enabled":
            session.record(
                UpdateProvider(
                    provider_uuid=session.view.providers.uuid[row],
                    status="disabled",
                    disabled_reason=reason,
                )
            )
            changed += 1
    return changed


def enable(session: Session, row: int) -> None:
    """Record that the service of a host is enabled, where it is not."""
    if session.state.provider_field(row, "status") != "enabled":
        session.record(
            UpdateProvider(
                provider_uuid=session.view.providers.uuid[row],
                status="enabled",
                disabled_reason=None,
            )
        )
