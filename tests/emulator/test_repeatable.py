"""The same requests to two clouds of one content: the same answers, as a failing test needs."""

from __future__ import annotations

from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import Emulator, ManualClock
from tests.collectors.clouds import small_cluster


def _told() -> list[tuple[str, str, str]]:
    with (
        Emulator(small_cluster().cluster, clock=ManualClock()) as emulator,
        connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud,
    ):
        flavor = next(iter(emulator.cloud.compute.flavors))
        body = {"server": {"name": "new", "flavorRef": flavor, "networks": "none"}}
        for _ in range(3):
            cloud.nova.post("/servers", body)
            emulator.settle()
            # The least by uuid: where new uuids were drawn by chance, another one each time.
            server = min(emulator.cloud.compute.servers)
            cloud.nova.post(f"/servers/{server}/action", {"migrate": None})
            emulator.settle()
            cloud.nova.delete(f"/servers/{server}")
            emulator.settle()
        return [
            (n.event_type, n.publisher_id, n.payload["nova_object.data"].get("uuid", ""))
            for n in emulator.notifications
        ]


def test_the_same_requests_get_the_same_uuids() -> None:
    told = _told()
    assert "instance.create.end" in {event for event, _, _ in told}
    assert told == _told()
