"""Who calls: keystonemiddleware tells, or headers where there is no Keystone."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg
from oslo_context import context

#: Headers by which keystonemiddleware tells who calls; nobody else may set them.
_SAID = ("HTTP_X_ROLES", "HTTP_X_ROLE", "HTTP_X_USER_ID", "HTTP_X_PROJECT_ID")


def protected(app: Any, conf: cfg.ConfigOpts, *, open_webhooks: bool) -> Any:
    """Return the application behind keystonemiddleware; a few paths are for everybody."""
    from keystonemiddleware import auth_token

    guarded = auth_token.AuthProtocol(app, {"oslo_config_config": conf})

    def route(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if is_public(path, open_webhooks=open_webhooks):
            for name in [key for key in environ if key in _SAID]:
                del environ[name]
            environ["tachyon.public"] = True
            return app(environ, start_response)
        return guarded(environ, start_response)

    return route


def is_public(path: str, *, open_webhooks: bool) -> bool:
    """Tell whether a path is for everybody, token or not."""
    if path in ("/", "", "/healthcheck", "/metrics"):
        return True
    return open_webhooks and path.startswith("/v1/webhooks/")


def unprotected(app: Any) -> Any:
    """Return the application for callers who say themselves who they are.

    One who says nothing is an administrator; loopback alone is served this way.
    """

    def route(environ: dict[str, Any], start_response: Any) -> Any:
        if not any(name in environ for name in _SAID):
            environ["HTTP_X_ROLES"] = "admin"
        return app(environ, start_response)

    return route


def caller(environ: dict[str, Any]) -> context.RequestContext:
    """Return who calls, by the headers that the middleware has set."""
    return context.RequestContext.from_environ(environ)
