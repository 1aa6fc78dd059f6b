"""Unmodified stock strategies take the same actions, in the same order, on our models."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tachyon.graph.client import connect
from tachyon.graph.cluster_file import ClusterFile, read_cluster_file, write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Synchronise
from tests.interop.environment import ROOT, command, variables

pytestmark = pytest.mark.interop

CLUSTERS: dict[str, dict[str, Any]] = {
    "even": {"hosts": 20, "instances": 160, "pools": 4, "volumes": 40},
    "skewed, some hosts disabled": {
        "hosts": 30, "instances": 220, "skew": 0.8, "disabled": 0.1, "pools": 6, "volumes": 60,
    },
    "tight, some hosts down": {
        "hosts": 16, "instances": 240, "load": 0.85, "down": 0.1, "zones": 2, "pools": 4,
        "volumes": 30,
    },
}  # fmt: skip


def run(cluster: Path, *options: str) -> dict[str, Any]:
    """Run all strategies; return actions by strategy, and the class of the error if one ended it.

    Some of upstream's strategies fail on upstream's model; they fail alike on ours.
    """
    done = subprocess.run(
        command("-m", "benchmarks.stock_worker", cluster, *options),
        cwd=ROOT,
        env=variables(),
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    return {
        name: (row["actions"], row.get("error", "").partition(":")[0])
        for name, row in found.items()
    }


@pytest.mark.parametrize("shape", CLUSTERS)
def test_every_strategy_takes_the_same_actions_as_on_upstreams_models(
    shape: str, graphs: str, tmp_path: Path
) -> None:
    path = tmp_path / "cluster.json"
    write_cluster_file(path, generate(seed=17, **CLUSTERS[shape]))
    # What the file holds is in the file's order, and so is upstream's model.
    content = read_cluster_file(path)
    upstream = run(path)
    assert sum(bool(actions) for actions, _ in upstream.values()) >= 10
    store = f"sqlite:///{tmp_path / 'graph.db'}"
    name = "".join(filter(str.isalpha, shape))
    for url in (store, f"{graphs}/{name}"):
        fill(url, content)
        assert run(path, "--graph", url) == upstream


def fill(url: str, content: ClusterFile) -> None:
    """Make the graph at a URL that of a cluster file."""
    with connect(url) as client:
        client.apply([Synchronise(cluster=content.cluster)])
