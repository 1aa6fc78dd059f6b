"""A live cloud as a cluster file: replayed the same cloud, anonymised one of the same shape."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import msgspec
import pytest

from tachyon.cli.main import run
from tachyon.graph.client import connect as connect_graph
from tachyon.graph.cluster_file import ClusterFile, read_cluster_file
from tachyon.openstack.captured.anonymising import Anonymiser
from tachyon.openstack.emulator.emulator import Emulator
from tests.collectors.agreement import content
from tests.collectors.clouds import collect, connected


def configured(emulator: Emulator, folder: Path) -> list[str]:
    path = folder / "tachyon.conf"
    path.write_text(f"[keystone]\ncloud = {emulator.name}\nclouds_file = {emulator.clouds_yaml}\n")
    return ["--config-file", str(path)]


def capture(emulator: Emulator, folder: Path, *options: str, name: str = "cloud") -> ClusterFile:
    file = folder / f"{name}.json.gz"
    assert run(["capture", *configured(emulator, folder), *options, str(file)]) == 0
    return read_cluster_file(file)


def test_a_capture_replays_as_the_cloud_that_it_was_taken_of(
    emulator: Emulator, tmp_path: Path
) -> None:
    captured = capture(emulator, tmp_path)
    kept = []
    with Emulator(captured) as replayed:
        for each in (emulator, replayed):
            with connected(each) as cloud, connect_graph("sqlite://") as graph:
                collect(cloud, graph)
                told = content(graph)
                kept.append({kind: told[kind] for kind in ("provider", "consumer", "flavor")})
    # Ids of attachments and time stamps are made up by the emulator.
    for told in kept:
        for consumer in told["consumer"].values():
            consumer.pop("created_at")
            for attachment in consumer["attachments"]:
                attachment.pop("attachment_id")
    assert kept[0] == kept[1]


def texts(content: ClusterFile) -> str:
    return msgspec.json.encode(content).decode()


def test_nothing_that_names_anything_is_left_under_pseudonyms(
    emulator: Emulator, tmp_path: Path
) -> None:
    plain = capture(emulator, tmp_path).cluster
    hidden = texts(capture(emulator, tmp_path, "--anonymise", name="hidden"))
    named = {p.uuid for p in plain.providers} | {p.name for p in plain.providers}
    named |= {c.uuid for c in plain.consumers} | {c.name for c in plain.consumers}
    named |= {p.external_id for p in plain.projects} | {p.name for p in plain.projects}
    named |= {g.uuid for g in plain.server_groups} | {a.name for a in plain.host_aggregates}
    named |= {z.name for z in plain.availability_zones} | {f.name for f in plain.flavors}
    left = [name for name in named if name and f'"{name}"' in hidden]
    assert left == []


def test_what_refers_to_something_still_does_under_pseudonyms(
    emulator: Emulator, tmp_path: Path
) -> None:
    captured = capture(emulator, tmp_path)
    plain, hidden = captured.cluster, Anonymiser(b"secret").content(captured).cluster
    providers = {p.uuid: p for p in hidden.providers}
    flavors = [{f.id for f in cluster.flavors} for cluster in (plain, hidden)]
    for before, after in zip(plain.consumers, hidden.consumers, strict=True):
        assert [*after.allocations.values()] == [*before.allocations.values()]
        assert after.allocations.keys() <= providers.keys()
        assert (before.flavor_id in flavors[0]) == (after.flavor_id in flavors[1])
        for same in ("state", "status", "locked", "created_at", "type"):
            assert getattr(after, same) == getattr(before, same)
    for before, after in zip(plain.providers, hidden.providers, strict=True):
        assert (after.inventories, after.traits) == (before.inventories, before.traits)
        assert after.parent_uuid is None or after.parent_uuid in providers
        if after.type == "pool":
            # A pool is still called after its host.
            assert after.name.startswith(f"{after.parent_uuid}#")


def test_the_same_secret_gives_the_same_pseudonyms(emulator: Emulator, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    options = ("--anonymise", "--secret", str(secret))
    first = capture(emulator, tmp_path, *options, name="first")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert texts(capture(emulator, tmp_path, *options, name="second")) == texts(first)
    assert texts(capture(emulator, tmp_path, "--anonymise", name="third")) != texts(first)


def test_a_secret_without_anonymise_is_a_mistake(emulator: Emulator, tmp_path: Path) -> None:
    options = [*configured(emulator, tmp_path), "--secret", str(tmp_path / "key")]
    assert run(["capture", *options, str(tmp_path / "out.json")]) == 2


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("56bdc6de-222c-43cf-8759-861cc115bf15", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("3096979d5c524a0da45574902927ec85", r"[0-9a-f]{32}"),
        ("storage@ssd#ssd-1", r"n\w+@n\w+#n\w+"),
        ("compute-1", r"n[0-9a-f]{12}"),
    ],
)
def test_a_pseudonym_has_the_shape_of_what_it_stands_for(text: str, shape: str) -> None:
    given = Anonymiser(b"secret").text(text)
    assert re.fullmatch(shape, given)
    assert given != text
    assert Anonymiser(b"secret").text(text) == given
    assert Anonymiser(b"other").text(text) != given
