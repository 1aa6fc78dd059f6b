"""`tachyon simulate`: what-if by script and by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import tachyon

FILE = """{"format": "tachyon-cluster", "version": 1, "providers": [
{"uuid": "a", "name": "alpha", "inventories": {"VCPU": {"total": 4}}},
{"uuid": "b", "name": "beta", "inventories": {"VCPU": {"total": 4}}},
{"uuid": "c", "name": "gamma", "status": "disabled", "inventories": {"VCPU": {"total": 4}}}],
"consumers": [
{"uuid": "x", "name": "web", "allocations": {"a": {"VCPU": 2}}},
{"uuid": "y", "name": "db", "allocations": {"b": {"VCPU": 3}}}]}"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(FILE)
    return path


def simulate(file: Path, script: str, code: int = 0) -> tuple[str, str]:
    outcome = tachyon("simulate", file, "--script", "-", stdin=script, code=code)
    return outcome.out, outcome.err


@pytest.mark.illegal_plan("a person asks what if a host took somebody that is disabled")
def test_a_script_moves_undoes_and_looks(small: Path) -> None:
    out, err = simulate(
        small,
        """# what if
        metrics
        move db alpha    # too large
        """,
        code=1,
    )
    assert "tachyon: error: line 3" in err
    assert "2 VCPU available, 3 required" in err
    assert "> metrics" in out

    out, _ = simulate(small, "move web gamma\nhistory\nplan\nshow web\nundo\nhistory\n")
    assert "web: alpha → gamma" in out
    assert "1 move web to gamma" in out
    assert "live migration of web: alpha → gamma" in out
    assert "active, on gamma" in out
    assert "taken back: move web to gamma" in out
    assert out.endswith("nothing was changed\n")


def test_destinations_tell_the_reason_for_each_refused_host(small: Path) -> None:
    out, _ = simulate(small, "destinations web\n")
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "here already" in lines["alpha"]
    assert "1 available, 2 required" in lines["beta"]
    assert "disabled" in lines["gamma"]
    assert "0 valid, 3 refused" in out
    out, _ = simulate(small, "enable gamma\ndestinations web gamma\n")
    assert "1 valid, 0 refused" in out


def test_services_can_be_switched(small: Path) -> None:
    out, _ = simulate(small, "disable beta 'bad disk'\nhosts be\nplan\n")
    assert "beta is disabled" in out
    assert "disable service of beta" in out


def test_hosts_and_help_and_quit(small: Path) -> None:
    out, _ = simulate(small, "hosts\nhost beta\nhelp\nquit\nnever\n")
    assert "75 %" in out
    assert "instances: db" in out
    assert "destinations INSTANCE [HOST]" in out
    assert "never" not in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fly web", "there is no command fly"),
        ("move web", "usage: move INSTANCE HOST"),
        ("move web nowhere", "resource provider nowhere does not exist"),
        ("move nobody alpha", "consumer nobody does not exist"),
        ("move web alpha", "already"),
        ("undo", "1 deltas to undo, the session holds 0"),
        ("undo none", "not a number of changes"),
        ("show 'web", "cannot be read"),
    ],
)
def test_a_mistake_names_its_line(small: Path, line: str, message: str) -> None:
    _, err = simulate(small, f"metrics\n{line}\n", code=1)
    assert err.startswith("tachyon: error: line 2: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_by_hand_a_mistake_does_not_end_it(small: Path) -> None:
    outcome = tachyon("simulate", small, stdin="fly\nmove web gamma\nquit\n")
    assert "there is no command fly" in outcome.out
    assert "web: alpha → gamma" in outcome.out
    assert outcome.err == ""
