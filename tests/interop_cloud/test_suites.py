"""The suites that Watcher's own clients come with pass against our service.

The numbers are those of python-watcherclient 4.11.0 and watcher-tempest-plugin 3.9.0, so that a
suite that finds no tests, or fewer, does not pass.
"""

from __future__ import annotations

from tests.interop_cloud.control_plane import ControlPlane
from tests.interop_cloud.operator import Operator
from tests.interop_cloud.suites import SKIPPED, functional, skipped_by_upstream, tempest


def test_functional_suite_of_the_client(plane: ControlPlane, operator: Operator) -> None:
    outcome = functional()
    assert (outcome.failed, outcome.skipped) == ([], []), outcome.said
    assert len(outcome.passed) == 50


def test_functional_suite_of_the_tempest_plugin(plane: ControlPlane, operator: Operator) -> None:
    """An older copy of the client's, which takes who it is from tempest's configuration."""
    outcome = tempest(r"^watcher_tempest_plugin\.tests\.client_functional\.")
    assert (outcome.failed, outcome.skipped) == ([], []), outcome.said
    assert len(outcome.passed) == 41


def test_api_suite_of_tempest(plane: ControlPlane, operator: Operator) -> None:
    """Also the test that fails with Watcher, and is skipped for that."""
    outcome = tempest(r"^watcher_tempest_plugin\.tests\.api\.")
    assert outcome.failed == [], outcome.said
    assert len(outcome.passed) == 60
    (skipped,) = outcome.skipped
    assert SKIPPED in skipped

    outcome = skipped_by_upstream()
    (passed,) = outcome.passed or [outcome.said]
    assert SKIPPED in passed
    assert (outcome.failed, outcome.skipped) == ([], [])
