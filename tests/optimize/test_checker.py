"""The independent checker refuses a plan that breaks a rule: one plan for each rule."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest
from msgspec.structs import replace

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.deltas import Move
from tachyon.graph.entities import (
    Attachment,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.generator import generate
from tachyon.graph.simulation import Session
from tachyon.optimize.planners import Plan, Weight
from tests.optimize.checker import Replay
from tests.optimize.clusters import ROOT, host, small, view_of, vm
from tests.oversight.watching import content_of, problems_of

Action = dict[str, Any]


def action(kind: str, uuid: str | None, *parents: Action, **given: Any) -> Action:
    return {
        "uuid": f"{kind} {uuid} {given}",
        "action_type": kind,
        "resource_id": uuid,
        "input_parameters": given,
        "parents": [parent["uuid"] for parent in parents],
        "movement": None,
    }


def moved(uuid: str, source: str, target: str, amount: int = 1, *parents: Action) -> Action:
    """An instance of one resource class goes live."""
    found = action("migrate", uuid, *parents, migration_type="live", source_node=source)
    return found | {"movement": _movement(source, target, {"VCPU": amount})}


def carried(uuid: str, source: str, target: str, size: int = 10) -> Action:
    """A volume goes."""
    found = action("volume_migrate", uuid, migration_type="migrate", destination_node=target)
    return found | {"movement": _movement(source, target, {"DISK_GB": size})}


def retyped(uuid: str, wanted: str) -> Action:
    return action("volume_migrate", uuid, migration_type="retype", destination_type=wanted)


def serviced(uuid: str, state: str, *parents: Action) -> Action:
    return action("change_nova_service_state", uuid, *parents, state=state)


def _movement(source: str, target: str, resources: dict[str, int]) -> dict[str, Any]:
    return {
        "source": source,
        "destination": target,
        "resources": resources,
        "allocations": {target: resources},
    }


def hosts(*vms: Consumer, b: dict[str, Any] | None = None, **records: Any) -> ClusterFile:
    return small([host("a"), host("b", **(b or {}))], list(vms) or [vm("v", "a")], **records)


def pool(name: str, free: float | None = None, **fields: Any) -> ResourceProvider:
    return ResourceProvider(
        uuid=name,
        name=name,
        type="pool",
        parent_uuid=name.partition("#")[0],
        inventories={"DISK_GB": Inventory(total=100, **fields)},
        extra={} if free is None else {"free_capacity_gb": free},
    )


def storage(
    free: float | None = None, second: dict[str, Any] | None = None, **volume: Any
) -> ClusterFile:
    """A volume of the type fast on s@one#p; s@one#q offers it, too, and s@two#p is slow."""
    types = {"one": "fast", "two": "slow"}
    fields: dict[str, Any] = {"status": "available", "extra": {"volume_type": "fast"}, **volume}
    size = fields.pop("size", 10)
    held = {"s@one#p": {"DISK_GB": size}}
    return small(
        [
            *(
                ResourceProvider(uuid=f"s@{b}", name=f"s@{b}", type="storage", **(second or {}))
                for b in types
            ),
            pool("s@one#p"),
            pool("s@one#q", free),
            pool("s@two#p", free),
        ],
        [Consumer(uuid="v", type="volume", allocations=held, **fields), vm_off()],
        flavors=[
            Flavor(id=kind, name=kind, extra_specs={"volume_backend_name": b})
            for b, kind in types.items()
        ],
    )


def vm_off() -> Consumer:
    return Consumer(uuid="off", state="stopped")


ATTACHED = (Attachment(consumer_uuid="off"),)
APART = [ServerGroup(uuid="g", policy="anti-affinity")]
TOGETHER = [ServerGroup(uuid="g", policy="affinity")]
KEPT = [HostAggregate(name="kept", metadata={"filter_tenant_id": "p1, p2"})]
GPU = [Flavor(id="f", vcpus=1, extra_specs={"trait:GPU": "required"})]
NO_GPU = [Flavor(id="f", vcpus=1, extra_specs={"trait:GPU": "forbidden"})]
SSD = [Flavor(id="f", vcpus=1, extra_specs={"aggregate_instance_extra_specs:disk": "ssd"})]
OFF = {"state": "off"}
NODE = ResourceProvider(
    uuid="n", name="n", type="baremetal", power_state="power on", extra={"compute_node_id": "a"}
)

Broken = tuple[ClusterFile, list[Action], str]


def _hasty() -> Broken:
    """Who takes another's place has to wait until that is gone."""
    content = small([host("a"), host("b"), host("c")], [vm("x", "a", 5), vm("y", "b", 5)])
    return content, [moved("y", "b", "c", 5), moved("x", "a", "b", 5)], "b: 10 of 8.0 VCPU"


BROKEN: dict[str, Broken] = {
    "capacity": (hosts(vm("v", "a"), vm("w", "b", 8)), [moved("v", "a", "b")], "9 of 8.0 VCPU"),
    "reserved": (
        hosts(b={"inventories": {"VCPU": Inventory(total=8, reserved=8)}}),
        [moved("v", "a", "b")],
        "1 of 0",
    ),
    "least unit": (
        hosts(b={"inventories": {"VCPU": Inventory(total=8, min_unit=2)}}),
        [moved("v", "a", "b")],
        "out of units",
    ),
    "step": (
        hosts(vm("v", "a", 3), b={"inventories": {"VCPU": Inventory(total=8, step_size=2)}}),
        [moved("v", "a", "b", 3)],
        "out of step",
    ),
    "inventory": (
        hosts(b={"inventories": {"MEMORY_MB": Inventory(total=8)}}),
        [moved("v", "a", "b")],
        "has no VCPU",
    ),
    "amounts": (hosts(vm("v", "a", 2)), [moved("v", "a", "b", 1)], "held {'VCPU': 2}"),
    "source": (hosts(), [moved("v", "b", "a")], "v is on a, not on b"),
    "movement": (hosts(), [moved("v", "a", "a")], "stays where it is"),
    "states": (hosts(vm("v", "a", state="error")), [moved("v", "a", "b")], "v is error"),
    "live": (hosts(vm("v", "a", state="stopped")), [moved("v", "a", "b")], "no live one"),
    "locked": (hosts(vm("v", "a", locked=True)), [moved("v", "a", "b")], "locked or excluded"),
    "excluded": (
        hosts(vm("v", "a", watcher_exclude=True)),
        [action("stop", "v")],
        "locked or excluded",
    ),
    "host down": (hosts(b={"state": "down"}), [moved("v", "a", "b")], "out of service"),
    "host disabled": (hosts(b={"status": "disabled"}), [moved("v", "a", "b")], "out of service"),
    "disabled by the plan": (
        hosts(),
        [serviced("b", "disabled"), moved("v", "a", "b", 1, serviced("b", "disabled"))],
        "out of service",
    ),
    "maintenance": (hosts(b={"maintenance": True}), [moved("v", "a", "b")], "out of service"),
    "stale": (hosts(b={"extra": {"stale": True}}), [moved("v", "a", "b")], "nobody knows"),
    "source down": (
        small([host("a", state="down"), host("b")], [vm("v", "a")]),
        [moved("v", "a", "b")],
        "source a is down",
    ),
    "zone": (
        hosts(vm("v", "a", pinned_az="z1"), b={"availability_zone": "z2"}),
        [moved("v", "a", "b")],
        "outside z1",
    ),
    "required trait": (
        hosts(vm("v", "a", flavor_id="f"), flavors=GPU),
        [moved("v", "a", "b")],
        "lacks GPU",
    ),
    "forbidden trait": (
        hosts(vm("v", "a", flavor_id="f"), b={"traits": ("GPU",)}, flavors=NO_GPU),
        [moved("v", "a", "b")],
        "has GPU",
    ),
    "extra specs": (
        hosts(vm("v", "a", flavor_id="f"), flavors=SSD),
        [moved("v", "a", "b")],
        "no aggregate with disk=ssd",
    ),
    "tenants": (
        hosts(vm("v", "a", project_id="p3"), b={"aggregates": ("kept",)}, host_aggregates=KEPT),
        [moved("v", "a", "b")],
        "kept to other projects",
    ),
    "anti-affinity": (
        hosts(vm("v", "a", server_group="g"), vm("w", "b", server_group="g"), server_groups=APART),
        [moved("v", "a", "b")],
        "forbids b",
    ),
    "affinity": (
        hosts(
            vm("v", "a", server_group="g"), vm("w", "a", server_group="g"), server_groups=TOGETHER
        ),
        [moved("v", "a", "b")],
        "torn apart",
    ),
    "different host": (
        hosts(vm("v", "a", scheduler_hints={"different_host": ["w"]}), vm("w", "b")),
        [moved("v", "a", "b")],
        "on another host than w",
    ),
    "same host": (
        hosts(vm("v", "a", scheduler_hints={"same_host": "w"}), vm("w", "a")),
        [moved("v", "a", "b")],
        "on the host of",
    ),
    "side by side": _hasty(),
    "service as it is": (hosts(), [serviced("a", "enabled")], "enabled already"),
    "somebody else's host": (
        hosts(b={"status": "disabled", "disabled_reason": "a broken fan"}),
        [serviced("b", "enabled")],
        "not disabled by us",
    ),
    "scheduler": (
        hosts(),
        [action("migrate", "v", migration_type="live", source_node="a")],
        "may choose a again",
    ),
    "nobody": (hosts(), [action("stop", "x")], "there is no x"),
    "power off": (
        small([host("a"), NODE], [vm("v", "a")]),
        [action("change_node_power_state", "n", **OFF)],
        "switched off under ['v']",
    ),
    "power as it is": (
        small([host("a"), replace(NODE, power_state="power off")], []),
        [action("change_node_power_state", "n", **OFF)],
        "off already",
    ),
    "resize": (
        hosts(vm("v", "a", 4), flavors=[Flavor(id="big", vcpus=5)]),
        [action("resize", "v", flavor="big")],
        "9 of 8.0 VCPU",
    ),
    "flavor": (hosts(), [action("resize", "v", flavor="none")], "no flavor none"),
    "parents": (hosts(), [moved("v", "a", "b", 1, action("nop", None))], "not listed before"),
    "pool's capacity": (storage(size=101), [carried("v", "s@one#p", "s@one#q", 101)], "of 101 GB"),
    "pool's free space": (storage(5.0), [carried("v", "s@one#p", "s@one#q")], "5.0 of 10 GB"),
    "volume's type": (storage(), [carried("v", "s@one#p", "s@two#p")], "does not offer fast"),
    "volume's status": (
        storage(status="error"),
        [carried("v", "s@one#p", "s@one#q")],
        "volume v is error",
    ),
    "migration status": (
        storage(extra={"volume_type": "fast", "migration_status": "migrating"}),
        [carried("v", "s@one#p", "s@one#q")],
        "volume v is migrating",
    ),
    "snapshots": (
        storage(extra={"volume_type": "fast", "snapshots": 1}),
        [carried("v", "s@one#p", "s@one#q")],
        "has snapshots",
    ),
    "attachment": (
        storage(status="in-use", attachments=ATTACHED),
        [carried("v", "s@one#p", "s@one#q")],
        "attached to one that is stopped",
    ),
    "backend": (
        storage(second={"state": "down"}),
        [carried("v", "s@one#p", "s@one#q")],
        "out of service",
    ),
    "retype to the same": (storage(), [retyped("v", "fast")], "is fast already"),
    "retype to nothing": (storage(), [retyped("v", "none")], "no volume type none"),
    "retype without room": (storage(5.0), [retyped("v", "slow")], "has room for v"),
    "retype of a locked one": (storage(locked=True), [retyped("v", "slow")], "locked or excluded"),
    "retype with a pool": (
        storage(),
        [action("volume_migrate", "v", migration_type="migrate", destination_node="s@one#q")],
        "no movement",
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_plan_that_breaks_a_rule_is_refused(rule: str) -> None:
    content, plan, said = BROKEN[rule]
    found = Replay(content).explore(plan, random.Random(1), eager=True).problems
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("content", "plan"),
    [
        (hosts(), [moved("v", "a", "b")]),
        (storage(), [carried("v", "s@one#p", "s@one#q")]),
        (storage(12.0), [retyped("v", "slow")]),
        (hosts(flavors=[Flavor(id="big", vcpus=5)]), [action("resize", "v", flavor="big")]),
        (small([host("a"), NODE], []), [action("change_node_power_state", "n", **OFF)]),
    ],
)
def test_what_breaks_no_rule_is_fine(content: ClusterFile, plan: list[Action]) -> None:
    assert Replay(content).run(plan).problems == []


def test_limits_of_a_strategy_are_kept() -> None:
    content = hosts(vm("v", "a", 2), vm("w", "b", 3))
    plan = [moved("v", "a", "b", 2)]
    assert Replay(content, {"VCPU": 0.7}).run(plan).problems == []
    (problem,) = Replay(content, {"VCPU": 0.6}).run(plan).problems
    assert "VCPU on b would be 5 of 4.8" in problem


def test_what_the_audit_is_not_about_is_left_alone() -> None:
    plan = [moved("v", "a", "b")]
    for untouchable in ("v", "b"):
        (problem,) = Replay(hosts(), untouchable=[untouchable]).run(plan).problems
        assert "none of the audit's business" in problem


def test_retypes_share_the_room_of_the_pools_that_offer_the_type() -> None:
    content = storage(15.0)
    (volume,) = (c for c in content.cluster.consumers if c.uuid == "v")
    more = replace(content.cluster, consumers=[volume, replace(volume, uuid="w")])
    content = replace(content, cluster=more)
    assert Replay(content).run([retyped("v", "slow")]).problems == []
    (problem,) = Replay(content).run([retyped("v", "slow"), retyped("w", "slow")]).problems
    assert "no pool that offers slow has room for w" in problem


HEARD = [
    hosts(vm("v", "a", locked=True)),
    hosts(b={"status": "disabled", "disabled_reason": "why"}),
    hosts(vm("v", "a", pinned_az="z1"), b={"availability_zone": "z2"}),
]

_ELSEWHERE = """
from tests.optimize.test_checker import HEARD, planned
planned(HEARD[0])
"""


def planned(content: ClusterFile) -> tuple[Session, Plan]:
    """The plan of a session that does what it must not."""
    session = Session(view_of(content))
    session.record(Move(consumer_uuid="v", to_provider="b"))
    return session, Weight().plan(session)


@pytest.mark.illegal_plan("it shows that the suite hears of such plans")
@pytest.mark.parametrize("content", HEARD)
def test_every_plan_that_a_planner_makes_is_replayed(content: ClusterFile) -> None:
    session, plan = planned(content)
    assert problems_of(session, plan, {})


@pytest.mark.illegal_plan("it shows that the suite hears of plans of processes that it starts")
def test_plans_of_other_processes_are_replayed() -> None:
    subprocess.run([sys.executable, "-c", _ELSEWHERE], check=True, cwd=ROOT)


def test_the_entities_of_a_view_are_those_that_it_was_made_from() -> None:
    content = generate(
        20, 150, 3, pools=4, volumes=30, nested=2, samples=3, zones=2, server_groups=5, skew=0.5
    )
    found, given = content_of(view_of(content)).cluster, content.cluster
    for name in given.__struct_fields__:
        of_view = [replace(x, generation=0) if hasattr(x, "generation") else x
                   for x in getattr(found, name)]  # fmt: skip
        of_view = [replace(x, placed=0) if hasattr(x, "placed") else x for x in of_view]
        assert of_view == getattr(given, name), name
