"""Who may call what: every rule with its default, and the enforcer that applies them."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from oslo_config import cfg
from oslo_context import context
from oslo_policy import opts, policy

from tachyon import conf as options
from tachyon.errors import ConfigurationError, Forbidden

ADMIN, ADMIN_OR_SERVICE = "rule:admin_api", "rule:admin_or_service_api"

BASE = (
    policy.RuleDefault(
        "admin_api", "role:admin or role:administrator", description="May do everything."
    ),
    policy.RuleDefault(
        "admin_or_service_api",
        "rule:admin_api or role:service",
        description="May also tell of events.",
    ),
    policy.RuleDefault("show_password", "!", description="Nobody sees passwords."),
)


class Rule(NamedTuple):
    """A rule: what it allows, on which paths."""

    name: str
    description: str
    operations: tuple[tuple[str, str], ...]
    default: str = ADMIN

    def documented(self) -> policy.DocumentedRuleDefault:
        """Return the rule as oslo.policy and its sample generator take it."""
        operations = [{"method": method, "path": path} for method, path in self.operations]
        return policy.DocumentedRuleDefault(self.name, self.default, self.description, operations)


def _read(noun: str, plural: str, title: str, ident: str) -> tuple[Rule, ...]:
    path = f"/v1/{plural}"
    return (
        Rule(f"{noun}:get_all", f"List {title}.", (("GET", path),)),
        Rule(f"{noun}:detail", f"List {title} with all fields.", (("GET", f"{path}/detail"),)),
        Rule(f"{noun}:get", f"Show one of the {title}.", (("GET", f"{path}/{{{ident}}}"),)),
    )


_AUDIT, _PLAN = "/v1/audits/{audit}", "/v1/action_plans/{action_plan}"
_TEMPLATE, _ACTION = "/v1/audit_templates/{audit_template}", "/v1/actions/{action}"

RULES: tuple[Rule, ...] = (
    *_read("action", "actions", "actions", "action"),
    Rule("action:update", "Skip an action.", (("PATCH", _ACTION),)),
    *_read("action_plan", "action_plans", "action plans", "action_plan"),
    Rule("action_plan:update", "Start or cancel an action plan.", (("PATCH", _PLAN),)),
    Rule("action_plan:start", "Start an action plan.", (("POST", f"{_PLAN}/start"),)),
    Rule("action_plan:delete", "Delete an action plan.", (("DELETE", _PLAN),)),
    Rule("action_plan:session", "Look into a plan's session.", (("GET", f"{_PLAN}/session"),)),
    Rule("action_plan:metrics", "Show load before and after.", (("GET", f"{_PLAN}/metrics"),)),
    Rule("action_plan:rollback", "Take back what a plan did.", (("POST", f"{_PLAN}/rollback"),)),
    *_read("audit", "audits", "audits", "audit"),
    Rule("audit:create", "Create an audit.", (("POST", "/v1/audits"),)),
    Rule("audit:update", "Change or cancel an audit.", (("PATCH", _AUDIT),)),
    Rule("audit:delete", "Delete an audit.", (("DELETE", _AUDIT),)),
    Rule("audit:dry_run", "See what an audit would propose.", (("POST", f"{_AUDIT}/dry_run"),)),
    *_read("audit_template", "audit_templates", "audit templates", "audit_template"),
    Rule("audit_template:create", "Create a template.", (("POST", "/v1/audit_templates"),)),
    Rule("audit_template:update", "Change a template.", (("PATCH", _TEMPLATE),)),
    Rule("audit_template:delete", "Delete a template.", (("DELETE", _TEMPLATE),)),
    Rule("data_model:get_all", "Show the data model.", (("GET", "/v1/data_model"),)),
    *_read("goal", "goals", "goals", "goal"),
    *_read("scoring_engine", "scoring_engines", "scoring engines", "scoring_engine"),
    *_read("service", "services", "services", "service"),
    *_read("strategy", "strategies", "strategies", "strategy"),
    Rule(
        "strategy:state",
        "Show what a strategy needs.",
        (("GET", "/v1/strategies/{strategy}/state"),),
    ),
    Rule(
        "webhook:trigger",
        "Tell of an event that an audit waits for.",
        (("POST", "/v1/webhooks/{audit}"),),
        ADMIN_OR_SERVICE,
    ),
)


def list_rules() -> list[policy.RuleDefault]:
    """Return every rule, for oslopolicy-sample-generator and its relatives."""
    return [*BASE, *(rule.documented() for rule in RULES)]


def enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return the enforcer of a configuration; raises `ConfigurationError` for a bad file."""
    opts.set_defaults(conf)
    made = policy.Enforcer(conf)
    made.register_defaults(list_rules())
    try:
        made.load_rules()
    except (cfg.Error, OSError, ValueError, policy.InvalidDefinitionError) as error:
        raise ConfigurationError(f"the policy file cannot be used: {error}") from error
    return made


def get_enforcer() -> policy.Enforcer:
    """Return the enforcer of the file that TACHYON_CONFIG names, for oslo.policy's tools."""
    return enforcer(options.load(os.environ.get("TACHYON_CONFIG")))


def check(rules: policy.Enforcer, rule: str, identity: context.RequestContext) -> None:
    """Raise `Forbidden` unless the caller may do this."""
    credentials: dict[str, Any] = identity.to_policy_values()
    target = {"user_id": identity.user_id, "project_id": identity.project_id}
    if not rules.enforce(rule, target, credentials):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.", policy=rule)
