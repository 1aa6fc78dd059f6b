"""What all records have in common when they are shown: links, moments, hidden relations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tachyon.control.api.call import Call
from tachyon.control.objects import Record


def links(call: Call, plural: str, ident: str | int) -> list[dict[str, str]]:
    """Return the links of a record: itself, and a bookmark that outlives versions."""
    return [
        {"rel": "self", "href": url(call, plural, ident)},
        {"rel": "bookmark", "href": f"{call.host_url}/{plural}/{ident}"},
    ]


def url(call: Call, plural: str, ident: str | int) -> str:
    """Return a record's URL."""
    return f"{call.host_url}/v1/{plural}/{ident}"


def moment(value: datetime | None) -> str | None:
    """Return a moment with its zone, as rows' own moments are shown."""
    return None if value is None else value.isoformat()


def plain_moment(value: datetime | None) -> str | None:
    """Return a moment in UTC without its zone, as audits' moments are shown."""
    return None if value is None else value.replace(tzinfo=None).isoformat()


def stamps(record: Record) -> dict[str, str | None]:
    """Return when a record came, changed and went."""
    return {
        "created_at": moment(record.created_at),
        "updated_at": moment(record.updated_at),
        "deleted_at": moment(record.deleted_at),
    }


def reference(call: Call, name: str, related: Any, *, named: bool = True) -> dict[str, str | None]:
    """Return `<name>_uuid` (and `<name>_name`) of a related record.

    Null when there is none, or when it is deleted and those are not shown.
    """
    hidden = related is None or (related.deleted and not call.deleted)
    found = {f"{name}_uuid": None if hidden else related.uuid}
    if named:
        found[f"{name}_name"] = None if hidden else related.name
    return found
