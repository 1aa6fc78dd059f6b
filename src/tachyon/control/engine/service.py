"""The decision engine as a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from oslo_config import cfg

from tachyon.control.engine.engine import DecisionEngine, EngineOptions
from tachyon.control.engine.metrics import Metrics
from tachyon.control.engine.running import Brain
from tachyon.control.objects.service import DECISION_ENGINE
from tachyon.control.parts import Parts
from tachyon.control.process import Service
from tachyon.control.rpc import ApplierClient
from tachyon.control.services import Heartbeat, Liveness
from tachyon.control.synchronisation import synchronise
from tachyon.optimize.planners import PlannerOptions
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.strategies.options import StrategyOptions

T = TypeVar("T")


def decision_engine(parts: Parts, *, health: bool = True) -> Service:
    """Return a decision engine of a configuration, with the installed plug-ins in the database.

    Raises:
        ConfigurationError: the datasources of the options cannot be used.
    """
    conf = parts.conf
    group = conf.watcher_decision_engine
    plugins = Plugins()
    synchronise(parts.objects)
    cloud = parts.cloud
    datasources = None if cloud is None else Metrics(conf, lambda: cloud.sdk.session)
    strategy_options = _by_name(_strategy_options, conf, plugins.strategies)
    if datasources is not None:
        own = (one.datasources for one in strategy_options.values())
        datasources.verify(names for names in own if names is not None)
    brain = Brain(
        objects=parts.objects,
        notifier=parts.notifier,
        graph=parts.graph,
        plugins=plugins,
        datasources=datasources,
        strategy_options=strategy_options,
        planner_options=_by_name(_planner_options, conf, plugins.planners),
        try_all=group.strategy_selection == "best",
        session_ttl=group.session_ttl,
    )
    liveness = Liveness(parts.objects, DECISION_ENGINE, conf.service_down_time)
    engine = DecisionEngine(
        brain,
        conf.host,
        liveness,
        ApplierClient(parts.transport, conf.watcher_applier.conductor_topic),
        EngineOptions(
            workers=group.max_audit_workers,
            interval=group.continuous_audit_interval,
            review_interval=group.check_periodic_interval,
            plan_expiry=group.action_plan_expiry,
            end_failed_audits=group.end_failed_audits,
            shutdown_timeout=group.shutdown_timeout,
        ),
    )
    return Service(
        engine,
        Heartbeat(liveness, conf.host, conf.periodic_interval, parts.notifier),
        parts.objects,
        transport=parts.transport,
        topic=group.conductor_topic,
        host=conf.host,
        health=(group.health_host, group.health_port) if health else None,
        closing=parts.close,
    )


def _by_name(
    options: Callable[[cfg.ConfigOpts, str], T | None], conf: cfg.ConfigOpts, names: Iterable[str]
) -> dict[str, T]:
    found = {name: options(conf, name) for name in names}
    return {name: given for name, given in found.items() if given is not None}


def _strategy_options(conf: cfg.ConfigOpts, name: str) -> StrategyOptions | None:
    """Return what the operator has set for a strategy, None for one without a group."""
    group = f"watcher_strategies.{name}"
    if group not in conf:
        return None
    return StrategyOptions.of(conf[group])


def _planner_options(conf: cfg.ConfigOpts, name: str) -> PlannerOptions | None:
    """Return what the operator has set for a planner, None for one without a group."""
    group = f"watcher_planners.{name}"
    if group not in conf:
        return None
    given = conf[group]
    return PlannerOptions(
        weights=dict(given.weights),
        parallelization=dict(given.parallelization),
        per_host=given.per_host,
    )
