"""Notifications as they come off the bus, as one type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from tachyon.openstack.mapping.answers import moment


class Event(Struct, frozen=True, kw_only=True):
    """One notification.

    `at` is when it was sent, by the sender's clock. `payload` is plain: the envelopes that
    versioned objects stand in are taken off.
    """

    type: str
    publisher: str
    at: datetime
    payload: dict[str, Any]
    id: str = ""

    def text(self, name: str) -> str:
        """Return a member of the payload that has to be a text.

        Raises:
            KeyError, TypeError: it is missing, or something else.
        """
        found = self.payload[name]
        if not isinstance(found, str):
            raise TypeError(f"{name} is no text: {found!r}")
        return found

    @property
    def phase(self) -> str:
        """The last part of the type: "start", "end", "error" …"""
        return self.type.rpartition(".")[2]


def decode(message: Mapping[str, Any]) -> Event:
    """Return a message of an oslo.messaging listener as an event.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    payload = plain(message["payload"])
    if not isinstance(payload, dict):
        raise TypeError(f"the payload of {message['event_type']} is no object")
    metadata = message["metadata"]
    return Event(
        type=message["event_type"],
        publisher=message["publisher_id"] or "",
        at=moment(metadata["timestamp"]),
        payload=payload,
        id=metadata.get("message_id") or "",
    )


def plain(value: Any) -> Any:
    """Return a payload without the envelopes of versioned objects (`nova_object.data` …)."""
    if isinstance(value, dict):
        for name, content in value.items():
            if name.endswith("_object.data"):
                return plain(content)
        return {name: plain(content) for name, content in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
