"""What decision engines answer to."""

from __future__ import annotations

from typing import Any, Protocol

from tachyon.control.rpc.transport import Client


class DecisionEngine(Protocol):
    """The calls of a decision engine; its endpoint and its client have them alike."""

    def trigger_audit(self, *, audit_uuid: str) -> None:
        """Look for audits to run, this one among them; a cast, so nobody waits."""

    def get_strategy_info(self, *, strategy_name: str) -> list[dict[str, Any]]:
        """Return what a strategy needs, and whether it is there.

        Four objects {type, state, mandatory, comment}, of the types Datasource, Metrics, CDM and
        Name (control plane contract, "Strategies").

        Raises:
            NotFound: no such strategy is installed.
        """

    def dry_run_audit(self, *, audit_uuid: str) -> dict[str, Any]:
        """Run an audit's strategy without storing a plan.

        Returns:
            {"strategy": name, "actions": [{"uuid", "action_type", "input_parameters", "parents"}],
            "efficacy_indicators": [{"name", "description", "unit", "value"}], "global_efficacy":
            [the same], "metrics": {"before": {…}, "after": {…}}}.
        """


class DecisionEngineClient:
    """The decision engines behind a transport; any one of them answers."""

    def __init__(self, transport: Any, topic: str, *, timeout: float = 60.0) -> None:
        self._client = Client(transport, topic, timeout)

    def trigger_audit(self, *, audit_uuid: str) -> None:
        """See `DecisionEngine`."""
        self._client.cast("trigger_audit", audit_uuid=audit_uuid)

    def get_strategy_info(self, *, strategy_name: str) -> list[dict[str, Any]]:
        """See `DecisionEngine`."""
        found: list[dict[str, Any]] = self._client.call(
            "get_strategy_info", strategy_name=strategy_name
        )
        return found

    def dry_run_audit(self, *, audit_uuid: str) -> dict[str, Any]:
        """See `DecisionEngine`."""
        found: dict[str, Any] = self._client.call("dry_run_audit", audit_uuid=audit_uuid)
        return found
