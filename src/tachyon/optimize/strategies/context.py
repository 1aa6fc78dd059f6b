"""What surrounds a strategy while it works: scope, progress, cancellation, randomness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tachyon.errors import Cancelled
from tachyon.graph.view.columns import Bool

#: Called with (steps done, steps in all, what is being done).
Progress = Callable[[int, int, str], None]


class Context:
    """The surroundings of one run of a strategy.

    Args:
        scope: P; the providers that the audit is about. Nothing outside is changed, and nothing
            is moved there. None: all.
        seed: of `rng`; the same session, parameters and seed give the same plan.
        progress: called now and then; must be quick.
        cancelled: asked now and then; True ends the run with `Cancelled`.

    Attributes:
        facts: what the strategy wants to say about its result beside the plan (bounds, reasons),
            by name; shown in reports.
    """

    def __init__(
        self,
        *,
        scope: Bool | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.scope = scope
        self.rng = np.random.default_rng(seed)
        self.facts: dict[str, float | str] = {}
        self._progress = progress
        self._cancelled = cancelled

    def step(self, done: int, total: int, text: str) -> None:
        """Report progress and notice cancellation; raises `Cancelled`."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("the audit was cancelled")
        if self._progress is not None:
            self._progress(done, total, text)
