"""One run of an audit's strategy: from the graph as it is now to a plan that is not stored yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field

from tachyon.control.notifications import Notifier
from tachyon.control.objects import Audit, Objects
from tachyon.errors import (
    Cancelled,
    CloudError,
    ConfigurationError,
    MetricsMissing,
    NotFound,
    ParametersInvalid,
    TachyonError,
)
from tachyon.graph.client import GraphClient
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize import scope
from tachyon.optimize.audit import Outcome, work_out
from tachyon.optimize.folding import compute_hosts, fold
from tachyon.optimize.goals.base import Goal
from tachyon.optimize.planners import Planner, PlannerOptions
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.selection import select
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import Measurements, MetricNeed
from tachyon.optimize.strategies.options import StrategyOptions

LOG = logging.getLogger(__name__)


class Datasources(Protocol):
    """Where measurements come from."""

    def measure(
        self, view: View, needs: Sequence[MetricNeed], options: StrategyOptions
    ) -> Measurements:
        """Return the answers to a strategy's needs; raises `MetricsMissing`."""

    def state(self, needs: Sequence[MetricNeed], options: StrategyOptions) -> dict[str, Any]:
        """Return `datasource` (its name or None), `available`, and `metrics` by name."""


class Brain(Struct, frozen=True, kw_only=True):
    """What runs of audits work with; the same for all audits of an engine.

    Attributes:
        datasources: None: strategies judge by the measured columns of the view.
        strategy_options, planner_options: by name, what the operator has set.
        try_all: whether an audit that names a goal only takes the best of all its strategies.
        session_ttl: seconds for which the session of a plan can be looked into.
    """

    objects: Objects
    notifier: Notifier
    graph: GraphClient
    plugins: Plugins
    datasources: Datasources | None = None
    strategy_options: Mapping[str, StrategyOptions] = field(default_factory=dict)
    planner_options: Mapping[str, PlannerOptions] = field(default_factory=dict)
    try_all: bool = False
    session_ttl: float = 86_400.0


class Found(Struct, frozen=True, kw_only=True):
    """What a run found.

    Attributes:
        strategy: the one that ran; `warnings`: what it wants people to know.
        metrics: load of the hosts in scope by class, `before` and `after`.
        session_id: the graph's session that holds what the strategy proposes; None where the
            graph has moved on so far that it does not take it.
    """

    strategy: Strategy
    outcome: Outcome
    warnings: list[str]
    metrics: dict[str, Any]
    session_id: str | None = None


class _Attempt(Struct, frozen=True, kw_only=True):
    """One strategy's run, in a session of its own."""

    strategy: Strategy
    session: Session
    context: Context
    outcome: Outcome


def run(brain: Brain, audit: Audit, cancelled: Callable[[], bool], *, keep: bool = True) -> Found:
    """Run the strategy of an audit; without one, the first of its goal or the best of all.

    Args:
        brain: what to work with.
        audit: as it is now.
        cancelled: asked now and then; True ends the run.
        keep: keep the session on the graph, named after the audit.

    Raises:
        Cancelled: `cancelled` said so.
        TachyonError: the strategy is unknown, its parameters do not fit, something is missing.
    """
    goal = brain.plugins.goal(audit.goal.name)
    strategies = _strategies(brain, audit, goal)
    told = _Told(brain.notifier, audit)
    told.start("strategy")
    try:
        view = brain.graph.view()

        def attempt(strategy: Strategy, executed: Callable[[], None]) -> _Attempt:
            session = Session(view)
            context = _context(brain, audit, strategy, session, cancelled)
            planner = _planner(brain, strategy)
            outcome = work_out(session, goal, strategy, context, planner, executed=executed)
            return _Attempt(strategy=strategy, session=session, context=context, outcome=outcome)

        if len(strategies) == 1:
            taken = attempt(strategies[0], told.next)
        else:
            found = select(
                goal,
                {s.name: partial(attempt, s, lambda: None) for s in strategies},
                lambda one: {i.name: i.value for i in one.outcome.indicators},
            )
            taken = found.outcome
            left_out = [f"{n} is left out: {e.message}" for n, e in found.refused.items()]
            taken.context.warnings.extend(left_out)
            told.next()
        if cancelled():
            raise Cancelled("the audit was cancelled")
        told.end()
    except TachyonError as error:
        told.error(error)
        raise
    except Exception as error:
        told.error(error)
        names = ", ".join(s.name for s in strategies)
        raise TachyonError(f"{type(error).__name__} in {names}: {error}") from error
    return Found(
        strategy=taken.strategy,
        outcome=taken.outcome,
        warnings=taken.context.warnings,
        metrics=_metrics(taken.session, taken.context),
        session_id=_kept(brain, audit, taken.session) if keep else None,
    )


def _strategies(brain: Brain, audit: Audit, goal: Goal) -> list[Strategy]:
    """Return what is to be tried: one strategy, or all of the goal that take the parameters."""
    plugins = brain.plugins
    if audit.strategy is not None:
        wanted = [plugins.strategy(audit.strategy.name)]
    else:
        wanted = plugins.strategies_for(goal.name)[: None if brain.try_all else 1]
    made: list[Strategy] = []
    refusal: ParametersInvalid | None = None
    for chosen in wanted:
        try:
            made.append(chosen(audit.parameters, brain.strategy_options.get(chosen.name)))
        except ParametersInvalid as error:
            refusal = refusal or error
    if refusal is not None and not made:
        raise refusal
    return made


class _Told:
    """Tells of the phases of a run: the strategy, then the planner."""

    def __init__(self, notifier: Notifier, audit: Audit) -> None:
        self._notifier = notifier
        self._audit = audit
        self._part: Any = "strategy"

    def start(self, part: str) -> None:
        self._part = part
        self._notifier.audit(self._audit, self._part, "start")

    def next(self) -> None:
        self.end()
        self.start("planner")

    def end(self) -> None:
        self._notifier.audit(self._audit, self._part, "end")

    def error(self, error: BaseException) -> None:
        if not isinstance(error, Cancelled):
            self._notifier.audit(self._audit, self._part, "error", error)


def _planner(brain: Brain, strategy: Strategy) -> Planner:
    name = strategy.planner
    return brain.plugins.planner(name)(brain.planner_options.get(name))


def _context(
    brain: Brain,
    audit: Audit,
    strategy: Strategy,
    session: Session,
    cancelled: Callable[[], bool],
) -> Context:
    mask = scope.evaluate_all(audit.scope, session) if audit.scope else None
    measured, warnings = _asked(brain, session.view, strategy)
    context = Context(
        scope=mask.providers if mask else None,
        consumers=mask.consumers if mask else None,
        excluded=mask.excluded if mask else None,
        measurements=measured,
        failed=_failed_before(brain.objects, audit),
        cancelled=cancelled,
    )
    context.warnings += warnings
    if mask:
        context.warnings += mask.warnings
    return context


def _asked(brain: Brain, view: View, strategy: Strategy) -> tuple[Measurements | None, list[str]]:
    """Return the answers to a strategy's needs, and what people should know about them.

    Where nobody answers, a strategy that can do without all of them does so.
    """
    needs = strategy.metrics()
    if brain.datasources is None or not needs:
        return None, []
    try:
        return brain.datasources.measure(view, needs, strategy.options), []
    except (MetricsMissing, CloudError, ConfigurationError) as error:
        if not all(need.optional for need in needs):
            raise
        return None, [f"{strategy.name} goes without measurements: {error.message}"]


def _failed_before(objects: Objects, audit: Audit) -> set[str]:
    """Return the instances whose migration failed in an earlier plan of the audit."""
    plans = objects.action_plans.find({"audit_id": audit.id, "state": "FAILED"})
    found = objects.actions.find(
        {
            "action_plan_id__in": [plan.id for plan in plans],
            "action_type": "migrate",
            "state": "FAILED",
        }
    )
    return {str(a.input_parameters.get("resource_id")) for a in found} if plans else set()


def _metrics(session: Session, context: Context) -> dict[str, Any]:
    mask = compute_hosts(session, context.scope)
    found: dict[str, Any] = {}
    for name, state in (("before", session.base()), ("after", context.outcome(session))):
        metrics = fold(state).metrics(mask)
        found[name] = {c: msgspec.to_builtins(m) for c, m in metrics.items() if m.providers}
    return found


def _kept(brain: Brain, audit: Audit, session: Session) -> str | None:
    """Keep what the strategy proposes as a session of the graph, for others to look into."""
    if not session.delta_count:
        return None
    try:
        record = brain.graph.sessions.create(
            audit_uuid=audit.uuid,
            name=audit.name,
            ttl=brain.session_ttl,
            persistence="store",
            deltas=session.deltas,
        )
    except TachyonError as error:
        LOG.warning("the session of audit %s is not kept: %s", audit.uuid, error)
        return None
    return record.id


def state_of(brain: Brain, name: str) -> list[dict[str, Any]]:
    """Return what a strategy needs and whether it is there, as clients of Watcher read it.

    Raises:
        NotFound: no such strategy is installed.
    """
    chosen = brain.plugins.strategies.get(name)
    if chosen is None:
        raise NotFound(f"strategy {name} is not installed", strategy=name)
    view = brain.graph.view()
    return [
        *_measured(brain, chosen),
        {
            "type": "CDM",
            "state": [
                {f"{model}_model": _word(bool(view.provider_mask(types=_TYPES[model]).any()))}
                for model in chosen.models
            ],
            "mandatory": True,
            "comment": "",
        },
        {"type": "Name", "state": name, "mandatory": "", "comment": ""},
    ]


_TYPES = {"compute": ["compute"], "storage": ["storage", "pool"], "baremetal": ["baremetal"]}


def _measured(brain: Brain, chosen: type[Strategy]) -> list[dict[str, Any]]:
    try:
        needs = chosen({}).metrics()
    except TachyonError:
        needs = ()  # it has parameters without defaults: what it measures depends on them
    options = brain.strategy_options.get(chosen.name, StrategyOptions())
    source, there = "Datasource is not presented for this strategy", dict[str, bool]()
    if needs and brain.datasources is not None:
        found = brain.datasources.state(needs, options)
        there = found["metrics"]
        if found["datasource"] is not None:
            source = f"{found['datasource']}: {_word(found['available'])}"
    return [
        {
            "type": "Datasource",
            "state": source,
            "mandatory": not needs or not all(need.optional for need in needs),
            "comment": "",
        },
        {
            "type": "Metrics",
            "state": [{name: _word(is_there)} for name, is_there in there.items()]
            or [{need.metric: _word(False)} for need in needs],
            "mandatory": False,
            "comment": "",
        },
    ]


def _word(there: bool) -> str:
    return "available" if there else "not available"
