"""Who calls, and what they may do: keystonemiddleware authenticates, oslo.policy authorises."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from socket import gaierror, getaddrinfo
from typing import Any, Protocol

from oslo_config import cfg

from tachyon.errors import ConfigurationError, Forbidden, Unauthorized

_ADMIN = "role:admin"
_SERVICE = "role:service or role:admin"

#: The rules by policy: their default, and what they allow.
RULES = {
    # The graph shows the instances of every project, so a role in one project opens nothing.
    "read": (
        f"({_SERVICE}) or (role:reader and system_scope:all)",
        "Read the graph and look at simulation sessions.",
    ),
    "simulate": (
        f"({_SERVICE}) or (role:member and system_scope:all)",
        "Open simulation sessions, record deltas in them, throw them away.",
    ),
    "write": (_SERVICE, "Change the graph, commit simulation sessions."),
    "administer": (_ADMIN, "Expire sessions at once, trim the change log."),
}


class Guard(Protocol):
    """What stands between a request and its handler."""

    def wrap(self, app: Any) -> Any:
        """Return the application with what must run in front of it."""

    def check(self, environ: dict[str, Any], policy: str) -> None:
        """Raise `Unauthorized` or `Forbidden` when a call is not allowed."""


class NoGuard:
    """Everybody may do everything. Only for addresses that nobody else can reach."""

    def wrap(self, app: Any) -> Any:
        """Return the application as it is."""
        return app

    def check(self, environ: dict[str, Any], policy: str) -> None:
        """Allow the call."""


class KeystoneGuard:
    """Tokens are validated with Keystone, rights come from the policy rules `graph:…`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        from oslo_policy import policy

        self._conf = conf
        self._enforcer = policy.Enforcer(conf, policy_file=conf.service.policy_file)
        for name, (rule, description) in RULES.items():
            self._enforcer.register_default(
                policy.RuleDefault(f"graph:{name}", rule, description=description)
            )
        try:
            self._enforcer.load_rules()
        except (cfg.Error, OSError, ValueError, policy.InvalidDefinitionError) as error:
            raise ConfigurationError(f"the policy file cannot be used: {error}") from error

    def wrap(self, app: Any) -> Any:
        """Return the application behind keystonemiddleware.

        The middleware marks requests without a valid token and lets them through, so that the
        refusal is ours, in the shape of all other errors.
        """
        from keystonemiddleware import auth_token

        protect: Callable[..., Any] = auth_token.AuthProtocol
        return protect(app, {"oslo_config_config": self._conf, "delay_auth_decision": True})

    def check(self, environ: dict[str, Any], policy: str) -> None:
        """Raise `Unauthorized` without a valid token, `Forbidden` without the right role."""
        from oslo_context import context

        if policy == "public":
            return
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            raise Unauthorized("a valid token is required in X-Auth-Token")
        credentials = context.RequestContext.from_environ(environ).to_policy_values()
        if not self._enforcer.enforce(f"graph:{policy}", {}, credentials):
            raise Forbidden(f"policy graph:{policy} does not allow this", policy=f"graph:{policy}")


def check_noauth(host: str) -> None:
    """Refuse to serve without authentication where others can reach it.

    Raises:
        ConfigurationError: the address is not loopback alone.
    """
    try:
        addresses = {info[4][0] for info in getaddrinfo(host or "0.0.0.0", None)}
    except gaierror as error:
        raise ConfigurationError(f"no address to listen on: {host}: {error}") from error
    if not all(ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        raise ConfigurationError(
            f"noauth is for loopback only, and {host or 'every address'} is not; use keystone",
            host=host,
        )
