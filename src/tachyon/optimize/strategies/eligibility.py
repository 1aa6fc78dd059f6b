"""Which consumers may be moved, and where each may go, for all hosts at once.

The rules are the filters of `tachyon.graph.simulation.filters`, by which sessions answer for one
consumer with the reasons. A strategy asks for a hundred thousand consumers, so what does not
depend on the load is worked out once for all consumers that are alike in what steady filters look
at: a flavor in a zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import msgspec
import numpy as np

from tachyon.graph.simulation import Session, rules
from tachyon.graph.simulation.filters import DEFAULT, Chain, ComputeFilter
from tachyon.graph.view import View
from tachyon.graph.view.columns import I64, Bool
from tachyon.optimize.folding import compute_hosts
from tachyon.optimize.migration import MIGRATION_TYPE
from tachyon.optimize.strategies.context import Context

#: Reason with which Tachyon disables hosts. Only such hosts may be enabled again by a plan.
REASON_FOR_DISABLE = "watcher_disabled"

#: What the metadata key `optimize` says where an instance is to be left alone.
_NO = frozenset({"false", "no", "off", "0"})


def opted_out(view: View) -> Bool:
    """Return which consumers' metadata says `optimize` false (N); no such key means yes."""
    found = np.zeros(view.consumer_rows, np.bool_)
    for row, text in enumerate(view.consumers.metadata):
        if text is not None and '"optimize"' in text:
            value = msgspec.json.decode(text).get("optimize", True)
            found[row] = str(value).strip().lower() in _NO
    return found


class Eligibility:
    """Rules that do not change while a strategy works.

    Args:
        session: as it is when the strategy starts.
        context: the audit's scope.
        states: of instances that may be moved (Nova's vm_state), see `MIGRATION_TYPE`.
        check_optimize_metadata: leave instances alone that say so in their metadata.
        filters: the chain that destinations have to pass.
        at_work: N; instances that stay by their workload character. None: none.

    Attributes:
        hosts: P; compute hosts in scope.
        targets: P; hosts that may take consumers: those in service now.
        sources: P; hosts that consumers can leave; a migration needs a living source. Of hosts
            with stale data nobody knows who stands there, so they neither give nor take.
        reusable: P; hosts that Tachyon disabled and that a plan may enable again.
        reasons: by reason, N; which placed instances may not be moved, for people to read.
        movable: N; which consumers may be moved.
        quiet: N; consumers of which no filter that is asked anew, nor a group, has anything to say.
    """

    def __init__(
        self,
        session: Session,
        context: Context | None = None,
        *,
        states: Iterable[str] = tuple(MIGRATION_TYPE),
        check_optimize_metadata: bool = False,
        filters: Chain = DEFAULT,
        at_work: Bool | None = None,
    ) -> None:
        context = context or Context()
        self.session = session
        self.view = session.view
        self.filters = filters
        self.hosts: Bool = compute_hosts(session, context.scope)
        fresh = ~rules.stale_mask(self.view)
        self.targets: Bool = self.hosts & fresh & session.mask(in_service=True)
        self.sources: Bool = self.hosts & fresh & self._up()
        homes = session.homes()
        c, codes = self.view.consumers, self.view.codes
        self.instances: Bool = c.alive & (c.type == codes.type.find("instance")) & (homes >= 0)
        self.instances[self.instances] = self.hosts[homes[self.instances]]
        if context.consumers is not None:
            self.instances &= context.consumers
        self.reasons = self._reasons(context, tuple(states), check_optimize_metadata)
        if at_work is not None:
            self.reasons["at the work that its workload character describes"] = at_work
        self.movable: Bool = self.instances.copy()
        for mask in self.reasons.values():
            self.movable &= ~mask
        self._kinds()

    def _up(self) -> Bool:
        up: Bool = self.view.providers.up.copy()
        for row in self.session.state.fields:
            up[row] = self.session.state.provider_field(row, "state") == "up"
        return up

    @cached_property
    def reusable(self) -> Bool:
        """Hosts that are up, and disabled by Tachyon only."""
        mask: Bool = self.sources & ~self.targets
        state = self.session.state
        for row in np.flatnonzero(mask).tolist():
            mask[row] = (
                state.provider_field(row, "status") == "disabled"
                and state.provider_field(row, "disabled_reason") == REASON_FOR_DISABLE
                and not state.provider_field(row, "maintenance")
            )
        return mask

    def _reasons(
        self, context: Context, states: tuple[str, ...], metadata: bool
    ) -> dict[str, Bool]:
        c = self.view.consumers
        homes = self.session.homes()
        found = {
            "locked": c.locked,
            "excluded (watcher_exclude)": c.watcher_exclude,
            "its state does not allow it": ~np.isin(c.state, self._codes(states)),
            "its host is down, or its data stale": (homes >= 0) & ~self.sources[homes],
            "bound to another member of its affinity group": self._named(
                self._bound_by_affinity(homes)
            ),
            # Rules are worked out by the view's flavors; a resized one may have others.
            "to be resized": self._named(
                row for row in self.session.state.flavors if row < c.alive.size
            ),
        }
        if context.excluded is not None:
            found["excluded by the audit's scope"] = context.excluded
        if metadata:
            found["excluded by its metadata (optimize)"] = opted_out(self.view)
        return found

    def _named(self, rows: Iterable[int]) -> Bool:
        mask = np.zeros(self.view.consumer_rows, np.bool_)
        mask[list(rows)] = True
        return mask

    def _bound_by_affinity(self, homes: np.typing.NDArray[np.int32]) -> list[int]:
        """Return the members of hard affinity groups that have another member beside them."""
        if not any(f.name == "ServerGroupFilter" for f in self.filters):
            return []
        c, codes = self.view.consumers, self.view.codes
        groups = [
            codes.group.find(key)
            for key, group in self.view.records["server_group"].items()
            if getattr(group, "policy", None) == "affinity"
        ]
        rows = np.flatnonzero(c.alive & (homes >= 0) & np.isin(c.group, groups) & (c.group >= 0))
        if not rows.size:
            return []
        _, at, size = np.unique(c.group[rows], return_inverse=True, return_counts=True)
        bound: list[int] = rows[size[at] > 1].tolist()
        return bound

    def running(self, states: Iterable[str]) -> Bool:
        """Return which instances on hosts in scope are in some states, movable or not."""
        found: Bool = self.instances & np.isin(self.view.consumers.state, self._codes(states))
        return found

    def _codes(self, states: Iterable[str]) -> list[int]:
        # A state that no consumer was ever in has no code, like a consumer without one.
        return [code for s in states if (code := self.view.codes.state.find(s)) >= 0]

    def why_not(self, row: int) -> list[str]:
        """Return for people why a consumer may not be moved; empty when it may."""
        return [reason for reason, mask in self.reasons.items() if mask[row]]

    def _kinds(self) -> None:
        self._steady = [f for f in self.filters if f.steady and not isinstance(f, ComputeFilter)]
        #: Filters to ask at each choice; service and capacity are kept by masks of their own.
        self._other = [f for f in self.filters if not f.steady and not isinstance(f, ComputeFilter)]
        c = self.view.consumers
        quiet: Bool = c.group < 0
        quiet &= np.array([text is None for text in c.scheduler_hints], np.bool_)
        if not all(one in DEFAULT for one in self._other):
            quiet[:] = False
        self.quiet: list[bool] = quiet.tolist()
        names = sorted({name for f in self._steady for name in f.columns(self.view)})
        columns = [getattr(c, name).astype(np.int64) for name in names]
        key = np.zeros(self.view.consumer_rows, np.int64)
        for column in columns:
            # Codes begin at −1 (none); the widths multiply to far less than 2**63.
            key = key * (int(column.max(initial=0)) + 2) + column + 1
        known, first, kind = np.unique(key, return_index=True, return_inverse=True)
        self._first: list[int] = first.tolist()
        self._masks: dict[int, Bool] = {}
        #: N: the kind of each consumer; see `allowed`.
        self.kind: I64 = kind.reshape(-1).astype(np.int64)
        self.kinds = len(known)

    def allowed(self, kind: int) -> Bool:
        """Return by provider row where consumers of a kind may go, whatever is free there.

        Whether a host is in service is counted as it was at the start; see `open`.
        """
        return self.targets & self._fitting(kind)

    def _fitting(self, kind: int) -> Bool:
        mask = self._masks.get(kind)
        if mask is None:
            mask = self.hosts.copy()
            for one in self._steady:
                for refused in one.refusals(self.session.state, self._first[kind], "compute"):
                    mask &= ~refused.mask
            self._masks[kind] = mask
        return mask

    def open(self, row: int) -> None:
        """Let a host take consumers that was out of service: the plan enables it."""
        self.targets[row] = True

    def changing(self, rows: I64) -> Bool:
        """Return for which consumers it depends on others' places where they may go."""
        return ~np.array(self.quiet, np.bool_)[rows]

    def shut(self, row: int) -> None:
        """Take `open` back."""
        self.targets[row] = False

    def refused_now(self, row: int) -> Bool | None:
        """Return the hosts that other consumers' places rule out; None where there is no rule."""
        found: Bool | None = None
        if self.quiet[row]:
            return found
        for one in self._other:
            if one.concerns(self.session.state, row):
                for refused in one.refusals(self.session.state, row, "compute"):
                    found = refused.mask if found is None else found | refused.mask
        return found

    def disliked_now(self, row: int) -> Bool | None:
        """Return the hosts that a soft policy would rather avoid; None where there is none."""
        if self.view.consumers.group[row] < 0:
            return None
        return rules.disliked_by_group(self.session.state, row)

    def matrix(self, kinds: I64) -> Bool:
        """Return `allowed` for several kinds, one row each."""
        if not kinds.size:
            return np.zeros((0, self.view.provider_rows), np.bool_)
        return np.stack([self.allowed(kind) for kind in kinds.tolist()])
