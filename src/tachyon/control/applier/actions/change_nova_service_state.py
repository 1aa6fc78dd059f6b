"""Enable or disable the compute service of a host (Nova's os-services)."""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import TEXT, TEXT_OR_NULL, Action, parameters_schema
from tachyon.errors import ActionFailed, ActionSkipped
from tachyon.openstack.collectors import queries

_OPPOSITE = {"enabled": "disabled", "disabled": "enabled"}
#: Why a service is disabled that an action enabled and that is to be as it was.
REVERTED = "watcher_disabled"


class ChangeNovaServiceState(Action):
    """Lets Nova place instances on a host, or no longer."""

    name = "change_nova_service_state"
    description = (
        "Disables or enables the nova-compute service. "
        "A disabled nova-compute service can not be selected by the nova for future deployment "
        "of new server."
    )
    schema = parameters_schema(
        ["resource_id", "state"],
        resource_id=TEXT,
        resource_name=TEXT,
        state={"type": "string", "enum": ["up", "down", "enabled", "disabled"]},
        disabled_reason=TEXT_OR_NULL,
    )

    @property
    def host(self) -> str:
        """The name of the host."""
        return str(self.parameters.get("resource_name") or self.resource)

    @property
    def state(self) -> str:
        """The state that the service is to have."""
        return str(self.parameters["state"])

    def _service(self) -> dict[str, Any] | None:
        return next(iter(queries.compute_services(self.cloud, self.host)), None)

    def pre_condition(self) -> None:
        """Skip when there is no such service, or it is in that state.

        A service that Tachyon disabled can be disabled again for another reason: a host that was
        released and goes into maintenance must not be taken for free.
        """
        if self.state not in _OPPOSITE:
            raise ActionFailed(f"The target state is not defined: {self.state}")
        service = self._service()
        if service is None:
            raise ActionSkipped(f"nova-compute service {self.host} does not exist", host=self.host)
        wanted = self.parameters.get("disabled_reason")
        reworded = service.get("disabled_reason") == REVERTED and wanted not in (None, REVERTED)
        if service["status"] == self.state and not reworded and not self.outputs:
            raise ActionSkipped(f"nova-compute service {self.host} is {self.state} already")

    def execute(self) -> None:
        """Change the state; what it was is kept."""
        service = self._service()
        if service is None:
            raise ActionFailed(f"nova-compute service {self.host} is gone", host=self.host)
        if not self.outputs:
            self.keep(status=service["status"], disabled_reason=service.get("disabled_reason"))
        self._set(service["id"], self.state, self.parameters.get("disabled_reason"))

    def _set(self, number: Any, state: str, reason: str | None) -> None:
        body: dict[str, Any] = {"status": state}
        if state == "disabled" and reason:
            body["disabled_reason"] = reason
        self.cloud.nova.put(f"/os-services/{number}", body)

    def post_condition(self) -> None:
        """Look at the state."""
        service = self._service()
        if service is None or service["status"] != self.state:
            raise ActionFailed(f"nova-compute service {self.host} is not {self.state}")

    def revert(self) -> None:
        """Bring the service back into the state from before, with its reason."""
        service = self._service()
        if service is None:
            raise ActionFailed(f"nova-compute service {self.host} is gone", host=self.host)
        before = str(self.outputs.get("status") or _OPPOSITE[self.state])
        self._set(service["id"], before, self.outputs.get("disabled_reason") or REVERTED)

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the change back."""
        before = str(self.outputs.get("status") or _OPPOSITE.get(self.state, "enabled"))
        back = {k: v for k, v in self.parameters.items() if k != "disabled_reason"}
        back["state"] = before
        if before == "disabled":
            back["disabled_reason"] = self.outputs.get("disabled_reason") or REVERTED
        return self.name, back
