"""Release compute hosts wholly: the strategy behind the goal server_consolidation.

A host is emptied entirely or left alone, because a host that keeps one instance stays switched on.
Hosts are tried in the order of what emptying them costs; each instance goes where it fits best
among the hosts that stay. Hosts that are empty already are never opened.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tachyon.graph.deltas import UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.folding import fold, hosts_in_use, hosts_of_new
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.packing import Packer

#: Why a host is disabled; hosts disabled for other reasons are never touched by Tachyon.
REASON_FOR_DISABLE = "watcher_disabled"

_SHARE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


class Consolidation(Strategy):
    """Empty as many hosts as possible, the cheapest first."""

    name = "consolidation"
    display_name = "Consolidation"
    goal = "server_consolidation"
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "threshold": {
                "description": "Highest share of a host's capacity that measured load may take "
                "after a migration to it, for each metric that is measured.",
                **_SHARE,
                "default": 0.8,
            },
            "limits": {
                "description": "Highest shares by resource class or metric; what is named here "
                "overrides the threshold.",
                "type": "object",
                "additionalProperties": _SHARE,
                "default": {},
            },
            "migration_limit": {
                "description": "Most instances to migrate; 0 stands for no limit.",
                "type": "integer",
                "minimum": 0,
                "default": 0,
            },
            "minimum_gain": {
                "description": "Least number of hosts released per migration for which a host is "
                "emptied: 0.1 leaves alone every host with more than ten instances.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0,
            },
            "cold_migration": {
                "description": "Whether stopped instances may be migrated (cold).",
                "type": "boolean",
                "default": True,
            },
            "disable_released": {
                "description": "Whether the service of a released host is disabled, so that "
                "nothing new is scheduled there.",
                "type": "boolean",
                "default": True,
            },
        },
    }

    def limits(self, view: View) -> dict[str, float]:
        """Return the threshold for each metric, and the limits given."""
        limits = {m.name: self.parameters["threshold"] for m in view.metrics}
        limits.update(self.parameters["limits"])
        for name in limits:
            view.column(name)
        return limits

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves that release hosts, and disable what is released."""
        run = _Run(self, session, context)
        released = run.release()
        context.facts["hosts_lower_bound"] = run.lower_bound()
        if self.parameters["disable_released"]:
            for row in released:
                if session.state.provider_field(row, "status") == "enabled":
                    session.record(
                        UpdateProvider(
                            provider_uuid=session.view.providers.uuid[row],
                            status="disabled",
                            disabled_reason=REASON_FOR_DISABLE,
                        )
                    )


class _Run:
    """One execution: who stands where, and which hosts can be emptied at all."""

    def __init__(self, strategy: Consolidation, session: Session, context: Context) -> None:
        self.session = session
        self.context = context
        self.parameters = strategy.parameters
        self.limits = strategy.limits(session.view)
        self.eligibility = Eligibility(
            session, context.scope, cold=self.parameters["cold_migration"]
        )
        self.packer = Packer(self.eligibility, self.limits)
        view = session.view
        homes = session.homes().astype(np.int64)
        placed = np.flatnonzero(view.consumers.alive & (homes >= 0))
        self.in_use: Bool = hosts_in_use(session) & self.eligibility.hosts
        #: Hosts from which every consumer may be moved.
        stuck = np.zeros(view.provider_rows, np.bool_)
        stuck[homes[placed[~self.eligibility.movable[placed]]]] = True
        stuck[hosts_of_new(session)] = True
        self.donors: Bool = self.in_use & self.eligibility.sources & ~stuck
        order = placed[np.argsort(homes[placed], kind="stable")]
        starts = np.searchsorted(homes[order], np.arange(view.provider_rows + 1))
        self.members: dict[int, list[int]] = {
            row: order[starts[row] : starts[row + 1]].tolist()
            for row in np.flatnonzero(self.in_use).tolist()
        }
        self.moved: set[int] = set()

    def release(self) -> list[int]:
        """Empty hosts one by one; return the rows of those that are empty now."""
        packer = self.packer
        released: list[int] = []
        packer.open[:] = self.in_use[packer.rows]
        donors = self._order()
        for done, row in enumerate(donors):
            self.context.step(done, len(donors), f"{len(released)} hosts released")
            if self._empty(row):
                released.append(row)
        self.context.step(len(donors), len(donors), f"{len(released)} hosts released")
        return released

    def _order(self) -> list[int]:
        """Return the hosts that could be emptied, the cheapest first.

        The cost of a migration is the memory to copy. Of equally cheap hosts, the one with less
        capacity goes first: larger hosts have more room for others.
        """
        folded = fold(self.session)
        memory = folded.view.class_index.get("MEMORY_MB")
        rows = np.flatnonzero(self.donors)
        used = folded.used_matrix()[rows]
        amount = used[:, memory] if memory is not None else self._load(folded, rows)
        count = np.array([len(self.members[row]) for row in rows.tolist()], np.int64)
        room = (folded.view.capacity[rows] / self.packer.norm).sum(axis=1)
        return [int(row) for row in rows[np.lexsort((room, count, amount))]]

    def _load(self, folded: Session, rows: I64) -> F64:
        load: F64 = (folded.used_matrix()[rows] / self.packer.norm).sum(axis=1)
        return load

    def _empty(self, row: int) -> bool:
        """Place all that stands on a host elsewhere, or leave everything as it is."""
        members = self.members[row]
        limit = self.parameters["migration_limit"]
        new = sum(member not in self.moved for member in members)
        if limit and len(self.moved) + new > limit:
            return False
        if members and 1 / len(members) < self.parameters["minimum_gain"]:
            return False
        packer = self.packer
        mark = packer.mark()
        at = int(packer.position[row])
        was_open = at >= 0 and bool(packer.open[at])
        if was_open:
            packer.open[at] = False
        sizes = (packer.demand[members] / packer.norm).max(axis=1)
        targets: list[tuple[int, int]] = []
        for member in (members[k] for k in np.argsort(-sizes, kind="stable").tolist()):
            target = packer.place(member)
            if target < 0:
                packer.back_to(mark)
                if was_open:
                    packer.open[at] = True
                return False
            targets.append((member, target))
        for member, target in targets:
            self.members[target].append(member)
            self.moved.add(member)
        self.members[row] = []
        return True

    def lower_bound(self) -> int:
        """Return how many hosts must stay in use at the least, by capacity alone.

        Hosts that cannot be emptied stay; of the others as many, the largest first, as it takes
        to hold what is used of each class within the limits.
        """
        folded = fold(self.session.base())
        view = folded.view
        fixed = self.in_use & ~self.donors
        least = 0
        for column in range(len(view.classes)):
            share = self.limits.get(view.classes[column])
            if share is None and column >= view.resource_columns:
                continue
            room = np.floor(view.capacity[:, column] * min(share or 1.0, 1.0))
            # A host that is overfull now may stay so.
            room = np.maximum(room, view.used[:, column])
            needed = view.used[self.in_use, column].sum() - room[fixed].sum()
            largest = np.cumsum(np.sort(room[self.donors])[::-1])
            if needed > 0:
                least = max(least, int(np.searchsorted(largest, needed)) + 1)
        return int(fixed.sum()) + least
