"""Everything that an optimiser may ask of a cloud, done to an emulated one, step by step.

The steps are those with which the captured notifications were caused on a real control plane, so
what they cause here can be compared with what they caused there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator import Durations, Emulator, ManualClock
from tachyon.openstack.service import Answer

#: Longer than anything that happens at once, so that a migration can be met in the middle.
DURATIONS = Durations(step=0.01, live_migration=30.0)


class Exercise:
    """One server and one volume, and what is done to them."""

    def __init__(self, emulator: Emulator, cloud: Connection) -> None:
        assert isinstance(emulator.clock, ManualClock)
        self.emulator = emulator
        self.cloud = cloud
        self.flavors = {
            f["name"]: f["id"] for f in cloud.nova.entries("/flavors/detail", "flavors")
        }
        found = cloud.placement.entries("/resource_providers", "resource_providers")
        self.names = {p["uuid"]: p["name"] for p in found}
        self.uuids = {p["name"]: p["uuid"] for p in found}
        self.vm = ""
        self.volume = ""

    def act(self, action: str, arguments: Any = None, *, settle: bool = True) -> None:
        self.cloud.nova.post(f"/servers/{self.vm}/action", {action: arguments})
        if settle:
            self.emulator.settle()

    def server(self) -> Answer:
        answer: Answer = self.cloud.nova.get(f"/servers/{self.vm}")["server"]
        return answer

    @property
    def host(self) -> str | None:
        name: str | None = self.server()["OS-EXT-SRV-ATTR:host"]
        return name

    @property
    def status(self) -> tuple[str, str | None]:
        server = self.server()
        return server["status"], server["OS-EXT-STS:task_state"]

    def held(self, consumer: str | None = None) -> dict[str, int]:
        """VCPU by name of the host on which a consumer, or the server, holds them."""
        answer = self.cloud.placement.get(f"/allocations/{consumer or self.vm}")
        return {
            self.names[uuid]: a["resources"]["VCPU"] for uuid, a in answer["allocations"].items()
        }

    def migrations(self) -> list[Answer]:
        """The newest first."""
        return self.cloud.nova.entries("/os-migrations", "migrations", {"instance_uuid": self.vm})

    def running(self) -> Answer:
        """Let a live migration begin to copy, and return it as its server shows it."""
        self.emulator.advance(1.0)
        (migration,) = self.cloud.nova.entries(f"/servers/{self.vm}/migrations", "migrations")
        return migration

    def boot(self, host: str) -> None:
        asked = {
            "name": "exercise",
            "flavorRef": self.flavors["small"],
            "imageRef": "6196c12c-7b97-4f9a-8a4c-0655eeedee16",
            "networks": "none",
            "host": host,
        }
        self.vm = self.cloud.nova.post("/servers", {"server": asked})["server"]["id"]
        self.emulator.settle()

    def volume_body(self) -> Answer:
        answer: Answer = self.cloud.cinder.get(f"/volumes/{self.volume}")["volume"]
        return answer

    @property
    def pool(self) -> str:
        name: str = self.volume_body()["os-vol-host-attr:host"]
        return name

    def act_on_volume(self, action: str, arguments: Any) -> None:
        self.cloud.cinder.post(f"/volumes/{self.volume}/action", {action: arguments})
        self.emulator.settle()

    def service(self, host: str) -> Answer:
        params = {"binary": "nova-compute", "host": host}
        (found,) = self.cloud.nova.entries("/os-services", "services", params)
        return found

    def set_service(self, host: str, **changes: Any) -> None:
        self.cloud.nova.put(f"/os-services/{self.service(host)['id']}", changes)
        self.emulator.settle()


Step = Callable[[Exercise], None]


def servers(x: Exercise) -> None:
    """Live and cold migrations, resizes, and all that a server can do on its host."""
    x.boot("compute-5")
    assert (x.host, x.status, x.held()) == ("compute-5", ("ACTIVE", None), {"compute-5": 1})
    live = {"host": "compute-6", "block_migration": "auto"}
    x.act("os-migrateLive", live)
    assert (x.host, x.held()) == ("compute-6", {"compute-6": 1})
    assert x.migrations()[0]["status"] == "completed"
    x.act("os-migrateLive", {**live, "host": None})
    assert x.host != "compute-6"
    force = {"os-migrateLive": {**live, "force": True}}
    path = f"/servers/{x.vm}/action"
    x.cloud.nova.request("POST", path, body=force, microversion="2.67")
    x.emulator.settle()
    assert x.host == "compute-6"
    _abort_and_force(x)
    _cold(x)
    _states(x)


def _abort_and_force(x: Exercise) -> None:
    live = {"host": "compute-5", "block_migration": "auto"}
    x.act("os-migrateLive", live, settle=False)
    migration = x.running()
    assert x.held(migration["uuid"]) == {"compute-6": 1}
    assert x.held() == {"compute-5": 1}
    x.cloud.nova.delete(f"/servers/{x.vm}/migrations/{migration['id']}")
    x.emulator.settle()
    assert (x.host, x.status, x.held()) == ("compute-6", ("ACTIVE", None), {"compute-6": 1})
    assert x.migrations()[0]["status"] == "cancelled"
    x.act("os-migrateLive", live, settle=False)
    path = f"/servers/{x.vm}/migrations/{x.running()['id']}/action"
    x.cloud.nova.post(path, {"force_complete": None})
    x.emulator.advance(1.0)
    assert (x.host, x.held()) == ("compute-5", {"compute-5": 1})


def _cold(x: Exercise) -> None:
    x.act("migrate")
    target = x.host
    assert x.status == ("VERIFY_RESIZE", None)
    assert target is not None
    assert target != "compute-5"
    assert x.held() == {target: 1}
    assert x.held(x.migrations()[0]["uuid"]) == {"compute-5": 1}
    x.act("confirmResize")
    assert (x.host, x.status, x.held()) == (target, ("ACTIVE", None), {target: 1})
    other = "compute-6" if target != "compute-6" else "compute-5"
    x.act("migrate", {"host": other})
    x.act("confirmResize")
    assert (x.host, x.held()) == (other, {other: 1})
    x.act("resize", {"flavorRef": x.flavors["medium"]})
    x.act("confirmResize")
    before = x.host
    assert before is not None
    assert x.server()["flavor"]["original_name"] == "medium"
    x.act("resize", {"flavorRef": x.flavors["small"]})
    assert x.server()["flavor"]["original_name"] == "small"
    x.act("revertResize")
    assert (x.host, x.status, x.held()) == (before, ("ACTIVE", None), {before: 2})
    x.act("os-stop")
    assert x.status == ("SHUTOFF", None)
    x.act("migrate")
    x.act("confirmResize")
    assert x.status == ("SHUTOFF", None)
    x.act("os-start")
    assert x.status == ("ACTIVE", None)


def _states(x: Exercise) -> None:
    for action, status in (
        ("suspend", "SUSPENDED"),
        ("resume", "ACTIVE"),
        ("pause", "PAUSED"),
        ("unpause", "ACTIVE"),
    ):
        x.act(action)
        assert x.status == (status, None)
    x.act("lock", {"locked_reason": "exercise"})
    assert x.server()["locked_reason"] == "exercise"
    x.act("unlock")
    x.act("shelve")
    assert x.status == ("SHELVED_OFFLOADED", None)
    assert (x.host, x.held()) == (None, {})
    x.act("unshelve", {"host": "compute-6"})
    assert (x.host, x.held()) == ("compute-6", {"compute-6": 2})


def hosts(x: Exercise) -> None:
    """A host disabled, enabled, and left by evacuation when it is down."""
    x.set_service("compute-5", status="disabled", disabled_reason="maintaining")
    path = f"/resource_providers/{x.uuids['compute-5']}/traits"
    assert x.service("compute-5")["disabled_reason"] == "maintaining"
    assert "COMPUTE_STATUS_DISABLED" in x.cloud.placement.get(path)["traits"]
    x.set_service("compute-5", status="enabled")
    assert "COMPUTE_STATUS_DISABLED" not in x.cloud.placement.get(path)["traits"]
    x.act("os-migrateLive", {"host": "compute-5", "block_migration": "auto"})
    x.set_service("compute-5", forced_down=True)
    x.act("evacuate", {"host": "compute-6"})
    assert (x.host, x.status) == ("compute-6", ("SHUTOFF", None))
    assert x.held() == {"compute-5": 2, "compute-6": 2}
    revive(x.emulator, "compute-5")
    assert x.held() == {"compute-6": 2}
    x.set_service("compute-5", forced_down=False)
    assert x.service("compute-5")["state"] == "up"
    x.act("os-start")
    x.act("reboot", {"type": "SOFT"})
    x.act("reboot", {"type": "HARD"})
    assert x.status == ("ACTIVE", None)


def snapshot(x: Exercise) -> None:
    """An image made of the server, and deleted."""
    path = f"/servers/{x.vm}/action"
    made = x.cloud.nova.post(path, {"createImage": {"name": "exercise-image"}})["image_id"]
    x.emulator.settle()
    assert x.cloud.sdk.image.get_image(made).status == "active"
    x.cloud.sdk.image.delete_image(made)
    assert [image.name for image in x.cloud.sdk.image.images()] == ["empty"]


def revive(emulator: Emulator, host: str) -> None:
    requests.post(f"{emulator.url}/_emulator/hosts/{host}/revive", timeout=10).raise_for_status()


def volumes(x: Exercise) -> None:
    """A volume made, moved, retyped, attached, moved with its server and by itself, removed."""
    asked = {"name": "exercise", "volume_type": "any", "size": 3}
    x.volume = x.cloud.cinder.post("/volumes", {"volume": asked})["volume"]["id"]
    x.emulator.settle()
    assert x.volume_body()["status"] == "available"
    _move_volume(x)
    for kind in ("hdd", "ssd", "any"):
        x.act_on_volume("os-retype", {"new_type": kind, "migration_policy": "on-demand"})
        assert x.volume_body()["volume_type"] == kind
        assert kind == "any" or f"@{kind}#" in x.pool
    path = f"/servers/{x.vm}/os-volume_attachments"
    x.cloud.nova.post(path, {"volumeAttachment": {"volumeId": x.volume}})
    x.emulator.settle()
    assert x.volume_body()["status"] == "in-use"
    target = "compute-5" if x.host != "compute-5" else "compute-6"
    x.act("os-migrateLive", {"host": target, "block_migration": "auto"})
    (attachment,) = x.volume_body()["attachments"]
    assert attachment["host_name"] == target
    _move_volume(x)
    kind = "hdd" if "@ssd" in x.pool else "ssd"
    x.act_on_volume("os-retype", {"new_type": kind, "migration_policy": "on-demand"})
    assert f"@{kind}#" in x.pool
    x.cloud.nova.delete(f"{path}/{x.volume}")
    x.emulator.settle()
    assert x.volume_body()["attachments"] == []
    x.cloud.cinder.delete(f"/volumes/{x.volume}")
    x.emulator.settle()


def _move_volume(x: Exercise) -> None:
    before = x.volume_body()["status"]
    first = x.pool[:-1] + ("2" if x.pool.endswith("1") else "1")
    second = "storage@ssd#ssd-1" if "@hdd" in first else "storage@hdd#hdd-1"
    for pool in (first, second):
        x.act_on_volume("os-migrate_volume", {"host": pool, "force_host_copy": False})
        assert x.pool == pool
        assert x.volume_body()["migration_status"] == "success"
        assert x.volume_body()["status"] == before


def the_end(x: Exercise) -> None:
    """The server deleted; an aggregate made, filled, emptied and deleted."""
    x.cloud.nova.delete(f"/servers/{x.vm}")
    x.emulator.settle()
    assert x.held() == {}
    made = x.cloud.nova.post("/os-aggregates", {"aggregate": {"name": "exercise"}})["aggregate"]
    path = f"/os-aggregates/{made['id']}"
    provider = f"/resource_providers/{x.uuids['compute-6']}/aggregates"
    x.cloud.nova.post(f"{path}/action", {"add_host": {"host": "compute-6"}})
    assert made["uuid"] in x.cloud.placement.get(provider)["aggregates"]
    x.cloud.nova.post(f"{path}/action", {"remove_host": {"host": "compute-6"}})
    assert made["uuid"] not in x.cloud.placement.get(provider)["aggregates"]
    x.cloud.nova.delete(path)


#: In this order; each goes on with the server and volume of those before.
STEPS: tuple[Step, ...] = (servers, hosts, snapshot, volumes, the_end)
