"""An audit without a cloud: a view in, a plan with its figures before and after out.

`run_audit` is what the `tachyon` command calls. A decision engine calls `work_out` with a session
of its own, which is the same without the report.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from msgspec import Struct, field

from tachyon.graph.simulation import ClassMetrics, Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64
from tachyon.optimize.folding import by_name, compute_hosts, fold, hosts_in_use
from tachyon.optimize.goals.base import Goal, Indicator, Subject
from tachyon.optimize.migration import BANDWIDTH_MBIT, Cost, migration_cost
from tachyon.optimize.planners import Action, Plan, Planner, Weight
from tachyon.optimize.planners.actions import Order
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.hosts import held


class Figures(Struct, frozen=True, kw_only=True):
    """The compute hosts at one moment.

    Attributes:
        hosts: compute hosts in scope; `hosts_in_use` of them hold instances, `hosts_in_service`
            are enabled, up and not in maintenance.
        weighted_deviation: Σ weight × standard deviation over the columns that the strategy
            judges by, of the hosts in service before the plan.
        classes: metrics of utilisation by class and metric, of all hosts in scope.
        classes_in_use: the same of the hosts that hold instances at that moment.
    """

    hosts: int
    hosts_in_use: int
    hosts_in_service: int
    weighted_deviation: float
    classes: dict[str, ClassMetrics]
    classes_in_use: dict[str, ClassMetrics]


class Host(Struct, frozen=True, kw_only=True):
    """One compute host before and after: service state, instances, utilisation by class.

    A report lists hosts by name.
    """

    uuid: str
    name: str
    service_before: str
    service_after: str
    instances_before: int
    instances_after: int
    before: dict[str, float]
    after: dict[str, float]


class AuditReport(Struct, frozen=True, kw_only=True):
    """What an audit found.

    Attributes:
        weights: the columns that the strategy judged by.
        facts: what the strategy says about its result, e.g. a lower bound.
        warnings: what people should know: metrics that are missing, instances that had to stay.
        planner: by name; `order`: how it found that the actions can be ordered at all.
        cost: of all migrations, one after the other.
        duration: seconds of the longest way through the plan, by estimates.
        seconds: run time of the strategy and of the planner.
    """

    goal: str
    strategy: str
    parameters: dict[str, Any]
    base_generation: int
    instances: int
    weights: dict[str, float]
    before: Figures
    after: Figures
    indicators: list[Indicator]
    global_efficacy: list[Indicator]
    facts: dict[str, float | str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    planner: str
    order: Order
    migrations: int
    cost: Cost
    duration: float
    seconds: dict[str, float]
    actions: list[Action]
    hosts: list[Host]


class Outcome(Struct, frozen=True, kw_only=True):
    """What a strategy and its planner came to in a session.

    Attributes:
        weights: the columns that the strategy judged by.
        seconds: run time of the strategy and of the planner.
    """

    plan: Plan
    weights: dict[str, float]
    indicators: list[Indicator]
    global_efficacy: list[Indicator]
    seconds: dict[str, float]


def work_out(
    session: Session,
    goal: Goal,
    strategy: Strategy,
    context: Context,
    planner: Planner,
    *,
    bandwidth_mbit: float = BANDWIDTH_MBIT,
    plan_uuid: str | None = None,
    executed: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run a strategy in a session, plan its net effect and judge it.

    Args:
        session: where the strategy leaves what it proposes.
        goal: whose indicators the plan is judged by.
        strategy: with the parameters of this run.
        context: its surroundings.
        planner: makes the plan.
        bandwidth_mbit: of one migration, for the estimate of its time.
        plan_uuid: of the plan; None: made up.
        executed: called between the strategy and the planner.

    Raises:
        Cancelled: the context said so.
        InvalidInput: parameters do not fit the view, or no plan brings the session about.
        MetricsMissing: what the strategy judges by was not measured.
    """
    started = perf_counter()
    strategy.execute(session, context)
    between = perf_counter()
    executed()
    plan = planner.plan(
        session,
        context.proposals,
        strategy.limits(session.view),
        bandwidth_mbit,
        strategy.in_flight(),
        plan_uuid=plan_uuid,
    )
    ended = perf_counter()
    weights = strategy.weights(session.view)
    indicators = goal.efficacy(Subject.of(session, context, weights))
    return Outcome(
        plan=plan,
        weights=weights,
        indicators=indicators,
        global_efficacy=goal.global_efficacy({i.name: i.value for i in indicators}),
        seconds={"strategy": between - started, "planner": ended - between},
    )


def run_audit(
    view: View,
    goal: Goal,
    strategy: Strategy,
    context: Context | None = None,
    *,
    planner: Planner | None = None,
    bandwidth_mbit: float = BANDWIDTH_MBIT,
) -> AuditReport:
    """Run a strategy in a new session on a view and plan its net effect (None: by weight).

    Raises:
        Cancelled: the context said so.
        InvalidInput: parameters do not fit the view.
    """
    context = context or Context()
    session = Session(view)
    planner = planner or Weight()
    outcome = work_out(
        session,
        goal,
        strategy,
        context,
        planner,
        bandwidth_mbit=bandwidth_mbit,
        # The same audit of the same graph reads the same.
        plan_uuid=str(uuids.uuid5(uuids.NAMESPACE_OID, f"{goal.name} {strategy.name}")),
    )
    plan, weights = outcome.plan, outcome.weights
    pair = _Pair(session, context, weights)
    return AuditReport(
        goal=goal.name,
        strategy=strategy.name,
        parameters=strategy.parameters,
        base_generation=view.generation,
        instances=pair.instances,
        weights=weights,
        before=pair.figures(pair.before, pair.folded_before),
        after=pair.figures(pair.after, pair.folded_after),
        indicators=outcome.indicators,
        global_efficacy=outcome.global_efficacy,
        facts=context.facts,
        warnings=context.warnings,
        planner=planner.name,
        order=plan.order,
        migrations=len(plan.migrations),
        cost=plan.cost + _cost_of_chosen(plan, session, bandwidth_mbit),
        duration=plan.seconds,
        seconds=outcome.seconds,
        actions=plan.actions,
        hosts=pair.hosts(),
    )


def _cost_of_chosen(plan: Plan, session: Session, bandwidth_mbit: float) -> Cost:
    """Return the cost of the migrations whose destination Nova chooses."""
    memory = held(session.view, "MEMORY_MB")
    found = Cost()
    for action in plan.migrations:
        uuid = action.resource_id
        # A strategy may name instances that are not there, as the dummies do.
        row = None if uuid is None else session.state.find_consumer(uuid)
        if action.movement is None and row is not None:
            kind = str(action.input_parameters["migration_type"])
            found += migration_cost(kind, int(memory[row]), bandwidth_mbit)
    return found


class _Pair:
    """A session and its base, host by host."""

    def __init__(self, session: Session, context: Context, weights: dict[str, float]) -> None:
        self.before, self.after = session.base(), context.outcome(session)
        self.folded_before, self.folded_after = fold(self.before), fold(self.after)
        self.weights = weights
        self.mask = compute_hosts(session, context.scope)
        #: The deviation is of the same hosts before and after, also where a plan disables some.
        self.serving = self.mask & self.before.mask(in_service=True)
        self.counts = [self._counts(s) for s in (self.before, self.after)]
        self.instances = int(self.counts[0][self.mask].sum())

    def _counts(self, session: Session) -> Any:
        homes = session.homes()
        return np.bincount(
            homes[(homes >= 0) & session.view.consumers.alive], minlength=self.mask.size
        )

    def figures(self, session: Session, folded: Session) -> Figures:
        metrics = folded.metrics(self.mask)
        in_use = hosts_in_use(session) & self.mask
        serving = folded.metrics(self.serving)
        return Figures(
            hosts=int(self.mask.sum()),
            hosts_in_use=int(in_use.sum()),
            hosts_in_service=int((session.mask(in_service=True) & self.mask).sum()),
            weighted_deviation=sum(w * serving[n].std_deviation for n, w in self.weights.items()),
            classes={name: m for name, m in metrics.items() if m.providers},
            classes_in_use={
                name: m for name, m in folded.metrics(in_use).items() if metrics[name].providers
            },
        )

    def hosts(self) -> list[Host]:
        view = self.before.view
        rows = by_name(view, np.flatnonzero(self.mask).tolist())
        capacity = self.folded_before.view.capacity
        loads = [self._load(s, capacity) for s in (self.folded_before, self.folded_after)]
        shown = [(name, column) for column, name in enumerate(view.classes)]

        def utilisation(load: F64, row: int) -> dict[str, float]:
            return {n: round(float(load[row, c]), 4) for n, c in shown if capacity[row, c] > 0}

        return [
            Host(
                uuid=view.providers.uuid[row],
                name=view.provider_at(row).name,
                service_before=_service(self.before, row),
                service_after=_service(self.after, row),
                instances_before=int(self.counts[0][row]),
                instances_after=int(self.counts[1][row]),
                before=utilisation(loads[0], row),
                after=utilisation(loads[1], row),
            )
            for row in rows
        ]

    @staticmethod
    def _load(folded: Session, capacity: F64) -> F64:
        load: F64 = np.divide(
            folded.used_matrix(), capacity, out=np.zeros(capacity.shape), where=capacity > 0
        )
        return load


def _service(session: Session, row: int) -> str:
    """Return a word for the state of a host's service."""
    if session.state.provider_field(row, "state") != "up":
        return "down"
    if session.state.provider_field(row, "maintenance"):
        return "maintenance"
    return str(session.state.provider_field(row, "status"))
