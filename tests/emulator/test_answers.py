"""Every captured answer has its like here: the same status, keys and types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tachyon.openstack.emulator import Emulator
from tests.emulator.conftest import CAPTURED
from tests.emulator.shapes import differences, shape

#: Where a captured path lies below the emulator's address.
_PREFIXES = {
    "keystone": "/identity/v3",
    "nova": "/compute/v2.1",
    "nova-root": "/compute",
    "placement": "/placement",
    "cinder": "/volume/v3/3096979d5c524a0da45574902927ec85",
    "cinder-root": "/volume",
    "ironic": "/baremetal",
}
ANSWERS = sorted((CAPTURED / "http").glob("*.json"))
_AUTH = {
    "auth": {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {
                    "name": "admin",
                    "password": "emulated",
                    "domain": {"name": "Default"},
                }
            },
        },
        "scope": {"project": {"name": "admin", "domain": {"name": "Default"}}},
    }
}


def ask(emulator: Emulator, request: dict[str, Any]) -> requests.Response:
    auth = requests.post(f"{emulator.auth_url}/auth/tokens", json=_AUTH, timeout=10)
    headers = {**request.get("headers", {}), "X-Auth-Token": auth.headers["X-Subject-Token"]}
    url = emulator.url + _PREFIXES[request["service"]] + request["path"]
    body = _AUTH if request["method"] == "POST" else None
    return requests.request(request["method"], url, headers=headers, json=body, timeout=10)


@pytest.mark.parametrize("path", ANSWERS, ids=lambda p: p.stem)
def test_an_answer_has_the_keys_and_types_of_the_captured_one(
    readable: Emulator, path: Path
) -> None:
    captured = json.loads(path.read_text())
    answer = ask(readable, captured["request"])
    assert answer.status_code == captured["status"]
    assert differences(shape(captured["body"]), shape(answer.json())) == []


def test_a_shape_tells_what_is_missing_too_much_and_of_another_type() -> None:
    real = {"a": [{"b": 1, "c": None}, {"b": 2}], "hosts": {"x": {"up": True}}}
    ours = {"a": [{"b": "1", "d": 0}], "hosts": {"y": {"up": 1}, "z": {}}}
    assert differences(shape(real), shape(ours)) == [
        "$.a[].c: missing",
        "$.a[].d: only here",
        "$.a[].b: ['str'] instead of ['int']",
        "$.hosts.*.up: ['int'] instead of ['bool']",
    ]
