"""Sums over hosts that several strategies need: capacity, physical amounts, measured load."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64, Bool


def on_hosts(values: F64, homes: I64 | np.typing.NDArray[np.int32], rows: int) -> F64:
    """Return by provider row the sum of what consumers take; NaN and the unplaced count nothing.

    Args:
        values: N amounts.
        homes: N host rows, −1: nowhere.
        rows: P.
    """
    counted = (homes >= 0) & ~np.isnan(values)
    found: F64 = np.zeros(rows)
    np.add.at(found, homes[counted], values[counted])
    return found


def physical(view: View, name: str) -> F64:
    """Return by host row how much of a class its tree has, reserved and ratio not counted."""
    return _folded(view, name, view.inventories.total)


def capacity(view: View, name: str) -> F64:
    """Return by host row the capacity of its tree for a class: (total − reserved) × ratio."""
    return _folded(view, name, view.inventories.capacity)


def _folded(view: View, name: str, amounts: I64 | F64) -> F64:
    column = view.class_index.get(name)
    found = np.zeros(view.provider_rows)
    if column is not None:
        np.add.at(found, np.array(view.tree.hosts, np.int64), amounts[:, column].astype(float))
    return found


def held(view: View, name: str) -> F64:
    """Return by consumer row how much of a class it holds on its host."""
    column = view.class_index.get(name)
    if column is None:
        return np.zeros(view.consumer_rows)
    found: F64 = view.consumers.demand[:, column].astype(float)
    return found


def unmeasured(session: Session, counted: Bool, *values: F64) -> Bool:
    """Return by provider row which hosts hold a consumer that counts and lacks a value."""
    lacking = np.zeros(session.view.consumer_rows, np.bool_)
    for one in values:
        lacking |= np.isnan(one)
    homes = session.homes()
    mask = np.zeros(session.view.provider_rows, np.bool_)
    mask[homes[lacking & counted & (homes >= 0)]] = True
    return mask


def share(amount: F64, of: F64) -> F64:
    """Return a / b, 0 where b is 0: a host without the resource is not loaded."""
    found: F64 = np.divide(amount, of, out=np.zeros(amount.shape), where=of > 0)
    return found


def rows_by_name(
    session: Session, types: Iterable[str], scope: Bool | None = None
) -> dict[str, int]:
    """Return the rows of providers of some types by name, within a scope if one is given."""
    mask = session.mask(types=types)
    if scope is not None:
        mask &= scope
    return {session.view.provider_at(row).name: row for row in np.flatnonzero(mask).tolist()}
