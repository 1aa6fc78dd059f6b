"""Cinder's calls about snapshots: listed, taken, removed."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.notifications import cinder
from tachyon.openstack.emulator.services.paging import add_links, page_of
from tachyon.openstack.emulator.services.requester import requester_of
from tachyon.openstack.emulator.state.storage import Snapshot, Volume
from tachyon.openstack.emulator.times import micro
from tachyon.openstack.emulator.web import Call, Refused, Route, flag


def _body(volume: Volume, found: Snapshot) -> dict[str, Any]:
    return {
        "created_at": micro(found.created),
        "description": None,
        "id": found.id,
        "metadata": {},
        "name": found.name,
        "os-extended-snapshot-attributes:progress": "100%",
        "os-extended-snapshot-attributes:project_id": volume.project_id,
        "size": found.size,
        "status": "available",
        "updated_at": micro(found.created),
        "volume_id": volume.id,
    }


def _mine(call: Call, volume: Volume) -> bool:
    return call.is_admin or volume.project_id == call.project_id


def _all(call: Call) -> Any:
    everybody = call.is_admin and flag(call.query.get("all_tenants"))
    found = [
        (volume, one)
        for volume in call.cloud.storage.volumes.values()
        if everybody or volume.project_id == call.project_id
        if call.query.get("volume_id") in (None, volume.id)
        for one in volume.snapshots.values()
    ]
    page, marker = page_of(call, found, lambda pair: pair[1].id)
    bodies = [_body(volume, one) for volume, one in page]
    return add_links(call, {"snapshots": bodies}, "snapshots_links", marker)


def _take(call: Call) -> Any:
    asked = call.member("snapshot")
    volume = call.cloud.storage.volumes.get(str(asked.get("volume_id")))
    if volume is None or not _mine(call, volume):
        raise Refused(404, f"Volume {asked.get('volume_id')} could not be found.")
    if volume.status != "available" and not flag(str(asked.get("force"))):
        raise Refused(400, f"Invalid volume: Volume {volume.id} status must be available.")
    made = Snapshot(
        call.cloud.new_id(), str(asked.get("name") or ""), volume.size, call.cloud.now()
    )
    volume.snapshots[made.id] = made
    _tell(call, "create", volume, made)
    return {"snapshot": _body(volume, made)}


def _remove(call: Call) -> None:
    uuid = call.names["snapshot"]
    for volume in call.cloud.storage.volumes.values():
        found = volume.snapshots.get(uuid)
        if found is not None and _mine(call, volume):
            del volume.snapshots[uuid]
            _tell(call, "delete", volume, found)
            return
    raise Refused(404, f"Snapshot {uuid} could not be found.")


def _tell(call: Call, event: str, volume: Volume, found: Snapshot) -> None:
    teller = cinder.Teller(call.cloud, requester_of(call))
    for phase in ("start", "end"):
        teller.snapshot(f"{event}.{phase}", volume, found)


_P = "/v3/{project}"

ROUTES = (
    Route("GET", f"{_P}/snapshots/detail", _all),
    Route("POST", f"{_P}/snapshots", _take, status=202),
    Route("DELETE", f"{_P}/snapshots/{{snapshot}}", _remove, status=202),
)
