"""What the actions on servers share: looking at a server, waiting for it, confirming a resize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tachyon.control.applier.actions.base import Action, Patience
from tachyon.errors import ActionFailed, ActionSkipped
from tachyon.openstack.collectors import queries

Server = dict[str, Any]


class ServerAction(Action):
    """An action on a server of Nova."""

    def find(self) -> Server | None:
        """Return the server, None when it is gone."""
        return queries.server(self.cloud, self.resource)

    def server(self) -> Server:
        """Return the server; raises `ActionFailed` when it is gone."""
        found = self.find()
        if found is None:
            raise ActionFailed(f"instance {self.resource} is gone", resource=self.resource)
        return found

    def must_exist(self) -> Server:
        """Return the server; raises `ActionSkipped` when there is none."""
        found = self.find()
        if found is None:
            raise ActionSkipped(f"instance {self.resource} does not exist", resource=self.resource)
        return found

    def do(self, **action: Any) -> None:
        """Ask Nova for an action on the server."""
        self.cloud.nova.post(f"/servers/{self.resource}/action", action)

    def settle(
        self,
        patience: Patience,
        done: Callable[[Server], bool],
        what: str,
        failed: Callable[[Server], bool] | None = None,
    ) -> Server:
        """Wait until a server is as it should be.

        Raises:
            ActionFailed: it is gone, in error, or `failed` says so; or it took too long.
        """

        def look() -> Server | None:
            server = self.server()
            if done(server):
                return server
            if idle(server) and (server["status"] == "ERROR" or (failed and failed(server))):
                raise ActionFailed(f"{what}: {_reason(server)}", resource=self.resource)
            return None

        return self.poll(patience, look, what)

    def finish_resize(self, confirm: bool) -> Server:
        """Wait for a resize or cold migration to await confirmation, then confirm or revert it."""
        patience = self.surroundings.patience.migration
        self.settle(patience, awaits_confirmation, "the resize", failed=lambda s: True)
        self.do(**{"confirmResize" if confirm else "revertResize": None})
        return self.settle(
            patience,
            lambda s: idle(s) and s["status"] in ("ACTIVE", "SHUTOFF", "PAUSED"),
            "confirming the resize" if confirm else "taking back the resize",
        )


def host_of(server: Server) -> str | None:
    """Return the name of the service host that a server is on."""
    found: str | None = server.get("OS-EXT-SRV-ATTR:host")
    return found


def idle(server: Server) -> bool:
    """Tell whether Nova is doing nothing with a server."""
    return server.get("OS-EXT-STS:task_state") is None


def awaits_confirmation(server: Server) -> bool:
    """Tell whether a resize or cold migration has to be confirmed or reverted."""
    return server["status"] == "VERIFY_RESIZE" and idle(server)


def _reason(server: Server) -> str:
    fault = server.get("fault", {}).get("message")
    return fault or f"the instance is {server['status']} on {host_of(server)}"
