"""Glance's records: what servers are built from, and what is made of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Image:
    """An image; there are no data behind it."""

    id: str
    name: str
    owner: str
    created: datetime
    status: str = "active"
    size: int = 1024


def checksum(key: str) -> str:
    """Return the checksum of the image of an id, which has no data to make one of."""
    return hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
