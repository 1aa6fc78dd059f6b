from __future__ import annotations

from pathlib import Path

import pytest

from tachyon.graph.cluster_file import write_cluster_file
from tachyon.graph.generator import generate


@pytest.fixture(scope="session")
def cluster_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clusters") / "cluster.json"
    write_cluster_file(path, generate(hosts=20, instances=160, seed=4, skew=0.7, samples=6))
    return path
