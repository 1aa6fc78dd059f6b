"""What is written is read back, as the same bytes everywhere, and never half."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import given

from tachyon.errors import ClusterFileError
from tachyon.graph.cluster_file import (
    ClusterFile,
    MetricSeries,
    encode_cluster_file,
    read_cluster_file,
    write_cluster_file,
)
from tachyon.graph.entities import Consumer, Inventory, Project, ResourceProvider
from tachyon.graph.mutations import Cluster
from tests.cluster_file.contents import contents
from tests.cluster_file.shared import ROOT

SMALL = ClusterFile(
    cluster=Cluster(projects=[Project(external_id="b"), Project(external_id="a")]),
    generated_by="a test",
)


@given(contents())
def test_reading_what_was_written_gives_an_equal_content(content: ClusterFile) -> None:
    data = encode_cluster_file(content)
    again = read_cluster_file(data)
    assert again == content
    assert encode_cluster_file(again) == data


def test_entries_are_sorted_and_the_same_content_gives_the_same_bytes() -> None:
    turned = ClusterFile(
        cluster=Cluster(projects=SMALL.cluster.projects[::-1]), generated_by="a test"
    )
    assert encode_cluster_file(SMALL) == encode_cluster_file(turned)
    assert [p.external_id for p in SMALL.cluster.projects] == ["b", "a"]


def test_default_values_are_left_out_however_they_came_to_be() -> None:
    said = ResourceProvider(
        uuid="a",
        name="a",
        type="".join(["comp", "ute"]),
        inventories={"VCPU": Inventory(total=1, allocation_ratio=float("1"))},
    )
    data = encode_cluster_file(ClusterFile(cluster=Cluster(providers=[said])))
    assert b'{"uuid":"a","name":"a","inventories":{"VCPU":{"total":1}}}' in data


@pytest.mark.parametrize("name", ["cluster.json", "cluster.json.gz"])
def test_files_are_compressed_when_their_name_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_cluster_file(path, SMALL)
    first = path.read_bytes()
    assert first.startswith(b"\x1f\x8b") == name.endswith(".gz")
    write_cluster_file(path, SMALL)
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == [name]
    expected = read_cluster_file(encode_cluster_file(SMALL))
    assert read_cluster_file(path) == expected
    assert read_cluster_file(str(path)) == expected
    with path.open("rb") as opened:
        assert read_cluster_file(opened) == expected
    assert read_cluster_file(io.BytesIO(first)) == expected


def test_gzip_is_recognised_by_its_content_and_may_have_several_members(tmp_path: Path) -> None:
    data = encode_cluster_file(SMALL)
    path = tmp_path / "cluster.json"
    path.write_bytes(gzip.compress(data[:20]) + gzip.compress(data[20:]))
    assert read_cluster_file(path) == read_cluster_file(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            ClusterFile(cluster=Cluster(consumers=[Consumer(uuid="a", allocations={"x": {}})])),
            "there is no provider x",
        ),
        (ClusterFile(cluster=Cluster(projects=[Project(external_id="")])), "length >= 1"),
        (ClusterFile(cluster=Cluster(projects=[Project(external_id="\ud800")])), "surrogates"),
        (ClusterFile(extra={"a": object()}), "object"),
        (
            ClusterFile(
                cluster=Cluster(consumers=[Consumer(uuid="a")]),
                metrics=[
                    MetricSeries(
                        name="m", unit="MB", kind="consumer", period=1,
                        values={"a": [float("nan")]},
                    )
                ],
            ),
            "metrics",
        ),
    ],
)  # fmt: skip
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, content: ClusterFile, reason: str
) -> None:
    path = tmp_path / "cluster.json"
    path.write_bytes(b"before")
    with pytest.raises(ClusterFileError, match=reason):
        write_cluster_file(path, content)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["cluster.json"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterFileError, match="cannot be written: No such"):
        write_cluster_file(tmp_path / "missing" / "cluster.json", SMALL)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ClusterFileError, match="folder: cannot be written"):
        write_cluster_file(tmp_path / "folder", SMALL)
    assert os.listdir(tmp_path) == ["folder"]


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_bytes(b"")
    (tmp_path / "link.json").symlink_to("real.json")
    write_cluster_file(tmp_path / "link.json", SMALL)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == encode_cluster_file(SMALL)


def test_the_example_in_the_documentation_can_be_read() -> None:
    text = (ROOT / "docs" / "cluster-files.md").read_text(encoding="utf-8")
    example = text.partition("```json\n")[2].partition("```")[0]
    content = read_cluster_file(example.encode())
    assert content.metrics[0].values == {"v1": [12.5, None, 80]}
