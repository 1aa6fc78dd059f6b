"""The whole graph in the form that a view is built from.

Consumers and allocations are read as columns and stay so: a large cluster has hundreds of
thousands of rows, and an object for each of them would cost more than reading them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tachyon.graph.entities import KINDS, Kind
from tachyon.graph.store.contract import ConsumerColumns, Snapshot
from tachyon.graph.store.sql.database import Transaction
from tachyon.graph.store.sql.reader import all_inventories
from tachyon.graph.store.sql.rows import FORMS

_ALLOCATIONS = ("consumer_id", "provider_id", "resource_class", "amount")
_FLAGS = {None: None, 0: False, 1: True}


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the cyclic collector: hundreds of thousands of new tuples set it off in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_without_collection()
def load(transaction: Transaction) -> Snapshot:
    """Return everything; the transaction reads one consistent state."""
    row = transaction.row("SELECT generation FROM global_state WHERE row_id = 1")
    provider_key, providers = _providers(transaction)
    held = transaction.columns(
        f"SELECT {', '.join(_ALLOCATIONS)} FROM allocations", len(_ALLOCATIONS)
    )
    records = {
        f"{kind}s": _records(transaction, kind)
        for kind in KINDS
        if kind not in {"provider", "consumer"}
    }
    return Snapshot(
        generation=0 if row is None else row[0],
        providers=providers,
        provider_key=provider_key,
        consumers=_consumers(transaction),
        **{f"allocation_{name}": column for name, column in zip(
            ("consumer", "provider", "class", "amount"), held, strict=True)},
        **records,
    )  # fmt: skip


def _consumers(transaction: Transaction) -> ConsumerColumns:
    form = FORMS["consumer"]
    key, *columns = transaction.columns(f"{form.select} ORDER BY row_id", 1 + len(form.fields))
    found: dict[str, list[Any]] = dict(zip(form.fields, columns, strict=True))
    for name in ("locked", "watcher_exclude", "bootable"):
        found[name] = [_FLAGS[value] for value in found[name]]
    return ConsumerColumns(key=key, **found)


def _providers(transaction: Transaction) -> tuple[list[int], list[Any]]:
    form = FORMS["provider"]
    inventories = all_inventories(transaction)
    rows = transaction.rows(f"{form.select} ORDER BY row_id")
    providers = [form.entity(row[1:], inventories=inventories.get(row[0], {})) for row in rows]
    return [row[0] for row in rows], providers


def _records(transaction: Transaction, kind: Kind) -> list[Any]:
    form = FORMS[kind]
    rows = transaction.rows(f"{form.select} ORDER BY row_id")
    return [form.entity(row[1:]) for row in rows]
