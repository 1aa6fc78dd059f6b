"""What is told on the bus: the same payloads, publishers and order as on a real control plane."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tachyon.openstack.emulator import Notification
from tests.emulator.conftest import CAPTURED
from tests.emulator.shapes import differences, shape

SAMPLES = sorted((CAPTURED / "notifications").glob("[a-z]*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_a_notification_has_the_keys_types_and_sender_of_the_captured_one(
    told: list[Notification], path: Path
) -> None:
    captured = json.loads(path.read_text())
    message = captured["message"]
    ours = [n for n in told if n.event_type == message["event_type"]]
    assert ours
    for notification in ours:
        assert notification.exchange == captured["exchange"]
        assert _kind(notification.publisher_id) == _kind(message["publisher_id"])
    payloads = shape([notification.payload for notification in ours])
    assert differences(shape([message["payload"]]), payloads) == []
    real = {k.removeprefix("_context_"): v for k, v in message.items() if k[:9] == "_context_"}
    contexts = shape([notification.context for notification in ours])
    assert differences(shape([real]), contexts) == []


def _kind(publisher: str) -> str:
    """Return what sends, without its host: volume.HOST@BACKEND#POOL → volume.@#."""
    service, _, host = re.split(r"([:.])", publisher, maxsplit=1)
    return service + "".join(sign for sign in "@#" if sign in host)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_object_names_and_versions_are_those_of_the_captured_ones(
    told: list[Notification], path: Path
) -> None:
    message = json.loads(path.read_text())["message"]
    ours = next(n for n in told if n.event_type == message["event_type"])
    assert _versions(ours.payload) == _versions(message["payload"])


def _versions(payload: Any) -> set[tuple[str, str]]:
    if not isinstance(payload, dict):
        return set()
    found = (
        {(payload["nova_object.name"], payload["nova_object.version"])}
        if ("nova_object.name" in payload)
        else set()
    )
    return found.union(*(_versions(value) for value in payload.values()))


#: The order of what is told of one operation, as the control plane tells it; saves aside.
ORDERS = {
    "live migration": """
        scheduler.select_destinations.start scheduler.select_destinations.end
        instance.live_migration_pre.start instance.live_migration_pre.end
        instance.live_migration_post.start instance.live_migration_post_dest.start
        instance.live_migration_post_dest.end instance.live_migration_post.end""",
    "aborted live migration": """
        instance.live_migration_pre.start instance.live_migration_pre.end
        instance.live_migration_abort.start instance.live_migration_abort.end
        instance.live_migration_rollback.start instance.live_migration_rollback.end""",
    "cold migration": """
        instance.exists instance.resize_prep.start instance.resize_prep.end
        instance.resize.start instance.resize.end
        instance.resize_finish.start instance.resize_finish.end
        instance.resize_confirm.start instance.resize_confirm.end""",
    "revert": """
        instance.resize_finish.end instance.exists
        instance.resize_revert.start instance.resize_revert.end""",
    "shelve": """
        instance.shelve.start instance.shelve.end
        instance.shelve_offload.start instance.shelve_offload.end""",
    "evacuation": """
        instance.evacuate scheduler.select_destinations.start scheduler.select_destinations.end
        instance.rebuild_scheduled instance.exists instance.rebuild.start
        instance.power_off.start instance.power_off.end instance.rebuild.end""",
    "delete": """
        instance.delete.start instance.shutdown.start instance.shutdown.end
        instance.exists instance.delete.end""",
}


@pytest.mark.parametrize("operation", ORDERS)
def test_what_an_operation_tells_comes_in_the_order_of_the_real_thing(
    told: list[Notification], operation: str
) -> None:
    order = ORDERS[operation].split()
    kinds = [n.event_type for n in told if n.event_type != "instance.update"]
    assert any(kinds[at : at + len(order)] == order for at in range(len(kinds)))


def _hosts(told: list[Notification], first: str, last: str) -> list[tuple[str, str | None]]:
    kinds = [n.event_type for n in told]
    start = kinds.index(first)
    span = told[start : kinds.index(last, start) + 1]
    return [(n.event_type, n.payload["nova_object.data"].get("host")) for n in span]


def test_the_source_of_a_live_migration_still_believes_in_itself_at_the_end(
    told: list[Notification],
) -> None:
    hosts = _hosts(told, "instance.live_migration_post.start", "instance.live_migration_post.end")
    assert hosts == [
        ("instance.live_migration_post.start", "compute-5"),
        ("instance.live_migration_post_dest.start", "compute-5"),
        ("instance.update", "compute-6"),
        ("instance.live_migration_post_dest.end", "compute-6"),
        ("instance.live_migration_post.end", "compute-5"),
    ]


def test_an_evacuated_server_moves_after_it_was_said_to_be_rebuilt(
    told: list[Notification],
) -> None:
    kinds = [n.event_type for n in told]
    rebuilt = told[kinds.index("instance.rebuild.end")].payload["nova_object.data"]
    moved = told[kinds.index("instance.rebuild.end") + 1].payload["nova_object.data"]
    assert (rebuilt["host"], moved["host"]) == ("compute-5", "compute-6")
