"""Comparing a graph with another, or with the cloud it was made from, whatever way it came about.

Left out is what only says how and when something was learnt: generations, the collectors' marks
and accounts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tachyon.graph.client import GraphClient
from tachyon.openstack.collectors.marks import EVENT
from tachyon.openstack.collectors.placement import GENERATION
from tachyon.openstack.collectors.synchronisation import ACCOUNT_TYPE

_OURS = {EVENT, GENERATION}


def _plain(entity: Any) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(entity)
    extra = {name: value for name, value in told.get("extra", {}).items() if name not in _OURS}
    return {name: value for name, value in told.items() if name not in {"generation", "placed"}} | (
        {"extra": extra} if "extra" in told else {}
    )


def content(graph: GraphClient) -> dict[str, dict[str, Any]]:
    """Return everything in a graph by kind and key, without what only says how it was learnt."""
    view = graph.view()
    providers = [p for p in view.providers.record if p is not None and p.type != ACCOUNT_TYPE]
    found = {
        "provider": {p.uuid: _plain(p) for p in providers},
        "consumer": {c.uuid: _plain(c) for c in view.all_consumers()},
    }
    for kind, records in view.records.items():
        if kind != "project":
            found[kind] = {key: _plain(record) for key, record in records.items()}
    return found


def differences(found: Any, wanted: Any, place: str = "") -> list[str]:
    """Return where two contents differ, one line for each place."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            line
            for name in sorted(found.keys() | wanted.keys(), key=str)
            for line in differences(found.get(name), wanted.get(name), f"{place}/{name}")
        ]
    return [] if found == wanted else [f"{place}: {found!r} in place of {wanted!r}"]
