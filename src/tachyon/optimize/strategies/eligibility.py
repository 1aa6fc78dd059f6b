"""Which consumers may be moved, and where each may go, for all hosts at once.

The rules are those of `tachyon.graph.simulation.destinations`, which answers for one consumer with
the reasons. A strategy asks for a hundred thousand consumers, so what does not depend on the load
is worked out once for each kind of consumer: a flavor in a zone.
"""

from __future__ import annotations

import numpy as np

from tachyon.graph.simulation import Session, rules
from tachyon.graph.view.columns import I64, Bool
from tachyon.optimize.folding import compute_hosts
from tachyon.optimize.migration import MIGRATION_TYPE


class Eligibility:
    """Rules that do not change while a strategy works.

    Args:
        session: as it is when the strategy starts.
        scope: P; where consumers may be moved from and to (None: everywhere).
        cold: whether stopped instances may be moved.
    """

    def __init__(self, session: Session, scope: Bool | None = None, *, cold: bool = True) -> None:
        self.session = session
        self.view = session.view
        self.hosts: Bool = compute_hosts(session, scope)
        #: P: hosts that may take consumers; what is in service now.
        self.targets: Bool = self.hosts & session.mask(in_service=True)
        #: P: hosts that consumers can leave; a migration needs a living source.
        self.sources: Bool = self.hosts & self._up()
        self.movable: Bool = self._movable(cold)
        self._kinds()

    def _up(self) -> Bool:
        up: Bool = self.view.providers.up.copy()
        for row in self.session.state.fields:
            up[row] = self.session.state.provider_field(row, "state") == "up"
        return up

    def _movable(self, cold: bool) -> Bool:
        """Return by consumer row whether it may be migrated from where it is."""
        c, codes = self.view.consumers, self.view.codes
        mask = c.alive & ~c.locked & ~c.watcher_exclude
        mask &= c.type == codes.type.find("instance")
        wanted = [s for s, kind in MIGRATION_TYPE.items() if cold or kind == "live"]
        # A state that no consumer was ever in has no code, like a consumer without one.
        found = [code for s in wanted if (code := codes.state.find(s)) >= 0]
        mask &= np.isin(c.state, found)
        homes = self.session.homes()
        mask &= homes >= 0
        mask[mask] = self.sources[homes[mask]]
        mask[self._bound_by_affinity(homes)] = False
        # Rules are worked out by the view's flavors; a resized one may have others.
        mask[[row for row in self.session.state.flavors if row < mask.size]] = False
        return mask

    def _bound_by_affinity(self, homes: I64 | np.typing.NDArray[np.int32]) -> I64:
        """Return the members of hard affinity groups that have another member beside them."""
        c, codes = self.view.consumers, self.view.codes
        groups = [
            codes.group.find(key)
            for key, group in self.view.records["server_group"].items()
            if getattr(group, "policy", None) == "affinity"
        ]
        rows = np.flatnonzero(c.alive & (homes >= 0) & np.isin(c.group, groups) & (c.group >= 0))
        if not rows.size:
            return rows
        _, at, size = np.unique(c.group[rows], return_inverse=True, return_counts=True)
        return rows[size[at] > 1]

    def _kinds(self) -> None:
        c = self.view.consumers
        pairs = np.column_stack([c.flavor, c.pinned_az])
        known, first, kind = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        self._first: list[int] = first.tolist()
        self._masks: dict[int, Bool] = {}
        #: N: the kind of each consumer; see `allowed`.
        self.kind: I64 = kind.reshape(-1).astype(np.int64)
        self.kinds = len(known)

    def allowed(self, kind: int) -> Bool:
        """Return by provider row where consumers of a kind may go, whatever is free there."""
        mask = self._masks.get(kind)
        if mask is None:
            row = self._first[kind]
            view, codes = self.view, self.view.codes
            zone = codes.pinned_az.value(int(view.consumers.pinned_az[row]))
            flavor = codes.flavor.value(int(view.consumers.flavor[row]))
            mask = self.targets.copy()
            if zone is not None:
                mask &= rules.zone_mask(view, zone)
            for refused in (
                *rules.missing_traits(view, flavor, "compute").values(),
                *rules.forbidden_traits(view, flavor).values(),
                *rules.refused_by_aggregates(view, flavor).values(),
            ):
                mask &= ~refused
            self._masks[kind] = mask
        return mask

    def matrix(self, kinds: I64) -> Bool:
        """Return `allowed` for several kinds, one row each."""
        if not kinds.size:
            return np.zeros((0, self.view.provider_rows), np.bool_)
        return np.stack([self.allowed(kind) for kind in kinds.tolist()])
