"""The applier as a service."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from tachyon.control.applier.actions import Action, Patience, Patiences, action_types
from tachyon.control.applier.applier import Applier, ApplierOptions
from tachyon.control.applier.execution import Means
from tachyon.control.applier.model import Model
from tachyon.control.objects import Objects
from tachyon.control.objects.columns import shortened
from tachyon.control.objects.service import APPLIER
from tachyon.control.parts import Parts
from tachyon.control.process import Service
from tachyon.control.services import Heartbeat, Liveness
from tachyon.errors import DuplicateRecord
from tachyon.openstack.power import power_control


def applier(parts: Parts, *, health: bool = True) -> Service:
    """Return an applier of a configuration, with descriptions of its actions in the database."""
    conf = parts.conf
    group = conf.watcher_applier
    taskflow = conf["watcher_workflow_engines.taskflow"]
    types = action_types()
    describe(parts.objects, types)
    liveness = Liveness(parts.objects, APPLIER, conf.service_down_time)
    worker = Applier(
        Means(
            objects=parts.objects,
            notifier=parts.notifier,
            host=conf.host,
            types=types,
            cloud=parts.cloud,
            power=None if parts.cloud is None else power_control(parts.cloud, conf),
            model=Model(parts.graph),
            patience=_patiences(group),
            rules=taskflow.action_execution_rule,
            reverts=group.rollback_when_actionplan_failed,
            max_workers=taskflow.max_workers,
        ),
        liveness,
        ApplierOptions(
            workers=group.workers,
            on_crash=group.on_crash,
            rollback_max_age=conf.api.rollback_within,
            interval=group.interval,
            shutdown_timeout=group.shutdown_timeout,
        ),
    )
    return Service(
        worker,
        Heartbeat(liveness, conf.host, conf.periodic_interval, parts.notifier),
        parts.objects,
        transport=parts.transport,
        topic=group.conductor_topic,
        host=conf.host,
        health=(group.health_host, group.health_port) if health else None,
        closing=parts.close,
    )


def _patiences(group: cfg.ConfigOpts.GroupAttr) -> Patiences:
    def patience(name: str) -> Patience:
        return Patience(times=group[f"{name}_max_retries"], interval=group[f"{name}_interval"])

    names = ("migration", "power", "stop", "volume", "graph")
    return Patiences(**{name: patience(name) for name in names})


def describe(objects: Objects, types: dict[str, type[Action]]) -> None:
    """List what the installed types of actions do, for the API."""
    known: dict[str, Any] = {d.action_type: d for d in objects.action_descriptions.find()}
    for name, cls in types.items():
        text = shortened(cls.description) or ""
        if name not in known:
            try:
                objects.action_descriptions.create(action_type=name, description=text)
            except DuplicateRecord:
                continue  # another applier starts at the same time
        elif known[name].description != text:
            objects.action_descriptions.update(known[name].id, {"description": text})
