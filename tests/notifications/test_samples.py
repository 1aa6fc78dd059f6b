"""Every event that a real cloud sent, and every one that Watcher listens to, has its handler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.captured import read_captured
from tachyon.openstack.collectors.plugins import handlers
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator.clock import ManualClock
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.events import Event, decode
from tests.cluster_file.shared import DATA
from tests.collectors.clouds import collect, connected
from tests.notifications.scenes import MODELS

CAPTURE = DATA / "openstack-capture"
SAMPLES = sorted((CAPTURE / "notifications").glob("[a-z]*.json"))
#: Of what a real cloud sends these say nothing about the graph: where the scheduler would put a
#: server, and what a backend reports of all its pools, each of which reports for itself.
UNHANDLED = {
    "capacity.backend",
    "scheduler.select_destinations.end",
    "scheduler.select_destinations.start",
}
#: What Watcher's models follow (Watcher 17, `decision_engine/model/notification`), and what Nova
#: and Cinder send besides that changes what the models hold.
FOLLOWED = (
    *(
        f"instance.{event}"
        for event in (
            "create.end",
            "lock",
            "unlock",
            "pause.end",
            "unpause.end",
            "power_off.end",
            "power_on.end",
            "resize_confirm.end",
            "restore.end",
            "resume.end",
            "suspend.end",
            "shelve.end",
            "unshelve.end",
            "shutdown.end",
            "rescue.end",
            "unrescue.end",
            "rebuild.end",
            "update",
            "live_migration_force_complete.end",
            "live_migration_post_dest.end",
            "live_migration_post.end",
            "live_migration_abort.end",
            "live_migration_rollback.end",
            "live_migration_rollback_dest.end",
            "shelve_offload.end",
            "resize.end",
            "resize.error",
            "resize_finish.end",
            "resize_revert.end",
            "evacuate",
            "delete.end",
            "soft_delete.end",
            "volume_attach.end",
            "volume_detach.end",
            "volume_swap.end",
        )
    ),
    *(f"service.{event}" for event in ("create", "update", "delete")),
    *(f"aggregate.{event}.end" for event in ("create", "delete", "add_host", "remove_host")),
    *(f"aggregate.{event}.end" for event in ("update_prop", "update_metadata")),
    *(f"server_group.{event}" for event in ("create", "delete", "add_member")),
    *(f"flavor.{event}" for event in ("create", "update", "delete")),
    *(
        f"volume.{event}"
        for event in (
            "create.end",
            "update.end",
            "attach.end",
            "detach.end",
            "resize.end",
            "delete.end",
            "retype",
            "revert.end",
        )
    ),
    *(f"volume_type.{event}" for event in ("create", "update", "delete")),
    "capacity.pool",
    *(
        f"baremetal.node.{event}"
        for event in (
            "create.end",
            "update.end",
            "delete.end",
            "power_set.end",
            "power_state_corrected.success",
            "maintenance_set.end",
            "provision_set.end",
        )
    ),
)


@pytest.fixture(scope="module")
def captured() -> Iterator[tuple[GraphClient, Connection]]:
    """The cloud of which the samples tell, and its graph."""
    with (
        Emulator(read_captured(CAPTURE / "http"), clock=ManualClock()) as emulator,
        connected(emulator) as cloud,
        connect_graph("sqlite://") as graph,
    ):
        collect(cloud, graph)
        for model in MODELS:
            # The samples are older than this reading; here none of them is old.
            graph.remove_provider(f"collector:{model}")
        yield graph, cloud


def sample(path: Path) -> Event:
    message = json.loads(path.read_text())["message"]
    metadata = {"timestamp": message["timestamp"], "message_id": message["message_id"]}
    return decode({**message, "metadata": metadata})


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_a_captured_event_is_understood(
    captured: tuple[GraphClient, Connection], path: Path
) -> None:
    graph, cloud = captured
    event = sample(path)
    applied = Applier(graph, cloud, handlers(MODELS)).apply([event])
    ((kind, outcome),) = applied.outcomes
    assert kind == event.type
    assert (outcome == "unhandled") == (event.type in UNHANDLED)
    assert outcome not in {"malformed", "failed"}


@pytest.mark.parametrize("kind", FOLLOWED)
def test_an_event_that_changes_a_model_has_a_handler(
    captured: tuple[GraphClient, Connection], kind: str
) -> None:
    graph, cloud = captured
    like = {path.stem: path for path in SAMPLES}
    service = kind.partition(".")[0]
    # Events of a service that are about the same thing have the same members.
    base = sample(like.get(kind) or like[f"{service}.update"]) if service == "instance" else None
    if kind in like:
        base = sample(like[kind])
    payload = base.payload if base is not None else PAYLOADS[service]
    event = Event(
        type=kind,
        publisher="test",
        at=base.at if base is not None else sample(like["instance.update"]).at,
        payload={**payload, **(SWAPPED if kind.startswith("instance.volume_") else {})},
    )
    applied = Applier(graph, cloud, handlers(MODELS)).apply([event])
    ((_, outcome),) = applied.outcomes
    assert outcome in {"applied", "read_again", "old"}


_ABSENT = "99999999-9999-4999-8999-999999999999"
#: The members by which events of each kind name what they are about.
PAYLOADS = {
    "service": {"binary": "nova-compute", "host": "compute-1"},
    "aggregate": {"name": "rack-1"},
    "server_group": {"uuid": _ABSENT},
    "flavor": {"flavorid": "1"},
    "volume": {"volume_id": _ABSENT},
    "volume_type": {"volume_types": {"id": _ABSENT}},
    "baremetal": {"uuid": _ABSENT},
}
SWAPPED = {"volume_id": _ABSENT}
