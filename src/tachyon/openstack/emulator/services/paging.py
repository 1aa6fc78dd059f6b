"""Pages of lists, as Nova and Cinder cut them: by a marker and a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from tachyon.openstack.emulator.web import Call, Refused

T = TypeVar("T")
#: Entries of a page at most, whatever the client asks for.
MAX_LIMIT = 1000


def limit_of(query: Mapping[str, str], most: int = MAX_LIMIT) -> int:
    """Return the size of a page; raises `Refused` (400)."""
    text = query.get("limit")
    if text is None:
        return most
    if not text.isdigit():
        raise Refused(400, "Invalid input for query parameters limit.")
    return min(int(text) or most, most)


def page_of(
    call: Call,
    entries: Sequence[T],
    key: Callable[[T], str],
    *,
    row_of: Callable[[str], int | None] | None = None,
    absent: int = 400,
) -> tuple[Sequence[T], str | None]:
    """Return the page that a call asks for, and the marker of the next one if there is more.

    Args:
        call: its `limit` and `marker` count.
        entries: the whole list, in order.
        key: gives an entry's marker.
        row_of: gives the row of a marker, where the list is too long to look for it.
        absent: status for a marker that is not there.
    """
    limit = limit_of(call.query)
    start = 0
    marker = call.query.get("marker")
    if marker:
        if row_of is not None:
            row = row_of(marker)
        else:
            row = next((row for row, entry in enumerate(entries) if key(entry) == marker), None)
        if row is None:
            raise Refused(absent, f"marker [{marker}] not found")
        start = row + 1
    page = entries[start : start + limit]
    return page, key(page[-1]) if page and start + limit < len(entries) else None


def next_link(call: Call, marker: str | None) -> list[dict[str, str]]:
    """Return the links of a page: to the next one, if there is one."""
    if marker is None:
        return []
    pairs = [(name, value) for name, value in call.pairs if name != "marker"]
    return [
        {"href": f"{call.base}{call.path}?{urlencode([*pairs, ('marker', marker)])}", "rel": "next"}
    ]


def add_links(call: Call, body: dict[str, Any], member: str, marker: str | None) -> dict[str, Any]:
    """Add the links of a page to the body that holds it."""
    links = next_link(call, marker)
    if links:
        body[member] = links
    return body
