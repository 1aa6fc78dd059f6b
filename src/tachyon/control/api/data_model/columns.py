"""Columns of a view as plain lists, for rows of answers."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tachyon.graph.view import View
from tachyon.graph.view.codes import Codes
from tachyon.graph.view.columns import I64

_EMPTY = msgspec.Raw(b"{}")


def texts(table: Codes, codes: Any) -> list[str | None]:
    """Return the texts of a coded column."""
    values = table.values
    return [values[code] if code >= 0 else None for code in codes.tolist()]


def documents(column: list[str | None], rows: I64) -> list[msgspec.Raw]:
    """Return the objects of a JSON column, still as the text that goes out."""
    found = (column[row] for row in rows.tolist())
    return [_EMPTY if text is None else msgspec.Raw(text.encode()) for text in found]


def folded(view: View, name: str, column: str) -> Any:
    """Return a class's column of the inventories (P), that of parts added to their host.

    Ratios are the host's own, or the largest of its parts.
    """
    at = view.class_index.get(name)
    values = getattr(view.inventories, column)
    if at is None:
        return np.zeros(view.provider_rows, values.dtype)
    hosts = np.array(view.tree.hosts, np.int64)
    found = np.zeros(view.provider_rows, values.dtype)
    if column == "ratio":
        np.maximum.at(found, hosts, values[:, at])
        own = view.inventories.has[:, at]
        found[own] = values[own, at]
    else:
        np.add.at(found, hosts, values[:, at])
    return found


def by_uuid(view: View, rows: Any) -> list[int]:
    """Return rows of providers in the order of their uuids."""
    uuids = view.providers.uuid
    return sorted(rows.tolist(), key=uuids.__getitem__)


def grouped(view: View, consumers: I64) -> dict[int, list[int]]:
    """Return the places in `consumers` (rows in order of arrival) by the row of their home."""
    found: dict[int, list[int]] = {}
    for place, home in enumerate(view.consumers.home[consumers].tolist()):
        found.setdefault(home, []).append(place)
    return found
