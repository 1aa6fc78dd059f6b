"""The scope of the storage model: storage hosts by zone and volume type, pools, volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.simulation.rules import owners
from tachyon.graph.view.columns import Bool
from tachyon.optimize.scope.mask import ScopeMask
from tachyon.optimize.scope.rules import Entries, Rules, homes_in, of_type
from tachyon.optimize.scope.schema import Rule, is_wildcard


def evaluate(rules: Sequence[Rule], session: Session) -> ScopeMask:
    """Return what is in scope; a pool goes with its storage host."""
    view = session.view
    hosts, pools = session.mask(types=["storage"]), session.mask(types=["pool"])
    found = Rules(rules, session, hosts)
    inside = found.included(
        {
            "availability_zones": found.in_zones,
            "volume_types": lambda entries: _with_types(found, entries),
        }
    )
    owner = owners(view, "storage")
    # A pool of an unknown host is in scope unless rules choose among hosts.
    kept: Bool = np.append(inside, not found.choosing)[owner] & pools
    kept &= ~found.named(found.excluded("storage_pools"), pools, "storage pool")
    volumes = of_type(view, "volume")
    excluded = found.consumers(found.excluded("volumes"), volumes, "volume")
    excluded |= found.of_projects(found.excluded("projects"), volumes)
    consumers = volumes & homes_in(session, kept) & ~excluded
    return ScopeMask(inside | kept, consumers, excluded, found.warnings)


def _with_types(found: Rules, entries: Entries) -> Bool:
    """Return the storage hosts whose back end offers one of some volume types."""
    if is_wildcard(entries):
        return found.hosts
    offered: dict[str, list[int]] = {}
    for row in np.flatnonzero(found.hosts).tolist():
        for name in _types(found.view.provider_at(row).extra):
            offered.setdefault(name, []).append(row)
    mask = np.zeros_like(found.hosts)
    for name in (str(entry["name"]) for entry in entries):
        if name not in offered:
            found.warnings.append(f"volume type {name} is offered by no storage host")
        mask[offered.get(name, [])] = True
    return mask


def _types(extra: Mapping[str, Any]) -> Sequence[str]:
    names = extra.get("volume_types")
    return names if isinstance(names, list | tuple) else ()
