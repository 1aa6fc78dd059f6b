"""Somebody who operates the cloud with `openstack optimize …`, and the API where that ends."""

from __future__ import annotations

import json
from typing import Any

from tachyon.openstack.connection import Connection
from tests.interop_cloud.facts import until
from tests.interop_control.client import Client

OVER = ("SUCCEEDED", "FAILED", "CANCELLED")


class Operator:
    """Audits and plans from beginning to end.

    Args:
        client: the commands.
        cloud: whose catalog names the API.
    """

    def __init__(self, client: Client, cloud: Connection) -> None:
        self.client = client
        self._session = cloud.sdk.session

    def audit(self, goal: str, strategy: str, **parameters: Any) -> str:
        """Have an audit run to its success; return the uuid of its plan."""
        words = ["audit", "create", "-g", goal, "-s", strategy]
        for name, value in parameters.items():
            words += ["-p", f"{name}={json.dumps(value)}"]
        audit = self.client.ok(*words)["UUID"]
        shown = self.over("audit", audit)
        assert shown["State"] == "SUCCEEDED", shown
        (plan,) = self.client.ok("actionplan", "list", "--audit", audit)
        assert plan["State"] == "RECOMMENDED"
        return str(plan["UUID"])

    def over(self, noun: str, uuid: str, seconds: float = 180.0) -> dict[str, Any]:
        """Wait until an audit or a plan is over, and show it."""

        def shown() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.ok(noun, "show", uuid)
            return found if found["State"] in OVER else None

        found: dict[str, Any] = until(f"{noun} {uuid} to end", shown, seconds)
        return found

    def carry_out(self, plan: str) -> list[dict[str, Any]]:
        """Start a plan, see that all of it succeeds, return its actions."""
        self.client.ok("actionplan", "start", plan)
        return self.succeeded(plan)

    def succeeded(self, plan: str) -> list[dict[str, Any]]:
        """See that all of a plan that was started succeeds; return its actions."""
        shown = self.over("actionplan", plan)
        actions = self.actions(plan)
        assert shown["State"] == "SUCCEEDED", (shown, actions)
        assert {one["State"] for one in actions} == {"SUCCEEDED"}, actions
        return actions

    def actions(self, plan: str) -> list[dict[str, Any]]:
        """Return the actions of a plan with all their fields."""
        found: list[dict[str, Any]] = self.client.ok(
            "action", "list", "--action-plan", plan, "--detail"
        )
        return found

    def take_back(self, plan: str) -> list[dict[str, Any]]:
        """Roll a plan back, see that all of that succeeds, return the actions."""
        made = self.call("POST", f"/v1/action_plans/{plan}/rollback", {})
        assert made["rollback_of"] == plan
        return self.succeeded(made["uuid"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API where the catalog says it is, with the newest microversion."""
        answer = self._session.request(
            path,
            method,
            endpoint_filter={"service_type": "infra-optim", "interface": "public"},
            json=body,
            headers={"OpenStack-API-Version": "infra-optim latest"},
        )
        return answer.json() if answer.content else None


def kinds(actions: list[dict[str, Any]]) -> set[str]:
    """Return what actions do: their type, of a migration live or cold."""
    return {
        f"{one['Parameters']['migration_type']} {one['Action']}"
        if "migration_type" in one["Parameters"]
        else str(one["Action"])
        for one in actions
    }
