"""What all answers have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

#: One thing as a service's API shows it.
Answer = dict[str, Any]

#: What reading an answer raises that lacks a member, or has something else in its place.
MISSHAPEN = (KeyError, TypeError, AttributeError, ValueError)


def misshapen(error: Exception) -> str:
    """Return the reason to give for an answer that raised one of `MISSHAPEN`."""
    return f"has not the form that its service gives it: {error!r}"


def moment(text: str) -> datetime:
    """Return a service's time stamp; those without a zone are in UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
