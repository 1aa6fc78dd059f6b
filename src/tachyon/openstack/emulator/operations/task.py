"""What all work on servers has in common: a server changes state, and Nova tells of it."""

from __future__ import annotations

import itertools
from typing import Any

from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.notifications.nova import Teller
from tachyon.openstack.emulator.state.compute import Flavor, Host, Migration, Server
from tachyon.openstack.emulator.state.placement import Held, Holder

_UNSET: Any = object()


class WorkFailed(Exception):
    """Work cannot be done; the message becomes the server's fault."""


class Task:
    """Works on one server on behalf of one request."""

    _numbers = itertools.count(1)

    def __init__(self, cloud: Cloud, requester: Requester, server: Server) -> None:
        self.cloud = cloud
        self.requester = requester
        self.server = server
        self.tell = Teller(cloud, requester)
        self.step = cloud.durations.step

    def set(
        self,
        *,
        task: str | None = _UNSET,
        state: str | None = None,
        power: int | None = None,
        host: Host | None = _UNSET,
    ) -> None:
        """Change the server's states or host, save it, and tell."""
        server = self.server
        old_state, old_task = server.vm_state, server.task_state
        if task is not _UNSET:
            server.task_state = task
        if state is not None:
            server.vm_state = state
        if power is not None:
            server.power_state = power
        if host is not _UNSET:
            self.cloud.compute.move(server, host)
        server.updated = self.cloud.now()
        self.tell.update(server, old_state, old_task)

    def fail(self, message: str, *, state: str | None = None, code: int = 500) -> None:
        """Give up: the server keeps a fault, and is idle again."""
        self.server.fault = {
            "code": code,
            "created": self.cloud.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "message": message,
        }
        self.set(task=None, state=state)

    def breaks(self, kind: str, host: Host | None = None) -> bool:
        """Tell whether a fault makes this work fail."""
        names = (self.server.uuid, self.server.name)
        return self.cloud.faults.of_work(kind, names, host.name if host is not None else None)

    def migration(
        self, kind: str, destination: Host | None, new: Flavor | None = None
    ) -> Migration:
        """Return a new migration of the server."""
        server, now = self.server, self.cloud.now()
        numbers = {f.id: row for row, f in enumerate(self.cloud.compute.flavors.values(), start=1)}
        migration = Migration(
            id=next(self._numbers),
            uuid=self.cloud.new_id(),
            server=server,
            kind=kind,
            source=server.host or "",
            created=now,
            updated=now,
            destination=destination.name if destination is not None else None,
            old_flavor_id=numbers.get(server.flavor.id, 0),
            new_flavor_id=numbers.get((new or server.flavor).id, 0),
        )
        self.cloud.compute.add_migration(migration)
        return migration

    def mark(self, migration: Migration, status: str) -> None:
        """Change the status of a migration."""
        migration.status = status
        migration.updated = self.cloud.now()

    def holder(self, uuid: str, held: Held) -> Holder:
        """Return a consumer of Placement that belongs to the server's project."""
        return Holder(uuid, self.server.project_id, self.server.user_id, held=held)

    def hold_for_migration(self, migration: Migration, held: Held) -> None:
        """Let the migration keep what the server holds, and the server hold something else."""
        placement = self.cloud.placement
        source = placement.held_by(self.server.uuid)
        placement.write([self.holder(migration.uuid, source), self.holder(self.server.uuid, {})])
        placement.write([self.holder(self.server.uuid, held)])

    def drop_source(self, migration: Migration) -> None:
        """Give back what the migration has kept."""
        self.cloud.placement.write([self.holder(migration.uuid, {})])

    def take_back(self, migration: Migration) -> None:
        """Let the server hold again what the migration has kept."""
        placement = self.cloud.placement
        held = placement.held_by(migration.uuid)
        placement.write([self.holder(migration.uuid, {}), self.holder(self.server.uuid, held)])
