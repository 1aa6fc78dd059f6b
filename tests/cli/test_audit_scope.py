"""`tachyon audit run --scope`: nothing outside the scope is touched, mistakes are one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tachyon.graph.cluster_file import read_cluster_file, write_cluster_file
from tachyon.graph.generator import generate
from tests.cli.running import tachyon


@pytest.fixture(scope="module")
def zoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clusters") / "cluster.json"
    write_cluster_file(path, generate(hosts=18, instances=120, zones=3, seed=5, skew=0.7))
    return path


def migrations(out: str) -> list[dict[str, Any]]:
    actions = msgspec.json.decode(out)["actions"]
    return [a["input_parameters"] for a in actions if a["action_type"] == "migrate"]


def test_only_hosts_in_scope_are_optimised(zoned: Path, tmp_path: Path) -> None:
    scope = tmp_path / "scope.yaml"
    scope.write_text("- compute:\n  - availability_zones: [{name: az-1}, {name: az-7}]\n")
    outcome = tachyon("audit", "run", zoned, "--scope", scope, "--format", "json")
    zone = {
        p.name for p in read_cluster_file(zoned).cluster.providers if p.availability_zone == "az-1"
    }
    assert {h["name"] for h in msgspec.json.decode(outcome.out)["hosts"]} == zone
    moves = migrations(outcome.out)
    assert moves
    assert {m[end] for m in moves for end in ("source_node", "destination_node")} <= zone
    assert "availability zone az-7 does not exist" in outcome.err


def test_excluded_instances_stay_where_they_are(zoned: Path, tmp_path: Path) -> None:
    moved = migrations(tachyon("audit", "run", zoned, "--format", "json").out)
    assert moved
    first = moved[0]["resource_id"]
    scope = tmp_path / "scope.json"
    scope.write_bytes(
        msgspec.json.encode([{"compute": [{"exclude": [{"instances": [{"uuid": first}]}]}]}])
    )
    out = tachyon("audit", "run", zoned, "--scope", scope, "--format", "json").out
    assert first not in {m["resource_id"] for m in migrations(out)}


def test_a_malformed_scope_is_told_with_the_place(zoned: Path, tmp_path: Path) -> None:
    scope = tmp_path / "scope.json"
    scope.write_text('[{"compute": [{"zones": []}]}]')
    outcome = tachyon("audit", "run", zoned, "--scope", scope, code=2)
    assert "[0].compute[0]" in outcome.err
    scope.write_text("[{")
    assert "neither JSON nor YAML" in tachyon("audit", "run", zoned, "--scope", scope, code=2).err
