"""A session seen host by host: what stands on the parts of a host is counted on the host itself.

NUMA nodes and PCI devices are providers of their own, but balance and consolidation are about
hosts. Strategies score moves on a folded session and record them in the real one, which knows
where the parts fit; reports and efficacy indicators read folded sessions only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from tachyon.graph.simulation import Session
from tachyon.graph.simulation.destinations import demand_on
from tachyon.graph.view import View
from tachyon.graph.view.columns import Bool, frozen


def fold(session: Session) -> Session:
    """Return a new, empty session whose base is the given session's state, folded to hosts.

    Rows and columns keep their numbers. Every consumer stands whole on its host there, with all
    that it holds on the host's tree; parts of hosts have neither capacity nor load.
    """
    view, state = session.view, session.state
    hosts = np.array(view.tree.hosts, np.int64)
    inv = view.inventories
    shape = inv.capacity.shape
    used = np.zeros(shape, np.int64)
    np.add.at(used, hosts, session.used_matrix())
    capacity = np.zeros(shape)
    np.add.at(capacity, hosts, inv.capacity)
    has = np.zeros(shape, np.bool_)
    np.logical_or.at(has, hosts, inv.has)
    demand = view.consumers.demand
    changed = [
        row
        for row in state.placed_rows()
        if not state.is_new(row) and state.simple_home(row) < 0 and state.home(row) >= 0
    ]
    if changed:
        demand = demand.copy()
        demand[changed] = [demand_on(state, row, state.home(row)) for row in changed]
    most = np.iinfo(np.int64).max
    return Session(
        View(
            generation=view.generation,
            classes=view.classes,
            providers=view.providers,
            # Units are those of the parts; the real session judges them.
            inventories=replace(
                inv,
                has=frozen(has),
                capacity=frozen(capacity),
                min_unit=frozen(np.ones(shape, np.int64)),
                max_unit=frozen(np.full(shape, most, np.int64)),
                step_size=frozen(np.ones(shape, np.int64)),
            ),
            consumers=replace(
                view.consumers,
                home=frozen(session.homes().copy()),
                demand=frozen(demand),
                spread={},
            ),
            used=used,
            codes=view.codes,
            records=view.records,
            metrics=view.metrics,
        )
    )


def compute_hosts(session: Session, scope: Bool | None = None) -> Bool:
    """Return by provider row which are compute hosts, within a scope if one is given."""
    mask = session.mask(types=["compute"])
    return mask if scope is None else mask & scope


def by_name(view: View, rows: Iterable[int]) -> list[int]:
    """Return provider rows in the order of their names, numbers in them by value."""

    def key(row: int) -> list[tuple[bool, int, str]]:
        parts = re.split(r"(\d+)", view.provider_at(row).name)
        return [(p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]

    return sorted(rows, key=key)


def hosts_in_use(session: Session) -> Bool:
    """Return by provider row which are the host of a consumer, those of the session included."""
    homes = session.homes()
    mask = np.zeros(session.view.provider_rows, np.bool_)
    mask[homes[(homes >= 0) & session.view.consumers.alive]] = True
    mask[[home for home in hosts_of_new(session) if home >= 0]] = True
    return mask


def hosts_of_new(session: Session) -> list[int]:
    """Return the host rows of the consumers that exist in the session only (−1: nowhere)."""
    first = session.view.consumer_rows
    return [session.state.home(row) for row in range(first, first + len(session.state.new))]
