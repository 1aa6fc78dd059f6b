"""Migrate an instance, live or cold.

Calls of Nova's API: os-migrateLive (block migration as Nova decides), migrate with a host (from
microversion 2.56), confirmResize and revertResize, DELETE of a live migration under way.
"""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import TEXT, TEXT_OR_NULL, UUID, parameters_schema
from tachyon.control.applier.actions.servers import (
    ServerAction,
    awaits_confirmation,
    host_of,
    idle,
)
from tachyon.errors import ActionFailed, ActionSkipped, CloudConflict, CloudError, CloudNotFound
from tachyon.openstack.collectors import queries


class Migrate(ServerAction):
    """Moves an instance to a host, or to one of Nova's choice."""

    name = "migrate"
    description = "Moving a VM instance from source_node to destination_node"
    schema = parameters_schema(
        ["migration_type", "resource_id", "source_node"],
        migration_type={"type": "string", "enum": ["live", "cold"]},
        resource_id=UUID,
        source_node=TEXT,
        destination_node=TEXT_OR_NULL,
        resource_name={"type": "string"},
    )

    @property
    def source(self) -> str:
        """The host that the instance is to leave."""
        return str(self.parameters["source_node"])

    @property
    def destination(self) -> str | None:
        """The host that it is to reach; None: any."""
        return self.parameters.get("destination_node") or None

    @property
    def live(self) -> bool:
        """Whether the instance goes on running."""
        return bool(self.parameters["migration_type"] == "live")

    def pre_condition(self) -> None:
        """Skip when the instance is gone or elsewhere; fail when it could not go or arrive."""
        server = self.must_exist()
        if self.outputs.get("begun"):
            return
        if host_of(server) != self.source:
            raise ActionSkipped(
                f"instance {self.resource} is on {host_of(server)}, not on {self.source}",
                host=host_of(server),
            )
        if self.destination is not None:
            self._check_destination(self.destination)
        if self.live and server["status"] not in ("ACTIVE", "PAUSED"):
            raise ActionFailed(
                f"instance {self.resource} is {server['status']}: no live migration",
                status=server["status"],
            )

    def _check_destination(self, host: str) -> None:
        services = queries.compute_services(self.cloud, host)
        if not services:
            raise ActionFailed(f"host {host} does not exist", host=host)
        if services[0]["status"] != "enabled" or services[0]["state"] != "up":
            said = f"{services[0]['status']} and {services[0]['state']}"
            raise ActionFailed(f"the compute service of {host} is {said}", host=host)

    def execute(self) -> None:
        """Migrate, or join a migration under way."""
        self._go(self.source, self.destination)
        self.keep(reached=host_of(self.server()))

    def _go(self, source: str, destination: str | None) -> None:
        server = self.server()
        if host_of(server) != source and idle(server) and not awaits_confirmation(server):
            return
        if idle(server) and not awaits_confirmation(server):
            self.keep(begun=True)
            if self.live:
                self.do(**{"os-migrateLive": {"host": destination, "block_migration": "auto"}})
            else:
                self.do(migrate={"host": destination} if destination else None)
        if self.live:
            self.settle(
                self.surroundings.patience.migration,
                lambda s: idle(s) and host_of(s) != source,
                f"the live migration of {self.resource}",
                failed=lambda s: host_of(s) == source,
            )
        else:
            self.finish_resize(confirm=True)

    def post_condition(self) -> None:
        """Look that the instance is where it should be, and in no error."""
        server = self.server()
        here = host_of(server)
        if here == self.source or (self.destination is not None and here != self.destination):
            raise ActionFailed(
                f"instance {self.resource} is on {here}, not on {self.destination}", host=here
            )
        if server["status"] == "ERROR":
            raise ActionFailed(f"instance {self.resource} is in error")

    def revert(self) -> None:
        """Migrate back."""
        here = host_of(self.server())
        if here is not None and here != self.source:
            self._go(here, self.source)

    def abort(self) -> bool:
        """Stop a live migration; revert a cold one."""
        server = self.server()
        if self.live:
            self._stop_live()
        elif not idle(server) or awaits_confirmation(server):
            self.finish_resize(confirm=False)
        return self._is_on_source()

    def _stop_live(self) -> None:
        """Ask Nova to stop until it has: a migration cannot be stopped before its copy begins."""

        def look() -> bool | None:
            if idle(self.server()):
                return True
            path = f"/servers/{self.resource}/migrations"
            try:
                for one in self.cloud.nova.entries(path, "migrations"):
                    self.cloud.nova.delete(f"{path}/{one['id']}")
            except (CloudNotFound, CloudConflict):
                pass  # it has just ended
            except CloudError as error:
                # Not yet, or no longer: then it ends by itself.
                if error.details.get("http_status") != 400:
                    raise
            return None

        self.poll(self.surroundings.patience.migration, look, "the end of the live migration")

    def _is_on_source(self) -> bool:
        here = host_of(self.server())
        if here == self.source:
            return True
        if self.destination in (None, here):
            return False
        raise ActionFailed(f"instance {self.resource} is on {here}", host=here)

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the migration back; None while it is not known from where."""
        reached = self.outputs.get("reached") or self.destination
        if reached is None:
            return None
        back = {**self.parameters, "source_node": reached, "destination_node": self.source}
        return self.name, back
