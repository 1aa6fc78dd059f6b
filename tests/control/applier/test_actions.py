"""Each type of action against an emulated cloud, over HTTP: done, skipped, refused, broken off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tachyon.control.applier.applier import Applier
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.generator import generate
from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import Emulator, ManualClock, RequestFault, WorkFault
from tachyon.openstack.emulator.durations import Durations
from tachyon.openstack.power import IronicPower
from tests.control.world import World
from tests.waiting import PATIENCE, until

#: Each starts an emulated cloud: together they take as long as all the others of this folder.
pytestmark = pytest.mark.integration

HOST = "OS-EXT-SRV-ATTR:host"
#: Of emulated time, which stands still until a test lets it pass.
SLOW = Durations(live_migration=60, cold_migration=60, volume=60, power=60, boot=1)
FREE_NODE = "11111111-0000-4000-8000-000000000001"
BUSY_NODE = "11111111-0000-4000-8000-000000000002"


class Plant:
    """An emulated cloud and an applier on it."""

    def __init__(self, world: World, emulator: Emulator, cloud: Connection) -> None:
        self.world, self.emulator, self.cloud = world, emulator, cloud
        self.applier = self.another("one")

    def another(self, host: str, **options: Any) -> Applier:
        power = IronicPower(self.cloud)
        return self.world.applier(host, cloud=self.cloud, power=power, **options)

    def servers(self, status: str = "ACTIVE") -> list[dict[str, Any]]:
        found = queries.servers(self.cloud)
        return sorted((s for s in found if s["status"] == status), key=lambda s: s["id"])

    def server(self, uuid: str) -> dict[str, Any]:
        found = queries.server(self.cloud, uuid)
        assert found is not None
        return found

    def hosts(self, but: str = "") -> list[str]:
        found = queries.compute_services(self.cloud)
        up = [s["host"] for s in found if s["status"] == "enabled" and s["state"] == "up"]
        return sorted(host for host in up if host != but)

    def run(self, kind: str, **given: Any) -> tuple[str, str | None]:
        """Execute a plan of one action; time passes as soon as the action waits for it."""
        plan = self.world.plan([(kind, given, ())])
        self.applier.look()
        while not self.applier.join(0.02):
            self.emulator.settle()
            self.applier.look()
        return self.world.states(plan)[0], self.world.messages(plan)[0]

    def begin(self, kind: str, **given: Any) -> Any:
        """Begin a plan of one action, and stop where it waits for the cloud."""
        plan = self.world.plan([(kind, given, ())])
        self.applier.look()
        until(lambda: bool(self.action(plan).outputs))
        until(lambda: not self.emulator.clock.idle)
        return plan

    def action(self, plan: Any) -> Any:
        return self.world.objects.actions.find({"action_plan_id": plan.id})[0]

    def cancel(self, plan: Any) -> None:
        self.world.objects.action_plans.transition(plan.uuid, "CANCELLING", by_user=True)
        self.applier.cancel_action_plan(action_plan_uuid=plan.uuid)
        while not self.applier.join(0.1):
            self.emulator.clock.advance(1)


@pytest.fixture
def plant(world: World) -> Iterator[Plant]:
    content = generate(hosts=4, instances=8, pools=2, volumes=4, seed=1, load=0.2)
    first = content.cluster.providers[0]
    nodes = [
        ResourceProvider(
            uuid=uuid, name=name, type="baremetal", power_state="power on", extra=extra
        )
        for uuid, name, extra in (
            (FREE_NODE, "free", {}),
            (BUSY_NODE, "busy", {"compute_node_id": first.uuid}),
        )
    ]
    content.cluster.providers.extend(nodes)
    with (
        Emulator(content, clock=ManualClock(), durations=SLOW) as emulator,
        connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud,
    ):
        plant = Plant(world, emulator, cloud)
        yield plant
        plant.applier.stop()


def migration(plant: Plant, kind: str = "live") -> dict[str, Any]:
    server = plant.servers()[0]
    return {
        "migration_type": kind,
        "resource_id": server["id"],
        "source_node": server[HOST],
        "destination_node": plant.hosts(but=server[HOST])[0],
    }


@pytest.mark.parametrize("kind", ["live", "cold"])
def test_an_instance_migrates_to_its_destination(plant: Plant, kind: str) -> None:
    given = migration(plant, kind)
    assert plant.run("migrate", **given) == ("SUCCEEDED", None)
    server = plant.server(given["resource_id"])
    assert (server[HOST], server["status"]) == (given["destination_node"], "ACTIVE")


@pytest.mark.parametrize("kind", ["live", "cold"])
def test_without_a_destination_nova_chooses(plant: Plant, kind: str) -> None:
    given = {**migration(plant, kind), "destination_node": None}
    assert plant.run("migrate", **given) == ("SUCCEEDED", None)
    assert plant.server(given["resource_id"])[HOST] != given["source_node"]


def test_what_has_left_or_gone_is_skipped(plant: Plant) -> None:
    given = migration(plant)
    elsewhere = {**given, "source_node": given["destination_node"]}
    assert plant.run("migrate", **elsewhere)[0] == "SKIPPED"
    gone = "00000000-0000-4000-8000-000000000000"
    for kind, more in (
        ("migrate", {k: v for k, v in given.items() if k != "resource_id"}),
        ("resize", {"flavor": "x"}),
        ("stop", {}),
        ("start", {}),
        ("volume_migrate", {"migration_type": "migrate", "destination_node": "x"}),
        ("change_node_power_state", {"state": "on"}),
        ("change_nova_service_state", {"state": "disabled"}),
    ):
        state, message = plant.run(kind, resource_id=gone, **more)
        assert (kind, state) == (kind, "SKIPPED")
        assert "does not exist" in (message or "")


def test_a_destination_out_of_service_is_refused(plant: Plant) -> None:
    given = migration(plant)
    host = given["destination_node"]
    reason = {"resource_id": host, "resource_name": host, "disabled_reason": "by me"}
    assert plant.run("change_nova_service_state", state="disabled", **reason)[0] == "SUCCEEDED"
    state, message = plant.run("migrate", **given)
    assert (state, "disabled" in (message or "")) == ("FAILED", True)
    state, message = plant.run("migrate", **{**given, "destination_node": "nowhere"})
    assert (state, "nowhere does not exist" in (message or "")) == ("FAILED", True)


def test_an_instance_that_does_not_run_is_not_migrated_live(plant: Plant) -> None:
    given = migration(plant)
    assert plant.run("stop", resource_id=given["resource_id"]) == ("SUCCEEDED", None)
    state, message = plant.run("migrate", **given)
    assert (state, "SHUTOFF" in (message or "")) == ("FAILED", True)


@pytest.mark.parametrize(("kind", "fault"), [("live", "live-migration"), ("cold", "migration")])
def test_a_migration_that_nova_gives_up_has_failed(plant: Plant, kind: str, fault: str) -> None:
    given = migration(plant, kind)
    plant.emulator.arm(WorkFault(kind=fault))
    state, message = plant.run("migrate", **given)
    assert state == "FAILED"
    assert (message or "").startswith("Action failed in execute: ")
    assert plant.server(given["resource_id"])[HOST] == given["source_node"]


def test_a_cloud_that_refuses_is_quoted(plant: Plant) -> None:
    given = migration(plant)
    plant.emulator.arm(RequestFault(service="nova", method="POST", status=400))
    state, message = plant.run("migrate", **given)
    assert (state, "400" in (message or "")) == ("FAILED", True)


@pytest.mark.parametrize("kind", ["live", "cold"])
def test_cancelling_breaks_a_migration_off(plant: Plant, kind: str) -> None:
    given = migration(plant, kind)
    plan = plant.begin("migrate", **given)
    plant.cancel(plan)
    assert (plant.world.state(plan), plant.world.states(plan)) == ("CANCELLED", ["CANCELLED"])
    server = plant.server(given["resource_id"])
    assert (server[HOST], server["status"]) == (given["source_node"], "ACTIVE")


@pytest.mark.parametrize("kind", ["live", "cold"])
def test_the_next_applier_joins_a_migration_under_way(plant: Plant, kind: str) -> None:
    given = migration(plant, kind)
    plan = plant.begin("migrate", **given)
    for _, (execution, _) in list(plant.applier._running.items()):
        execution.abandon()
    assert plant.applier.join(PATIENCE)
    plant.world.objects.action_plans.update(plan.uuid, {"hostname": "dead"})
    plant.applier = plant.another("two")
    plant.applier.look()
    while not plant.applier.join(0.02):
        plant.emulator.settle()
    assert plant.world.states(plan) == ["SUCCEEDED"]
    assert plant.server(given["resource_id"])[HOST] == given["destination_node"]
    assert len(queries.migrations_of(plant.cloud, given["resource_id"])) == 1


def flavors(plant: Plant, server: dict[str, Any]) -> list[str]:
    mine = server["flavor"]["original_name"]
    return sorted(f["name"] for f in queries.flavors(plant.cloud) if f["name"] != mine)


def test_an_instance_is_resized_and_confirmed(plant: Plant) -> None:
    server = plant.servers()[0]
    name = flavors(plant, server)[0]
    assert plant.run("resize", resource_id=server["id"], flavor=name) == ("SUCCEEDED", None)
    after = plant.server(server["id"])
    assert (after["flavor"]["original_name"], after["status"]) == (name, "ACTIVE")
    assert plant.run("resize", resource_id=server["id"], flavor=name)[0] == "SKIPPED"
    state, message = plant.run("resize", resource_id=server["id"], flavor="none such")
    assert (state, "none such" in (message or "")) == ("FAILED", True)


def test_cancelling_takes_a_resize_back(plant: Plant) -> None:
    server = plant.servers()[0]
    plan = plant.begin("resize", resource_id=server["id"], flavor=flavors(plant, server)[0])
    plant.cancel(plan)
    assert plant.world.states(plan) == ["CANCELLED"]
    assert plant.server(server["id"])["flavor"] == server["flavor"]


def test_services_are_disabled_with_their_reason_and_enabled(plant: Plant) -> None:
    host = plant.hosts()[0]
    named = {"resource_id": host, "resource_name": host}
    reason = {**named, "disabled_reason": "watcher_disabled"}
    assert plant.run("change_nova_service_state", state="disabled", **reason)[0] == "SUCCEEDED"
    (service,) = queries.compute_services(plant.cloud, host)
    assert (service["status"], service["disabled_reason"]) == ("disabled", "watcher_disabled")
    assert plant.run("change_nova_service_state", state="disabled", **named)[0] == "SKIPPED"
    assert plant.run("change_nova_service_state", state="enabled", **named)[0] == "SUCCEEDED"
    assert queries.compute_services(plant.cloud, host)[0]["status"] == "enabled"
    state, message = plant.run("change_nova_service_state", state="up", **named)
    assert (state, "target state is not defined" in (message or "")) == ("FAILED", True)


def test_nodes_are_switched_unless_something_runs_on_them(plant: Plant) -> None:
    for state in ("off", "on"):
        assert plant.run("change_node_power_state", resource_id=FREE_NODE, state=state) == (
            "SUCCEEDED",
            None,
        )
        node = queries.node(plant.cloud, FREE_NODE)
        assert node is not None
        assert node["power_state"] == f"power {state}"
    assert plant.run("change_node_power_state", resource_id=FREE_NODE, state="on")[0] == "SKIPPED"
    state, message = plant.run("change_node_power_state", resource_id=BUSY_NODE, state="off")
    assert (state, "instances run" in (message or "")) == ("FAILED", True)


def test_an_instance_is_stopped_and_started(plant: Plant) -> None:
    uuid = plant.servers()[0]["id"]
    for kind, status in (("stop", "SHUTOFF"), ("start", "ACTIVE")):
        assert plant.run(kind, resource_id=uuid) == ("SUCCEEDED", None)
        assert plant.server(uuid)["status"] == status
        assert plant.run(kind, resource_id=uuid)[0] == "SKIPPED"


def volume(plant: Plant) -> dict[str, Any]:
    return next(v for v in queries.volumes(plant.cloud) if v["status"] == "available")


@pytest.mark.parametrize("kind", ["migrate", "swap"])
def test_a_volume_moves_to_another_pool(plant: Plant, kind: str) -> None:
    one = volume(plant)
    here = one["os-vol-host-attr:host"]
    there = next(p["name"] for p in queries.pools(plant.cloud) if p["name"] != here)
    given = {"resource_id": one["id"], "migration_type": kind, "destination_node": there}
    assert plant.run("volume_migrate", **given) == ("SUCCEEDED", None)
    after = queries.volume(plant.cloud, one["id"])
    assert after is not None
    assert (after["os-vol-host-attr:host"], after["status"]) == (there, "available")
    assert plant.run("volume_migrate", **given)[0] == "SKIPPED"
    state, message = plant.run("volume_migrate", **{**given, "destination_node": "x@y#z"})
    assert (state, "no pool x@y#z" in (message or "")) == ("FAILED", True)


def test_the_move_of_an_attached_volume_is_over_when_it_is_attached_again(plant: Plant) -> None:
    """Cinder says that it is before: instances that follow their volume would be refused."""
    running = {server["id"] for server in plant.servers()}
    one = next(
        v
        for v in queries.volumes(plant.cloud)
        if v["attachments"] and {a["server_id"] for a in v["attachments"]} <= running
    )
    here = one["os-vol-host-attr:host"]
    there = next(p["name"] for p in queries.pools(plant.cloud) if p["name"] != here)
    plan = plant.begin(
        "volume_migrate", resource_id=one["id"], migration_type="migrate", destination_node=there
    )
    cloud = plant.emulator.cloud
    with cloud.lock:
        plant.emulator.settle()
        volume = cloud.storage.volumes[one["id"]]
        kept = dict(volume.attachments)
        volume.attachments.clear()
    assert not plant.applier.join(0.5)
    assert plant.world.states(plan) == ["ONGOING"]
    with cloud.lock:
        volume.attachments.update(kept)
    assert plant.applier.join(30)
    assert plant.world.states(plan) == ["SUCCEEDED"]


def test_a_volume_whose_copy_breaks_has_failed(plant: Plant) -> None:
    one = volume(plant)
    here = one["os-vol-host-attr:host"]
    there = next(p["name"] for p in queries.pools(plant.cloud) if p["name"] != here)
    plant.emulator.arm(WorkFault(kind="volume-migrate"))
    state, _ = plant.run(
        "volume_migrate",
        resource_id=one["id"],
        migration_type="migrate",
        destination_node=there,
    )
    assert state == "FAILED"


def test_a_rollback_restores_the_placement(plant: Plant) -> None:
    given = migration(plant)
    host = given["source_node"]
    disable = {"resource_id": host, "resource_name": host, "state": "disabled"}
    plan = plant.world.plan([("change_nova_service_state", disable, ()), ("migrate", given, (0,))])
    plant.applier.look()
    while not plant.applier.join(0.02):
        plant.emulator.settle()
    assert plant.world.states(plan) == ["SUCCEEDED", "SUCCEEDED"]
    uuid = plant.applier.rollback_action_plan(action_plan_uuid=plan.uuid)
    plant.applier.look()
    while not plant.applier.join(0.02):
        plant.emulator.settle()
    back = plant.world.objects.action_plans.get(uuid)
    assert (back.state, plant.world.states(back)) == ("SUCCEEDED", ["SUCCEEDED", "SUCCEEDED"])
    assert plant.server(given["resource_id"])[HOST] == host
    assert queries.compute_services(plant.cloud, host)[0]["status"] == "enabled"


def test_a_host_that_was_disabled_only_meanwhile_stays_enabled_in_a_rollback(plant: Plant) -> None:
    given = migration(plant)
    host = given["source_node"]
    named = {"resource_id": host, "resource_name": host}
    plan = plant.world.plan(
        [
            ("change_nova_service_state", {**named, "state": "disabled"}, ()),
            ("migrate", given, (0,)),
            ("change_nova_service_state", {**named, "state": "enabled"}, (1,)),
        ]
    )
    plant.applier.look()
    while not plant.applier.join(0.02):
        plant.emulator.settle()
    assert plant.world.states(plan) == ["SUCCEEDED"] * 3
    uuid = plant.applier.rollback_action_plan(action_plan_uuid=plan.uuid)
    plant.applier.look()
    while not plant.applier.join(0.02):
        plant.emulator.settle()
    back = plant.world.objects.actions.find(
        {"action_plan_id": plant.world.objects.action_plans.get(uuid).id}
    )
    assert [(a.action_type, a.state) for a in back] == [("migrate", "SUCCEEDED")]
    assert plant.server(given["resource_id"])[HOST] == host
    assert queries.compute_services(plant.cloud, host)[0]["status"] == "enabled"


@pytest.mark.parametrize("enabled_again", [False, True])
def test_what_a_failed_plan_has_done_is_taken_back(plant: Plant, enabled_again: bool) -> None:
    plant.applier = plant.another("two", reverts=True)
    given = migration(plant)
    host = given["source_node"]
    disable = {"resource_id": host, "resource_name": host, "state": "disabled"}
    enable = ("change_nova_service_state", {**disable, "state": "enabled"}, (1,))
    plan = plant.world.plan(
        [
            ("change_nova_service_state", disable, ()),
            ("migrate", given, (0,)),
            *([enable] if enabled_again else []),
            ("nop", {"message": "", "fail_execute": True}, (1 + enabled_again,)),
        ]
    )
    plant.applier.look()
    while not plant.applier.join(0.02):
        plant.emulator.settle()
    assert plant.world.state(plan) == "FAILED"
    assert plant.server(given["resource_id"])[HOST] == host
    assert queries.compute_services(plant.cloud, host)[0]["status"] == "enabled"
