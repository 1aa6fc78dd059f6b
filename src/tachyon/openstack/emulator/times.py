"""Times as the services write them; each of them has ways of its own."""

from __future__ import annotations

from datetime import datetime


def zulu(moment: datetime | None) -> str | None:
    """Return `2026-01-01T00:00:00Z`: Nova's servers and notifications."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(moment: datetime | None) -> str | None:
    """Return `2026-01-01T00:00:00.000000`: Nova's and Cinder's databases, to the second."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.000000")


def offset(moment: datetime | None) -> str | None:
    """Return `2026-01-01T00:00:00+00:00`: Cinder's notifications, Ironic."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def exact(moment: datetime) -> str:
    """Return `2026-01-01T00:00:00.123456`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
