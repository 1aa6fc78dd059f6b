"""Where a consumer could be moved to in a session, and why not elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from tachyon.errors import NotPlacedThere
from tachyon.graph.simulation import rules
from tachyon.graph.simulation.filters import DEFAULT, Chain
from tachyon.graph.simulation.state import VirtualState
from tachyon.graph.view.columns import I64, Bool
from tachyon.graph.view.placement import Parts


class Refusal(Struct, frozen=True):
    """One reason why a host is no destination: a stable code, and words for people."""

    code: str
    message: str


class Destinations:
    """The valid destinations of a consumer among the providers of its host's type.

    `rows` are provider rows in row order. `refusals` says why each other host is none; it is
    worked out when asked for.
    """

    def __init__(self, state: VirtualState, rows: I64, checks: list[_Check]) -> None:
        self._state = state
        self._checks = checks
        self.rows = rows

    @property
    def uuids(self) -> list[str]:
        """The uuids of the valid destinations, in row order."""
        uuid = self._state.view.providers.uuid
        return [uuid[row] for row in self.rows.tolist()]

    def refusals(self) -> dict[str, list[Refusal]]:
        """Return by uuid all reasons against each refused host, in row order."""
        uuid = self._state.view.providers.uuid
        found: dict[int, list[Refusal]] = {}
        for check in self._checks:
            for row in np.flatnonzero(check.refused & check.among).tolist():
                found.setdefault(row, []).append(Refusal(check.code, check.say(row)))
        return {uuid[row]: found[row] for row in sorted(found)}


class _Check:
    """A rule's verdict on all providers."""

    def __init__(self, code: str, refused: Bool, among: Bool, say: Any) -> None:
        self.code = code
        self.refused = refused
        self.among = among
        self.say = say


def destinations(
    state: VirtualState,
    row: int,
    limits: Mapping[str, float] | None = None,
    filters: Chain = DEFAULT,
) -> Destinations:
    """Find the providers that a MOVE of a consumer from its host could name and should.

    Judged are all providers of the type of the consumer's host: by the chain of filters (by
    default every one of `filters.DEFAULT`: service, zone, traits, aggregates, projects, server
    group, scheduler hints), and always by: not the host itself, inventory, unit rules and capacity
    of every class; and, for each column in `limits`, that usage after the move stays within that
    share of capacity (1.0 = all of it).

    Raises:
        NotPlacedThere: the consumer is placed nowhere.
    """
    view = state.view
    home = state.home(row)
    if home < 0:
        raise NotPlacedThere(
            f"consumer {state.consumer_uuid(row)} is placed nowhere",
            consumer=state.consumer_uuid(row),
            provider=None,
            placed_on=[],
        )
    kind = view.tree.types[home]
    among = rules.owners(view, kind) == np.arange(view.provider_rows)
    among &= view.providers.alive
    checks: list[_Check] = []

    def check(code: str, refused: Bool, say: Any) -> None:
        checks.append(_Check(code, refused, among, say))

    current = np.zeros(view.provider_rows, np.bool_)
    current[home] = True
    check("current", current, lambda _: "the consumer is here already")
    for host_filter in filters:
        for refused in host_filter.refusals(state, row, kind):
            check(*refused)
    _check_room(state, row, home, kind, check)
    if limits:
        _check_limits(state, row, home, limits, check)
    bad = ~among
    for one in checks:
        bad = bad | one.refused
    return Destinations(state, np.flatnonzero(~bad), checks)


def _check_room(state: VirtualState, row: int, home: int, kind: str, check: Any) -> None:
    """Check inventory, units and capacity the way in which recording a MOVE settles parts."""
    view = state.view
    mine = set(view.tree.subtree(home))
    parts = tuple(part for part in state.parts(row) if part[0] in mine)
    staying = tuple(part for part in state.parts(row) if part[0] not in mine)
    plain = len(parts) == 1 and parts[0][0] == home and not view.tree.nested
    if plain and all(view.tree.types[at] != kind for at, _ in staying):
        for column, amount in parts[0][1]:
            refused = ~_fits(state, column, amount, state.used()[:, column])
            check("capacity", refused, _say_room(state, column, amount))
        return
    refused = ~_settles(state, parts, staying, kind)
    wanted = ", ".join(f"{a} {view.classes[c]}" for _, held in parts for c, a in held)
    check("capacity", refused, lambda _: f"no room in its provider tree for {wanted}")


def _say_room(state: VirtualState, column: int, amount: int) -> Any:
    name = state.view.classes[column]

    def say(at: int) -> str:
        has, capacity, min_unit, max_unit, step = state.view.limits(at)[column]
        left = capacity - state.used_row(at)[column]
        if not has:
            return f"no inventory of {name}"
        if amount > left:
            return f"{name}: {left:g} available, {amount} required"
        return (
            f"{name}: {amount} breaks min_unit {min_unit}, max_unit {max_unit} or step_size {step}"
        )

    return say


def _fits(state: VirtualState, column: int, amount: int, used: I64) -> Bool:
    """Return which providers can take an amount of a column, given their usage of it."""
    inv = state.view.inventories
    fits: Bool = inv.has[:, column] & (used + amount <= inv.capacity[:, column])
    fits &= (inv.min_unit[:, column] <= amount) & (amount <= inv.max_unit[:, column])
    fits &= amount % np.maximum(inv.step_size[:, column], 1) == 0
    return fits


def _settles(state: VirtualState, parts: Parts, staying: Parts, kind: str) -> Bool:
    """Return the hosts in whose trees all parts find room, settled greedily as by a MOVE.

    Trees of different hosts share no provider, so every host's greedy choice is made at once.
    """
    view = state.view
    tree = view.tree
    owner = rules.owners(view, kind)
    rank = tree.preorder
    rows = np.flatnonzero(owner >= 0)
    rows = rows[np.argsort(rank[rows], kind="stable")]
    types = np.array(tree.types)
    used = state.used().copy()
    # Of several parts on one provider it is the sum that unit rules judge.
    taken = np.zeros_like(used)
    for at, held in staying:
        for column, amount in held:
            taken[at, column] = amount
    for source, held in parts:
        for column, amount in held:
            used[source, column] -= amount
    alive = np.zeros(view.provider_rows, np.bool_)
    alive[owner[rows]] = True
    for source, held in sorted(parts, key=lambda part: rank[part[0]]):
        fits = np.ones(view.provider_rows, np.bool_)
        for column, amount in held:
            fits &= _fits_sum(state, column, amount, used[:, column], taken[:, column])
        same = types == tree.types[source]
        chosen = np.full(view.provider_rows, -1, np.int64)
        for group in (fits & ~same, fits & same):
            candidates = rows[group[rows]][::-1]
            chosen[owner[candidates]] = candidates
        alive &= chosen >= 0
        found = chosen[alive]
        for column, amount in held:
            used[found, column] += amount
            taken[found, column] += amount
    return alive


def _fits_sum(state: VirtualState, column: int, amount: int, used: I64, taken: I64) -> Bool:
    inv = state.view.inventories
    whole = taken + amount
    fits: Bool = inv.has[:, column] & (used + amount <= inv.capacity[:, column])
    fits &= (inv.min_unit[:, column] <= whole) & (whole <= inv.max_unit[:, column])
    fits &= whole % np.maximum(inv.step_size[:, column], 1) == 0
    return fits


def _check_limits(
    state: VirtualState, row: int, home: int, limits: Mapping[str, float], check: Any
) -> None:
    view = state.view
    held = demand_on(state, row, home)
    for name, share in sorted(limits.items()):
        column = view.column(name)
        amount = held[column]
        allowed = view.capacity[:, column] * share
        refused = state.used()[:, column] + amount > allowed
        check("limit", refused, lambda _, n=name, s=share: f"{n} would be above {s:.0%}")


def demand_on(state: VirtualState, row: int, home: int) -> list[int]:
    """Return by column what moves with a consumer from its host, metrics included."""
    view = state.view
    if state.simple_home(row) >= 0:
        found: list[int] = view.consumers.demand[row].tolist()
        return found
    demand = [0] * len(view.classes)
    mine = set(view.tree.subtree(home))
    for at, held in state.parts(row):
        if at in mine:
            for column, amount in held:
                demand[column] += amount
    if not state.is_new(row):
        first = view.resource_columns
        demand[first:] = view.consumers.demand[row, first:].tolist()
    return demand
