"""Resize an instance to another flavor, and confirm it."""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import TEXT, UUID, parameters_schema
from tachyon.control.applier.actions.servers import ServerAction, awaits_confirmation, idle
from tachyon.errors import ActionFailed, ActionSkipped
from tachyon.openstack.collectors import queries


class Resize(ServerAction):
    """Gives an instance another flavor, named by id or name."""

    name = "resize"
    description = "Resize a server with specified flavor."
    schema = parameters_schema(
        ["resource_id", "flavor"],
        resource_id=UUID,
        flavor=TEXT,
        resource_name={"type": "string"},
    )

    def _flavor(self, name: str) -> dict[str, Any]:
        found = queries.flavor(self.cloud, name)
        if found is None:
            found = next((f for f in queries.flavors(self.cloud) if f["name"] == name), None)
        if found is None:
            raise ActionFailed(f"flavor {name} does not exist", flavor=name)
        return found

    def pre_condition(self) -> None:
        """Skip when the instance is gone or of that flavor; fail for an unknown flavor."""
        server = self.must_exist()
        flavor = self._flavor(self.parameters["flavor"])
        if not self.outputs.get("begun") and self._has(server, flavor):
            raise ActionSkipped(f"instance {self.resource} has flavor {flavor['name']} already")

    @staticmethod
    def _has(server: dict[str, Any], flavor: dict[str, Any]) -> bool:
        mine = server["flavor"]
        return bool(flavor["name"] == mine.get("original_name") or flavor["id"] == mine.get("id"))

    def execute(self) -> None:
        """Resize, or join a resize under way."""
        self._to(self._flavor(self.parameters["flavor"]))

    def _to(self, flavor: dict[str, Any]) -> None:
        server = self.server()
        if idle(server) and not awaits_confirmation(server):
            if self._has(server, flavor):
                return
            mine = server["flavor"]
            self.keep(begun=True, flavor=mine.get("original_name") or mine.get("id"))
            self.do(resize={"flavorRef": flavor["id"]})
        self.finish_resize(confirm=True)

    def post_condition(self) -> None:
        """Look that the instance has the flavor."""
        if not self._has(self.server(), self._flavor(self.parameters["flavor"])):
            raise ActionFailed(f"instance {self.resource} does not have the flavor")

    def revert(self) -> None:
        """Resize back to the flavor from before."""
        before = self.outputs.get("flavor")
        if before is None:
            raise ActionFailed(f"the flavor that {self.resource} had is not known")
        self._to(self._flavor(before))

    def abort(self) -> bool:
        """Revert a resize under way."""
        server = self.server()
        if not idle(server) or awaits_confirmation(server):
            self.finish_resize(confirm=False)
            return True
        return not self._has(server, self._flavor(self.parameters["flavor"]))

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the resize back."""
        before = self.outputs.get("flavor")
        return None if before is None else (self.name, {**self.parameters, "flavor": before})
