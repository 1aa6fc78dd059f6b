"""The test suites of Watcher's users, run as their authors run them.

python-watcherclient's functional tests in the client's environment; watcher-tempest-plugin's by
the testbed's scripts, which install and configure it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from msgspec import Struct

from tests.interop_control.environment import interpreter
from tests.servers import testbed

#: tempest's tests that upstream skips for a bug of Watcher's own.
SKIPPED = "test_audit.TestShowListAudit.test_list_with_limit"


class Outcome(Struct):
    """What came of a suite: names of tests, and all that it said."""

    passed: list[str]
    failed: list[str]
    skipped: list[str]
    said: str


def functional() -> Outcome:
    """Run python-watcherclient's functional tests, which type commands of `openstack`."""
    python = interpreter()
    (package,) = python.parents[1].glob("lib/python*/site-packages/watcherclient")
    done = subprocess.run(
        [
            *(python, "-W", "ignore", "-m", "unittest", "discover", "-v"),
            *("-s", package / "tests" / "client_functional", "-t", package.parent),
        ],
        env={
            **_without_openstack(),
            "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
            "PYTHONWARNINGS": "ignore",
            "OS_AUTH_URL": testbed.AUTH_URL,
            "OS_USERNAME": "admin",
            "OS_PASSWORD": testbed.PASSWORD,
            "OS_PROJECT_NAME": "admin",
            # The suite takes them for names, openstack for ids: what is both suits both.
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    results = re.findall(r"^(\S+) \.\.\. (?:.*?)(ok|skipped|FAIL|ERROR)", done.stderr, re.MULTILINE)
    outcome = Outcome([], [], [], done.stderr)
    for name, result in results:
        where = {"ok": outcome.passed, "skipped": outcome.skipped}.get(result, outcome.failed)
        where.append(name)
    # A class that cannot be set up leaves no line of its tests.
    outcome.failed += re.findall(r"^ERROR: (setUpClass .*)$", done.stderr, re.MULTILINE)
    assert bool(outcome.failed) == (done.returncode != 0), done.stderr
    return outcome


def tempest(regex: str) -> Outcome:
    """Run tests of watcher-tempest-plugin by the testbed's script."""
    done = subprocess.run(
        [testbed.FOLDER / "tempest-run", regex],
        env=testbed.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    outcome = _results(done.stdout + done.stderr)
    assert bool(outcome.failed) == (done.returncode != 0), outcome.said
    return outcome


def skipped_by_upstream() -> Outcome:
    """Run what upstream skips, in the configuration that the last run of `tempest` has left.

    The mark is taken off in the processes of this run alone, by tempest_site beside this file.
    """
    ours = Path(__file__).with_name("tempest_site")
    environment = testbed.environment() | {
        "HOME": str(_work() / "home"),
        "TEMPEST_CONFIG_DIR": str(_work() / "etc"),
        "PYTHONPATH": os.pathsep.join([str(ours), str(testbed.FOLDER / "lib" / "tempest_site")]),
    }
    programs = testbed.HOME / "venv" / "tempest" / "bin"
    command = f"""
        {programs}/tempest run --regex '{re.escape(SKIPPED)}' --concurrency 1
        {programs}/stestr last --subunit | {programs}/subunit2junitxml > results.xml
    """
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=_work(),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return _results(done.stdout + done.stderr)


def _work() -> Path:
    return testbed.HOME / "tempest"


def _results(said: str) -> Outcome:
    """Return what the JUnit file of the last run tells."""
    outcome = Outcome([], [], [], said)
    for case in ElementTree.parse(_work() / "results.xml").iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("skipped") is not None:
            outcome.skipped.append(name)
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.append(name)
        else:
            outcome.passed.append(name)
    output = _work() / "output.txt"
    outcome.said += output.read_text(errors="replace") if output.exists() else ""
    return outcome


def _without_openstack() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
