"""`tachyon doctor` and `tachyon capture` on a real cloud."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tachyon.graph.client import connect as connect_graph
from tachyon.graph.cluster_file import read_cluster_file
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator import Emulator
from tests.cli.running import tachyon
from tests.collectors.agreement import content
from tests.collectors.clouds import collect, connected
from tests.interop_openstack.truth import truth

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]


@pytest.fixture
def configured(options: dict[str, dict[str, Any]], tmp_path: Path) -> list[str | Path]:
    lines = []
    for group in ("keystone", "notifications"):
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in options[group].items())]
    path = tmp_path / "tachyon.conf"
    path.write_text("\n".join(lines) + "\n")
    return ["--config-file", path]


def test_the_doctor_finds_a_sound_cloud_sound(configured: list[str | Path]) -> None:
    told = tachyon("doctor", *configured).out
    for service in ("keystone", "nova", "placement", "cinder", "ironic", "notifications"):
        assert re.search(rf"^ *{service} .* ok ", told, re.MULTILINE), told
    assert "0 errors, 0 warnings" in told


def test_a_captured_cloud_replays_as_what_it_was(
    configured: list[str | Path], real: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "cloud.json.gz"
    tachyon("capture", *configured, file)
    with (
        Emulator(read_cluster_file(file)) as emulator,
        connected(emulator) as cloud,
        connect_graph("sqlite://") as graph,
    ):
        collect(cloud, graph)
        kept = [content(graph), truth(real)]
    for told in kept:
        for consumer in told["consumer"].values():
            # Made up by the emulator.
            consumer.pop("created_at")
            for attachment in consumer["attachments"]:
                attachment.pop("attachment_id")
    assert kept[0]["consumer"] == kept[1]["consumer"]
    for kind in ("compute", "storage", "baremetal"):
        replayed, was = (
            {key: p for key, p in told["provider"].items() if p["type"] == kind} for told in kept
        )
        assert replayed == was


def test_an_anonymised_capture_names_nothing(
    configured: list[str | Path], real: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "cloud.json"
    tachyon("capture", *configured, "--anonymise", file)
    hidden = file.read_text()
    told = truth(real)
    named = {
        e[name]
        for kind in ("provider", "consumer")
        for e in told[kind].values()
        for name in ("uuid", "name")
    }
    assert [name for name in named if f'"{name}"' in hidden] == []
