"""Tells the world outside what happens to audits, plans, actions and services.

A notifier observes the control plane's objects, so that every change that is durable is told of,
whoever made it; engine and applier tell of their phases (`audit.strategy.start` …) themselves.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import oslo_messaging
from oslo_config import cfg

from tachyon.control.notifications import payloads as p
from tachyon.control.objects import Action, ActionPlan, Audit, Change, Service
from tachyon.control.rpc.transport import EXCHANGE, RETRIES

LOG = logging.getLogger(__name__)

Phase = Literal["start", "end", "error"]
Priority = Literal["info", "warning", "error"]
LEVELS = ("debug", "info", "warning", "error", "critical")
_VERBS = {"create": "Create", "update": "Update", "delete": "Delete"}
_NAMES = {"audit": "Audit", "action_plan": "ActionPlan", "action": "Action"}
_BUILDERS: dict[str, Any] = {
    "audit": p.audit_payload,
    "action_plan": p.action_plan_payload,
    "action": p.action_payload,
}


class Notifier:
    """Sends notifications. Safe to use from several threads; a bus that fails stops nobody.

    A notification that the bus does not take is tried `retries` times more, and then left out.

    Args:
        transport: of oslo.messaging; None: nothing is sent.
        host: of this service; the publisher is `infra-optim:<host>`.
        level: least priority that is sent; "": nothing is.
        driver, topics: as in `[oslo_messaging_notifications]`; None: as configured there.
        retries: how often one is tried again; whoever makes a change waits for it.
    """

    def __init__(
        self,
        transport: Any,
        host: str,
        *,
        level: str = "info",
        driver: str | None = None,
        topics: list[str] | None = None,
        retries: int = RETRIES,
    ) -> None:
        self._level = LEVELS.index(level) if level else None
        self._notifier = None
        if transport is not None and level:
            self._notifier = oslo_messaging.Notifier(
                transport,
                publisher_id=f"infra-optim:{host}",
                driver=driver,
                topics=topics,
                retry=retries,
            )

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Notifier:
        """Return the notifier of a configuration."""
        oslo_messaging.set_transport_defaults(EXCHANGE)
        transport = oslo_messaging.get_notification_transport(conf)
        given = conf.oslo_messaging_notifications.retry
        # The library's default, -1, tries for ever.
        retries = given if given >= 0 else RETRIES
        return cls(transport, conf.host, level=conf.notification_level, retries=retries)

    def changed(self, change: Change) -> None:
        """Tell of a change of an audit, plan or action; an observer of `Objects`."""
        builder = _BUILDERS.get(change.kind)
        if builder is None:
            return
        name = f"{_NAMES[change.kind]}{_VERBS[change.verb]}Payload"
        more = {}
        if change.verb == "update":
            update = f"{_NAMES[change.kind]}StateUpdatePayload"
            more["state_update"] = p.state_update(update, change.before, change.record)
        self._send(f"{change.kind}.{change.verb}", "info", builder(name, change.record, **more))

    def audit(
        self,
        audit: Audit,
        part: Literal["strategy", "planner"],
        phase: Phase,
        error: BaseException | None = None,
    ) -> None:
        """Tell of a phase of an audit."""
        payload = p.audit_payload("AuditActionPayload", audit, fault=_fault(error))
        self._send(f"audit.{part}.{phase}", _priority(phase), payload)

    def action_plan(
        self,
        plan: ActionPlan,
        part: Literal["execution", "cancel"],
        phase: Phase,
        error: BaseException | None = None,
    ) -> None:
        """Tell of a phase of the execution, or of the cancelling, of a plan."""
        name = "ActionPlanActionPayload" if part == "execution" else "ActionPlanCancelPayload"
        payload = p.action_plan_payload(name, plan, fault=_fault(error))
        self._send(f"action_plan.{part}.{phase}", _priority(phase), payload)

    def action(
        self,
        action: Action,
        part: Literal["execution", "cancel"],
        phase: Phase,
        error: BaseException | None = None,
    ) -> None:
        """Tell of a phase of the execution, or of the cancelling, of an action."""
        name = "ActionExecutionPayload" if part == "execution" else "ActionCancelPayload"
        payload = p.action_payload(name, action, fault=_fault(error))
        self._send(f"action.{part}.{phase}", _priority(phase), payload)

    def service(self, service: Service, old: str, new: str) -> None:
        """Tell of a change of a service's status, "" standing for none before."""
        priority: Priority = "warning" if new == "FAILED" else "info"
        self._send("service.update", priority, p.service_payload(service, old, new))

    def exception(self, error: BaseException) -> None:
        """Tell of an error that no other event stands for."""
        self._send("infra-optim.exception", "error", p.exception_payload(error))

    def _send(self, event_type: str, priority: Priority, payload: p.Payload) -> None:
        if self._notifier is None or self._level is None or LEVELS.index(priority) < self._level:
            return
        try:
            getattr(self._notifier, priority)({}, event_type, payload)
        except Exception:
            # What happened has happened, whether or not somebody hears of it.
            LOG.exception("notification %s could not be sent", event_type)


def _fault(error: BaseException | None) -> p.Payload | None:
    return None if error is None else p.exception_payload(error)


def _priority(phase: Phase) -> Priority:
    return "error" if phase == "error" else "info"
