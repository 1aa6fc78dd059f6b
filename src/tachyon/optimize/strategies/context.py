"""What surrounds a strategy while it works: scope, progress, cancellation, randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct, field

from tachyon.errors import Cancelled
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.scored import Scored
from tachyon.optimize.strategies.measurements import Measurements

#: Called with (steps done, steps in all, what is being done).
Progress = Callable[[int, int, str], None]


class Proposal(Struct, frozen=True, kw_only=True):
    """An action that a strategy asks for by name, because no delta of a session expresses it.

    Attributes:
        action_type: of the entry point group `tachyon.actions`.
        resource_id: of what the action is done to; None for actions without a resource.
        input_parameters: as the schema of the action's type says, `resource_id` among them.
    """

    action_type: str
    resource_id: str | None = None
    input_parameters: dict[str, Any] = field(default_factory=dict)


class Context:
    """The surroundings of one run of a strategy.

    Args:
        scope: P; the providers that the audit is about. Nothing outside is changed, and nothing
            is moved there. None: all.
        consumers: N; the consumers that the audit is about; others stay where they are. None: all.
        excluded: N; consumers that the audit's scope excludes from migrations. None: none.
        measurements: the answers to the strategy's needs; None: what the view's columns say.
        failed: uuids of instances whose migration failed in an earlier plan of this audit.
        seed: of `rng`; the same session, parameters and seed give the same plan.
        progress: called now and then; must be quick.
        cancelled: asked now and then; True ends the run with `Cancelled`.

    Attributes:
        facts: what the strategy wants to say about its result beside the plan (bounds, reasons),
            by name; shown in reports.
        warnings: what people should know about the run: metrics that are missing, instances that
            had to stay; a sentence each.
        focus: P; the providers that the strategy found in need of a plan (hot, overloaded, to be
            maintained); goals judge by them. None: it did not say.
        wanted: N; the consumers that the strategy was to move. None: it did not say.
        scored: the measured load by which the strategy judged; goals judge by the same. None: by
            the columns of the view.
        proposals: what `propose` was called with, in that order.
        expected: how the strategy expects a plan to end in which Nova's scheduler chooses hosts.
            None: as the session says.
    """

    def __init__(
        self,
        *,
        scope: Bool | None = None,
        consumers: Bool | None = None,
        excluded: Bool | None = None,
        measurements: Measurements | None = None,
        failed: Iterable[str] = (),
        seed: int = 0,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.scope = scope
        self.consumers = consumers
        self.excluded = excluded
        self.measurements = measurements
        self.failed = frozenset(failed)
        self.rng = np.random.default_rng(seed)
        self.facts: dict[str, float | str] = {}
        self.warnings: list[str] = []
        self.focus: Bool | None = None
        self.wanted: Bool | None = None
        self.scored: Scored | None = None
        self.proposals: list[Proposal] = []
        self.expected: Session | None = None
        self._progress = progress
        self._cancelled = cancelled

    def step(self, done: int, total: int, text: str) -> None:
        """Report progress and notice cancellation; raises `Cancelled`."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("the audit was cancelled")
        if self._progress is not None:
            self._progress(done, total, text)

    def outcome(self, session: Session) -> Session:
        """Return the state in which the plan of a session is expected to end."""
        return session if self.expected is None else self.expected

    def propose(
        self,
        action_type: str,
        resource_id: str | None = None,
        input_parameters: Mapping[str, Any] | None = None,
    ) -> Proposal:
        """Add an action to the plan that the session's net effect does not contain.

        Moves, resizes, service states and power states belong into the session; this is for the
        rest (nop, sleep, stop, a retype of a volume, a migration whose host Nova chooses). The
        planner orders it by its type, after earlier actions on the same resource. To migrate what
        the session moves in another way than its state suggests (an active instance cold), propose
        to `migrate` it with that `migration_type` as well: that changes the one migration.

        Args:
            action_type: a plug-in of the entry point group `tachyon.actions`.
            resource_id: is put among the input parameters, too, where it is given.
            input_parameters: as the schema of the action's type says.
        """
        parameters = dict(input_parameters or {})
        if resource_id is not None:
            parameters.setdefault("resource_id", resource_id)
        proposal = Proposal(
            action_type=action_type, resource_id=resource_id, input_parameters=parameters
        )
        self.proposals.append(proposal)
        return proposal
