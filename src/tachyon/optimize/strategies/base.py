"""The contract of strategies.

A strategy acts on a simulation session and on nothing else: it reads the session (its view holds
measured metrics as columns behind the resource classes), records deltas, and undoes what does not
help. What it leaves recorded is its proposal; planner and goal read the session's net effect, so a
strategy neither orders actions nor counts them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.filters import chain
from tachyon.optimize.migration import MIGRATION_TYPE
from tachyon.optimize.parameters import filled
from tachyon.optimize.strategies import characters
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.options import StrategyOptions


class Strategy(ABC):
    """Base of all strategies (plug-ins of `tachyon.strategies`).

    Attributes:
        name: that of the entry point.
        goal: the name of the goal that the strategy serves.
        schema: JSON Schema of the parameters, an object with `additionalProperties: false`; every
            property has a description, and a default unless it must be given.
        planner: the name of the planner (plug-ins of `tachyon.planners`) that orders the plan.
        models: the kinds of resources that the strategy reads: compute, storage, baremetal.
        parameters: those of this run, checked and complete.
        options: what the operator set for this strategy.
    """

    name: ClassVar[str]
    display_name: ClassVar[str]
    goal: ClassVar[str]
    schema: ClassVar[dict[str, Any]] = {"type": "object", "additionalProperties": False}
    planner: ClassVar[str] = "weight"
    models: ClassVar[tuple[str, ...]] = ("compute",)

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        options: StrategyOptions | None = None,
    ) -> None:
        """Check the parameters; raises `ParametersInvalid` with all that is wrong."""
        self.parameters = filled(self.schema, parameters)
        self.options = options or StrategyOptions()

    def metrics(self) -> tuple[MetricNeed, ...]:
        """Return what has to be measured; whoever runs the strategy fetches it.

        The answers come back in `Context.measurements`.
        """
        return ()

    def eligibility(
        self, session: Session, context: Context, states: Iterable[str] = tuple(MIGRATION_TYPE)
    ) -> Eligibility:
        """Return who may be moved where, by scope, filters and options.

        Args:
            session: as it is when the strategy starts.
            context: with the audit's scope.
            states: of instances that may be moved.

        Raises:
            PluginNotFound: an option names a filter that is not installed.
        """
        return Eligibility(
            session,
            context,
            states=states,
            check_optimize_metadata=self.options.check_optimize_metadata,
            filters=chain(self.options.filters),
            at_work=characters.at_work(session, context, self.parameters),
        )

    def in_flight(self) -> dict[str, int]:
        """Return how many migrations may run at a time: `total`, `per_host`, `per_pool`.

        What is not named is the planner's business; 0 stands for no limit.
        """
        return {}

    def weights(self, view: View) -> dict[str, float]:
        """Return the columns of the view that the strategy judges load by, with their weights.

        By default the measured metrics, or the resource classes where nothing is measured, all
        alike.
        """
        measured = [m.name for m in view.metrics]
        return dict.fromkeys(measured or view.classes, 1.0)

    def limits(self, view: View) -> dict[str, float]:
        """Return the shares of capacity that moves may not exceed on their destinations.

        The planner holds every prefix of the plan to them.

        Raises:
            InvalidInput: a parameter names a column that the view does not have.
        """
        return {}

    @abstractmethod
    def execute(self, session: Session, context: Context) -> None:
        """Record in the session what is proposed.

        Raises:
            Cancelled: the context says so; what was recorded is meaningless then.
            InvalidInput: a parameter does not fit the session (names an unknown column …).
            MetricsMissing: there is nothing measured to go by.
        """
