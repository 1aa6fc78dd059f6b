"""`tachyon generate`, `import`, `export` and `plugins`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tachyon.graph.cluster_file import read_cluster_file
from tests.cli.running import ROOT, tachyon


def test_generate_writes_the_same_file_for_the_same_options(tmp_path: Path) -> None:
    options = ["generate", "--hosts", "5", "--instances", "20", "--seed", "3", "--samples", "2"]
    for name in ("a.json", "b.json"):
        assert "5 providers and 20 consumers" in tachyon(*options, tmp_path / name).out
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_store_gives_back_what_was_imported(cluster_path: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    assert "at generation 1" in tachyon("import", cluster_path, "--store", url).out
    tachyon("export", "--store", url, tmp_path / "out.json.gz")
    before, after = (read_cluster_file(p).cluster for p in (cluster_path, tmp_path / "out.json.gz"))

    def plain(cluster: object) -> object:
        """Without what the store numbers itself."""
        found = msgspec.to_builtins(cluster)
        for kind in ("providers", "consumers"):
            for entry in found[kind]:
                entry.pop("generation", None)
                entry.pop("placed", None)
            found[kind].sort(key=lambda e: e["uuid"])
        return found

    assert plain(before) == plain(after)


def test_a_capture_becomes_a_cluster_file(tmp_path: Path) -> None:
    capture = ROOT / "tests" / "data" / "openstack-capture" / "http"
    tachyon("import", capture, "--output", tmp_path / "c.json")
    assert read_cluster_file(tmp_path / "c.json").cluster.consumers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "{cluster}"], "name one of --store and --output"),
        (["import", "nowhere", "--output", "x.json"], "there is no such file"),
        (["import", "{cluster}", "--output", "/nonexistent/x.json"], "cannot be written"),
        (["generate", "--hosts", "0", "x.json"], "hosts: must be a whole number of at least 1"),
        (["export", "--store", "sqlite:////nonexistent/g.db", "x.json"], "there is no such store"),
    ],
    ids=str,
)
def test_a_mistake_ends_in_one_line(cluster_path: Path, arguments: list[str], message: str) -> None:
    outcome = tachyon(*(a.replace("{cluster}", str(cluster_path)) for a in arguments), code=2)
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_plugins_lists_goals_and_strategies() -> None:
    listed = msgspec.json.decode(tachyon("plugins", "--format", "json").out)
    assert {g["name"] for g in listed["goals"]} >= {"server_consolidation", "workload_balancing"}
    assert {s["name"] for s in listed["strategies"]} >= {"consolidation", "standard_deviation"}
    assert listed["broken"] == {}
    assert "migration_limit" in tachyon("plugins").out


def test_help_names_every_command() -> None:
    out = tachyon("--help").out
    for command in ("audit", "export", "generate", "graph", "import", "plugins", "simulate"):
        assert command in out
    assert tachyon("--version").out.startswith("tachyon")


def test_graph_serve_says_what_it_takes() -> None:
    assert "--store" in tachyon("graph", "serve", "--help").out
