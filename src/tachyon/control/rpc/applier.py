"""What appliers answer to."""

from __future__ import annotations

from typing import Any, Protocol

from tachyon.control.rpc.transport import Client


class Applier(Protocol):
    """The calls of an applier; its endpoint and its client have them alike."""

    def launch_action_plan(self, *, action_plan_uuid: str) -> None:
        """Execute a PENDING plan, unless another applier has claimed it; a cast."""

    def cancel_action_plan(self, *, action_plan_uuid: str) -> None:
        """Interrupt a plan that is CANCELLING, at whichever applier executes it; a cast to all."""

    def rollback_action_plan(self, *, action_plan_uuid: str) -> str:
        """Make and start the plan that takes back what a finished plan did.

        Returns:
            The uuid of that plan, whose `rollback_of` is the finished one.

        Raises:
            InvalidInput: there is nothing that could be taken back.
            Conflict: the plan is no longer finished, or is being taken back already.
        """


class ApplierClient:
    """The appliers behind a transport."""

    def __init__(self, transport: Any, topic: str, *, timeout: float = 60.0) -> None:
        self._client = Client(transport, topic, timeout)

    def launch_action_plan(self, *, action_plan_uuid: str) -> None:
        """See `Applier`."""
        self._client.cast("launch_action_plan", action_plan_uuid=action_plan_uuid)

    def cancel_action_plan(self, *, action_plan_uuid: str) -> None:
        """See `Applier`."""
        self._client.cast("cancel_action_plan", fanout=True, action_plan_uuid=action_plan_uuid)

    def rollback_action_plan(self, *, action_plan_uuid: str) -> str:
        """See `Applier`."""
        found: str = self._client.call("rollback_action_plan", action_plan_uuid=action_plan_uuid)
        return found
