"""Move a volume to another pool, or to another type (Cinder's os-migrate_volume and os-retype).

Watcher's `swap` is a migration, too: Cinder and Nova copy an attached volume while it is used.
"""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import TEXT_OR_NULL, UUID, Action, parameters_schema
from tachyon.control.applier.actions.servers import Server
from tachyon.errors import ActionFailed, ActionSkipped
from tachyon.openstack.collectors import queries

HOST = "os-vol-host-attr:host"
_COPYING = ("migrating", "starting", "completing")


class VolumeMigrate(Action):
    """Moves a volume to a pool (`destination_node`) or to a type (`destination_type`)."""

    name = "volume_migrate"
    description = "Moving a volume to destination_node or destination_type"
    schema = parameters_schema(
        ["resource_id", "migration_type"],
        resource_id=UUID,
        resource_name={"type": "string"},
        migration_type={"type": "string", "enum": ["swap", "retype", "migrate"]},
        destination_node=TEXT_OR_NULL,
        destination_type=TEXT_OR_NULL,
    )

    @property
    def retypes(self) -> bool:
        """Whether the type changes, and not only the pool."""
        return bool(self.parameters["migration_type"] == "retype")

    @property
    def target(self) -> str:
        """The pool or the type; raises `ActionFailed` when none is given."""
        name = "destination_type" if self.retypes else "destination_node"
        found = self.parameters.get(name)
        if not found:
            raise ActionFailed(f"{name} is missing")
        return str(found)

    def _volume(self) -> dict[str, Any]:
        found = queries.volume(self.cloud, self.resource)
        if found is None:
            raise ActionFailed(f"volume {self.resource} is gone", volume=self.resource)
        return found

    def _is_there(self, volume: dict[str, Any], target: str | None = None) -> bool:
        wanted = target or self.target
        return bool(volume["volume_type" if self.retypes else HOST] == wanted)

    def pre_condition(self) -> None:
        """Skip when the volume is gone or there already; fail when it could not go or arrive."""
        volume = queries.volume(self.cloud, self.resource)
        if volume is None:
            raise ActionSkipped(f"volume {self.resource} does not exist", volume=self.resource)
        if self.outputs.get("begun"):
            return
        if self._is_there(volume):
            raise ActionSkipped(f"volume {self.resource} is on {self.target} already")
        known = (
            {t["name"] for t in queries.volume_types(self.cloud)}
            if self.retypes
            else {p["name"] for p in queries.pools(self.cloud)}
        )
        if self.target not in known:
            kind = "type" if self.retypes else "pool"
            raise ActionFailed(f"there is no {kind} {self.target}", target=self.target)
        for attachment in volume.get("attachments") or ():
            self._check_instance(volume, attachment["server_id"])

    def _check_instance(self, volume: dict[str, Any], uuid: str) -> None:
        server: Server | None = queries.server(self.cloud, uuid)
        if volume["status"] != "in-use" or server is None:
            raise ActionFailed(f"volume {self.resource} is {volume['status']}, though attached")
        if server["status"] not in ("ACTIVE", "PAUSED"):
            raise ActionFailed(f"instance {uuid} of volume {self.resource} is {server['status']}")

    def execute(self) -> None:
        """Move it, or join a move under way."""
        volume = self._volume()
        if not self.outputs.get("begun"):
            attached = bool(volume.get("attachments"))
            self.keep(begun=True, host=volume[HOST], type=volume["volume_type"], attached=attached)
        self._go(self.target)

    def _go(self, target: str) -> None:
        volume = self._volume()
        if not _under_way(volume) and not self._is_there(volume, target):
            path = f"/volumes/{self.resource}/action"
            if self.retypes:
                body: dict[str, Any] = {
                    "os-retype": {"new_type": target, "migration_policy": "on-demand"}
                }
            else:
                body = {
                    "os-migrate_volume": {
                        "host": target,
                        "force_host_copy": False,
                        "lock_volume": False,
                    }
                }
            self.cloud.cinder.post(path, body)

        def look() -> bool | None:
            now = self._volume()
            if _under_way(now) or (self.outputs.get("attached") and _is_loose(now)):
                return None
            if self._is_there(now, target):
                return True
            raise ActionFailed(
                f"volume {self.resource} is {now['status']} on {now[HOST]}, its migration "
                f"{now.get('migration_status')}",
                volume=self.resource,
            )

        self.poll(self.surroundings.patience.volume, look, f"the move of volume {self.resource}")

    def post_condition(self) -> None:
        """Look where the volume is, and that it can be used."""
        volume = self._volume()
        if not self._is_there(volume) or volume["status"] not in ("available", "in-use"):
            raise ActionFailed(f"volume {self.resource} is {volume['status']} on {volume[HOST]}")

    def revert(self) -> None:
        """Move it back."""
        before = self.outputs.get("type" if self.retypes else "host")
        if before is None:
            raise ActionFailed(f"where volume {self.resource} was is not known")
        self._go(str(before))

    def abort(self) -> bool:
        """Wait for the end: Cinder cannot be stopped in a copy."""
        volume = self.poll(
            self.surroundings.patience.volume,
            lambda: None if _under_way(v := self._volume()) else v,
            f"the end of the move of volume {self.resource}",
        )
        return not self._is_there(volume)

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the move back; None while it is not known from where."""
        name = "destination_type" if self.retypes else "destination_node"
        before = self.outputs.get("type" if self.retypes else "host")
        return None if before is None else (self.name, {**self.parameters, name: before})


def _is_loose(volume: dict[str, Any]) -> bool:
    """Tell whether a volume is between two attachments.

    Cinder says that the move is over before the new attachment is there; until it is, Nova refuses
    to migrate the instance.
    """
    return volume["status"] == "in-use" and not volume.get("attachments")


def _under_way(volume: dict[str, Any]) -> bool:
    return volume["status"] == "retyping" or volume.get("migration_status") in _COPYING
