"""Stop an instance, and start one again."""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import UUID, parameters_schema
from tachyon.control.applier.actions.servers import ServerAction, idle
from tachyon.errors import ActionFailed, ActionSkipped

STOPPED, RUNNING = "SHUTOFF", "ACTIVE"


class _Switch(ServerAction):
    """Brings an instance into a status by a call of Nova."""

    status: str
    call: str
    opposite: tuple[str, str]

    def pre_condition(self) -> None:
        """Skip when the instance is gone or so already."""
        if self.must_exist()["status"] == self.status and not self.outputs:
            raise ActionSkipped(f"instance {self.resource} is {self.status} already")

    def execute(self) -> None:
        """Ask for it and wait; an instance that vanishes meanwhile needs nothing more."""
        if not self.outputs:
            self.keep(begun=True)
        self._bring(self.call, self.status)

    def _bring(self, call: str, status: str) -> None:
        server = self.find()
        if server is None or (server["status"] == status and idle(server)):
            return
        if idle(server):
            self.do(**{call: None})

        def look() -> bool | None:
            now = self.find()
            if now is None or (now["status"] == status and idle(now)):
                return True
            if now["status"] == "ERROR":
                raise ActionFailed(f"instance {self.resource} is in error")
            return None

        self.poll(self.surroundings.patience.stop, look, f"{self.name} of {self.resource}")

    def revert(self) -> None:
        """Bring it back."""
        self._bring(*self.opposite)

    def abort(self) -> bool:
        """Bring it back."""
        self._bring(*self.opposite)
        return True


class Stop(_Switch):
    """Stops an instance."""

    name = "stop"
    description = "Stop a VM instance"
    schema = parameters_schema(["resource_id"], resource_id=UUID, resource_name={"type": "string"})
    status, call = STOPPED, "os-stop"
    opposite = ("os-start", RUNNING)

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the start."""
        return Start.name, dict(self.parameters)


class Start(_Switch):
    """Starts an instance; what takes back a stop."""

    name = "start"
    description = "Start a VM instance"
    schema = Stop.schema
    status, call = RUNNING, "os-start"
    opposite = ("os-stop", STOPPED)

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the stop."""
        return Stop.name, dict(self.parameters)
