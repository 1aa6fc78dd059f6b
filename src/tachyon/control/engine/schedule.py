"""When the rounds of a continuous audit are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import floor

from croniter import CroniterBadDateError, croniter

from tachyon.control.objects import Audit
from tachyon.errors import InvalidInput


def first_round(audit: Audit, now: datetime) -> datetime:
    """Return when the first round of an audit, or of its new interval, is due.

    With seconds at once, or when the window opens; with a cron expression at its next time.
    """
    opens = audit.start_time
    begin = now if opens is None or opens <= now else opens
    if _seconds(audit.interval) is not None:
        return begin
    found = _cron(audit.interval, begin)
    if found is None:
        raise InvalidInput(f"the interval {audit.interval!r} has no time after {begin}")
    return found


def next_round(audit: Audit, due: datetime, now: datetime) -> datetime | None:
    """Return when the round after one that was due is due itself; None: that was the last.

    With seconds the phase is kept: rounds that nobody could run in time are left out, not made up
    for. Cron expressions are read in UTC.
    """
    seconds = _seconds(audit.interval)
    if seconds is None:
        return _cron(audit.interval, max(now, due))
    passed = max(0, floor((now - due).total_seconds() / seconds))
    return due + timedelta(seconds=seconds * (passed + 1))


def _seconds(interval: str | None) -> int | None:
    text = (interval or "").strip()
    if not text.isascii() or not text.isdigit():
        return None
    if int(text) == 0:
        raise InvalidInput("an interval of 0 seconds has no rounds")
    return int(text)


def _cron(interval: str | None, after: datetime) -> datetime | None:
    """Return the next time of a cron expression; one that names years may have none."""
    try:
        found: datetime = croniter(interval or "", after.astimezone(UTC)).get_next(datetime)
    except CroniterBadDateError:
        return None
    except (ValueError, KeyError, AttributeError) as error:
        raise InvalidInput(f"the interval {interval!r} is no number of seconds or cron") from error
    return found


def is_over(audit: Audit, now: datetime) -> bool:
    """Tell whether the window of an audit has closed."""
    return audit.end_time is not None and now >= audit.end_time


def has_begun(audit: Audit, now: datetime) -> bool:
    """Tell whether the window of an audit has opened."""
    return audit.start_time is None or now >= audit.start_time
