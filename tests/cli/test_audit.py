"""`tachyon audit run`: tables, JSON and HTML, and one clear line for whatever is wrong."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from tachyon.graph.cluster_file import read_cluster_file
from tachyon.optimize.audit import AuditReport
from tests.cli.running import ROOT, tachyon
from tests.optimize.checker import Replay

GOALS = ("server_consolidation", "workload_balancing")


@pytest.mark.parametrize("goal", GOALS)
def test_the_table_shows_before_and_after_on_eighty_columns(cluster_path: Path, goal: str) -> None:
    out = tachyon("audit", "run", cluster_path, "--goal", goal).out
    assert goal in out
    for text in ("before", "after", "hosts in use", "std deviation", "MEMORY_MB", "cpu_usage"):
        assert text in out
    assert re.search(r"Plan: \d+ actions, \d+ migrations", out)
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("goal", GOALS)
def test_the_json_form_is_the_whole_report(cluster_path: Path, goal: str) -> None:
    out = tachyon("audit", "run", cluster_path, "--goal", goal, "--format", "json").out
    report = msgspec.json.decode(out, type=AuditReport)
    assert report.goal == goal
    assert len(report.hosts) == report.before.hosts == 20
    assert report.migrations == sum(a.action_type == "migrate" for a in report.actions)
    replay = Replay(read_cluster_file(cluster_path)).run(msgspec.json.decode(out)["actions"])
    assert replay.problems == []


def test_parameters_reach_the_strategy(cluster_path: Path) -> None:
    out = tachyon(
        "audit", "run", cluster_path, "--strategy", "standard_deviation", "--format", "json",
        "-p", "weights.VCPU=2", "-p", "weights.DISK_GB=0.5", "-p", "migration_limit=3",
    ).out  # fmt: skip
    report = msgspec.json.decode(out, type=AuditReport)
    assert report.weights == {"VCPU": 2, "DISK_GB": 0.5}
    assert report.migrations == 3


def test_metrics_can_be_chosen_or_left_out(cluster_path: Path) -> None:
    def classes(*options: str) -> list[str]:
        out = tachyon("audit", "run", cluster_path, "--format", "json", *options).out
        return list(msgspec.json.decode(out, type=AuditReport).before.classes)

    assert "cpu_usage" in classes("--metric", "cpu_usage:p95", "--window", "0:3")
    assert "cpu_usage" not in classes("--no-metrics")


def test_a_store_is_filled_and_read(cluster_path: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    out = tachyon("audit", "run", cluster_path, "--store", url, "--format", "json").out
    first = msgspec.json.decode(out, type=AuditReport)
    assert "cpu_usage" in first.before.classes
    again = msgspec.json.decode(
        tachyon("audit", "run", url, "--format", "json").out, type=AuditReport
    )
    assert again.before.hosts == 20
    assert "cpu_usage" not in again.before.classes


class _Page(HTMLParser):
    """Notes what a page refers to, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: dict[str, int] = {}
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("goal", GOALS)
def test_the_html_report_stands_alone(cluster_path: Path, tmp_path: Path, goal: str) -> None:
    path = tmp_path / "report.html"
    out = tachyon("audit", "run", cluster_path, "--goal", goal, "--html", path).out
    assert str(path) in out.replace("\n", "")
    text = path.read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.references == []
    assert "script" not in page.tags
    assert "url(" not in text
    assert "@import" not in text
    # One map before and one after for each of four columns, a cell with a title for each host.
    assert text.count('role="img"') == 8
    assert page.tags["title"] == 1 + 8 * 20


def test_names_from_the_file_are_escaped(tmp_path: Path) -> None:
    path, html = tmp_path / "c.json", tmp_path / "r.html"
    path.write_text(
        '{"format": "tachyon-cluster", "version": 1, "providers": ['
        '{"uuid": "a", "name": "<script>alert(1)</script>", "inventories": {"VCPU": {"total": 4}}},'
        '{"uuid": "b", "name": "[bold]b[/", "inventories": {"VCPU": {"total": 4}}}], "consumers": ['
        '{"uuid": "x", "name": "[/red]", "allocations": {"a": {"VCPU": 1}}},'
        '{"uuid": "y", "name": "<b>", "allocations": {"b": {"VCPU": 2}}}]}'
    )
    out = tachyon("audit", "run", path, "--html", html).out
    assert "[/red]" in out
    assert "<script>" not in html.read_text()


def test_progress_goes_to_stderr_on_request_only(cluster_path: Path) -> None:
    assert tachyon("audit", "run", cluster_path).err == ""
    shown = tachyon("audit", "run", cluster_path, "--progress", "--format", "json")
    assert "hosts released" in shown.err
    assert msgspec.json.decode(shown.out, type=AuditReport).goal == "server_consolidation"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.json"], 2, "nowhere.json: there is no such file"),
        (["{cluster}", "--goal", "world_peace"], 2, "no goal world_peace is installed"),
        (["{cluster}", "--strategy", "magic"], 2, "no strategy magic is installed"),
        (
            ["{cluster}", "--strategy", "consolidation", "--goal", "workload_balancing"],
            2,
            "serves goal server_consolidation",
        ),
        (["{cluster}", "-p", "threshold=7"], 2, "threshold: 7 is greater than the maximum of 1"),
        (["{cluster}", "-p", "threshold"], 2, "is not KEY=VALUE"),
        (["{cluster}", "-p", "limits=1", "-p", "limits.VCPU=1"], 2, "not an object"),
        (["{cluster}", "-p", "colour=blue"], 2, "'colour' was unexpected"),
        (["{cluster}", "-p", "limits.WATTS=0.5"], 2, "no resource class or metric WATTS"),
        (["{cluster}", "--metric", "heat"], 2, "has no metric heat"),
        (["{cluster}", "--metric", "cpu_usage:median"], 2, "unknown statistic"),
        (["{cluster}", "--metric", "cpu_usage", "--no-metrics"], 2, "exclude each other"),
        (["{cluster}", "--window", "5:2"], 2, "FIRST:LAST"),
        (["{cluster}", "--html", "/nonexistent/dir/r.html"], 2, "cannot be written"),
        (["{cluster}", "--input-format", "planetlab"], 2, "cluster.json"),
        (["sqlite:////nonexistent/graph.db"], 2, "there is no such store"),
        (["carrier+pigeon://coop/graph"], 2, "no SQL store for carrier"),
        ([], 2, "Missing argument 'FILE'"),
    ],
    ids=str,
)
def test_a_mistake_ends_in_one_line_and_no_traceback(
    cluster_path: Path, arguments: list[str], code: int, message: str
) -> None:
    filled = [a.replace("{cluster}", str(cluster_path)) for a in arguments]
    outcome = tachyon("audit", "run", *filled, code=code)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert sum("rror" in line for line in outcome.err.splitlines()) == 1


def test_verbose_shows_where_an_error_comes_from() -> None:
    assert "Traceback" in tachyon("--verbose", "audit", "run", "nowhere.json", code=2).err


@pytest.mark.parametrize("goal", GOALS)
def test_a_captured_cloud_is_audited(goal: str) -> None:
    capture = ROOT / "tests" / "data" / "openstack-capture" / "http"
    assert "hosts in use" in tachyon("audit", "run", capture, "--goal", goal).out


def test_the_best_plan_of_all_strategies_is_taken_on_request(cluster_path: Path) -> None:
    outcome = tachyon("audit", "run", cluster_path, "--select", "best", "--format", "json")
    report = msgspec.json.decode(outcome.out, type=AuditReport)
    first = tachyon("audit", "run", cluster_path, "--format", "json").out
    released = {i.name: i.value for i in msgspec.json.decode(first, type=AuditReport).indicators}[
        "released_compute_nodes_count"
    ]
    assert {i.name: i.value for i in report.indicators}["released_compute_nodes_count"] >= released


def test_a_metric_that_is_missing_is_named_in_one_line(cluster_path: Path) -> None:
    outcome = tachyon("audit", "run", cluster_path, "--strategy", "outlet_temperature", code=1)
    assert "host_outlet_temp is missing for 20 compute nodes" in outcome.err
    assert "Traceback" not in outcome.err
