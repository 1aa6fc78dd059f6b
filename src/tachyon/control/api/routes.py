"""Every route of the API in one literal table.

Routing, policies, microversions, checks of queries and bodies, and the API's description derive
from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from tachyon.control.api.call import Answer, Call
from tachyon.control.api.fields import Fields
from tachyon.control.api.handlers import (
    action,
    action_plan,
    audit,
    audit_template,
    data_model,
    goal,
    root,
    scoring_engine,
    service,
    strategy,
    webhook,
)
from tachyon.control.api.paging import PAGING

Handler = Callable[[Call], Answer]


class Route(Struct, frozen=True, eq=False):
    """One method of one path.

    Attributes:
        policy: the rule that must allow it; None: everybody may.
        query: parameters by name, with the minor microversion that brought each.
        body: what it takes: nothing, JSON, or JSON that may be left out.
        fields: of a JSON object in the body; None: it is something else.
        since: the minor microversion that brought the route.
        detail: whether it lists all fields.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    handler: Handler
    policy: str | None
    query: Mapping[str, int] = {}
    body: Literal["none", "json", "optional"] = "none"
    fields: Fields | None = None
    status: int = 200
    since: int = 0
    detail: bool = False

    @property
    def operation(self) -> str:
        """A name for people and programs, as `audit.create`."""
        return f"{self.handler.__module__.rsplit('.', 1)[1]}.{self.handler.__name__}" + (
            "_detail" if self.detail else ""
        )


def _read(plural: str, noun: str, handlers: Any, **filters: int) -> tuple[Route, ...]:
    query = {**dict.fromkeys(PAGING, 0), **filters}
    path = f"/v1/{plural}"
    return (
        Route("GET", path, handlers.find, f"{noun}:get_all", query),
        Route("GET", f"{path}/detail", handlers.find, f"{noun}:detail", query, detail=True),
        Route("GET", f"{path}/{{{noun}}}", handlers.get, f"{noun}:get"),
    )


# fmt: off
# ruff: noqa: E501 (a route is a line, however long)
_AUDIT, _PLAN, _ACTION = "/v1/audits/{audit}", "/v1/action_plans/{action_plan}", "/v1/actions/{action}"
_TEMPLATE = "/v1/audit_templates/{audit_template}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/", root.versions, None),
    Route("GET", "/v1", root.version, None),

    *_read("goals", "goal", goal),
    *_read("strategies", "strategy", strategy, goal=0),
    Route("GET", "/v1/strategies/{strategy}/state", strategy.state, "strategy:state"),
    *_read("scoring_engines", "scoring_engine", scoring_engine),
    *_read("services", "service", service),

    *_read("audit_templates", "audit_template", audit_template, goal=0, strategy=0, name=8),
    Route("POST", "/v1/audit_templates", audit_template.create, "audit_template:create", body="json", fields=audit_template.FIELDS, status=201),
    Route("PATCH", _TEMPLATE, audit_template.update, "audit_template:update", body="json"),
    Route("DELETE", _TEMPLATE, audit_template.delete, "audit_template:delete", status=204),

    *_read("audits", "audit", audit, goal=0, strategy=0, name=8, state=8, audit_type=8),
    Route("POST", "/v1/audits", audit.create, "audit:create", body="json", fields=audit.NEW, status=201),
    Route("PATCH", _AUDIT, audit.update, "audit:update", body="json"),
    Route("DELETE", _AUDIT, audit.delete, "audit:delete", status=204),
    Route("POST", f"{_AUDIT}/dry_run", audit.dry_run, "audit:dry_run", body="optional", since=8),

    *_read("action_plans", "action_plan", action_plan, audit_uuid=0, strategy=0, state=8),
    Route("PATCH", _PLAN, action_plan.update, "action_plan:update", body="json"),
    Route("DELETE", _PLAN, action_plan.delete, "action_plan:delete", status=204),
    Route("POST", f"{_PLAN}/start", action_plan.start, "action_plan:start", body="optional"),
    Route("GET", f"{_PLAN}/session", action_plan.session, "action_plan:session", since=8),
    Route("GET", f"{_PLAN}/metrics", action_plan.metrics, "action_plan:metrics", since=8),
    Route("POST", f"{_PLAN}/rollback", action_plan.rollback, "action_plan:rollback", body="optional", since=8),

    *_read("actions", "action", action, action_plan_uuid=0, audit_uuid=0),
    Route("PATCH", _ACTION, action.update, "action:update", body="json"),

    Route("GET", "/v1/data_model", data_model.get, "data_model:get_all", {"data_model_type": 0, "audit_uuid": 0}, since=3),
    Route("POST", "/v1/webhooks/{audit}", webhook.create, "webhook:trigger", body="json", status=202),
)
# fmt: on
