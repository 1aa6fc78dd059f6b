"""The emulator's Ironic beside what a real one (39) answered and told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachyon.errors import CloudError, CloudNotFound
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import Emulator
from tests.emulator.conftest import CAPTURED
from tests.emulator.shapes import differences, shape
from tests.emulator.test_answers import ask

#: What operators and drivers write into a node as they like.
_FREE = ("driver_internal_info", "extra", "instance_info", "properties")
ANSWERS = sorted((CAPTURED / "ironic" / "http").glob("*.json"))
SAMPLES = sorted((CAPTURED / "ironic" / "notifications").glob("*.json"))


def without_free(value: Any) -> Any:
    """Return a document whose free members are empty."""
    if isinstance(value, list):
        return [without_free(entry) for entry in value]
    if isinstance(value, dict):
        return {k: {} if k in _FREE else without_free(v) for k, v in value.items()}
    return value


@pytest.mark.parametrize("path", ANSWERS, ids=lambda p: p.stem)
def test_an_answer_has_the_keys_and_types_of_the_captured_one(metal: Emulator, path: Path) -> None:
    captured = json.loads(path.read_text())
    request = captured["request"]
    if captured["status"] == 200 and (named := captured["body"].get("uuid")):
        request["path"] = request["path"].replace(named, "node-compute-1")
    if "/states" in request["path"]:
        request["path"] = "/v1/nodes/node-compute-1/states"
    answer = ask(metal, request)
    assert answer.status_code == captured["status"]
    bodies = (without_free(body) for body in (captured["body"], answer.json()))
    assert differences(*map(shape, bodies)) == []


@pytest.fixture
def cloud(metal: Emulator) -> Iterator[Connection]:
    with connect(cloud=metal.name, clouds_file=metal.clouds_yaml) as cloud:
        node = cloud.ironic.get("/nodes")["nodes"][0]["uuid"]
        path = f"/nodes/{node}"
        cloud.ironic.put(f"{path}/states/power", {"target": "power off"})
        metal.settle()
        cloud.ironic.put(f"{path}/maintenance", {"reason": "fan"})
        cloud.ironic.delete(f"{path}/maintenance")
        cloud.ironic.patch(path, [{"op": "add", "path": "/extra/rack", "value": {"row": 7}}])
        for target in ("deleted", "active"):
            cloud.ironic.put(f"{path}/states/provision", {"target": target})
            metal.settle()
        made = cloud.ironic.post("/nodes", {"name": "new", "driver": "fake-hardware"})
        cloud.ironic.delete(f"/nodes/{made['uuid']}")
        yield cloud


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_a_notification_is_like_the_captured_one(
    cloud: Connection, metal: Emulator, path: Path
) -> None:
    captured = json.loads(path.read_text())
    message = captured["message"]
    ours = [n for n in metal.notifications if n.event_type == message["event_type"]]
    assert ours
    for notification in ours:
        assert notification.exchange == captured["exchange"]
        kinds = (p.partition(".")[0] for p in (notification.publisher_id, message["publisher_id"]))
        assert len(set(kinds)) == 1
        assert {k: v for k, v in notification.payload.items() if k != "ironic_object.data"} == {
            k: v for k, v in message["payload"].items() if k != "ironic_object.data"
        }
    payloads = ([message["payload"]], [n.payload for n in ours])
    assert differences(*(shape(without_free(each)) for each in payloads)) == []
    real = {k.removeprefix("_context_"): v for k, v in message.items() if k[:9] == "_context_"}
    assert differences(shape([real]), shape([n.context for n in ours])) == []


def test_what_ironic_refuses_is_said_in_its_own_words(cloud: Connection) -> None:
    with pytest.raises(CloudNotFound, match=r"Node none could not be found\.$"):
        cloud.ironic.get("/nodes/none")
    with pytest.raises(CloudError, match="409"):
        cloud.ironic.post("/nodes", {"name": "metal-compute-1", "driver": "fake-hardware"})
