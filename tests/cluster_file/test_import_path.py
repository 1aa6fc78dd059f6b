"""`import_path` knows a format by its content, or takes the caller's word."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tachyon.errors import ClusterFileError, InvalidInput
from tachyon.graph.cluster_file import write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.importers import import_path, recognise
from tests.cluster_file.shared import DATA


def test_formats_are_recognised_whatever_the_name(tmp_path: Path) -> None:
    content = generate(2, 3)
    write_cluster_file(tmp_path / "model_1.tar.gz", content)
    assert recognise(tmp_path / "model_1.tar.gz") == "cluster"
    assert import_path(tmp_path / "model_1.tar.gz").generated_by == content.generated_by
    assert recognise(DATA / "planetlab" / "20110401") == "planetlab"
    packed = tmp_path / "model"
    packed.write_bytes(gzip.compress((DATA / "roadef2012" / "model_tiny.txt").read_bytes()))
    assert recognise(packed) == "roadef2012"


def test_what_is_of_no_known_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else")
    with pytest.raises(ClusterFileError, match="neither a cluster file"):
        import_path(tmp_path / "x")
    with pytest.raises(ClusterFileError, match="line 1, column 1"):
        import_path(tmp_path / "x", "cluster")
    with pytest.raises(ClusterFileError, match="No such file"):
        import_path(tmp_path / "none")
    with pytest.raises(InvalidInput, match="'x' is not one of auto, cluster, planetlab, roadef"):
        import_path(tmp_path / "x", "x")
