"""Saving energy where MAAS switches the hosts on and off.

A module of its own: the buses of all services in one process are one, and the collector of another
cloud would take this one's notifications.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.control.services.test_strategies import (
    HOSTS,
    applied,
    as_planned,
    connected,
    control_plane,
)

pytestmark = pytest.mark.integration


def test_what_is_released_is_switched_off_through_maas_and_on_again(tmp_path: Path) -> None:
    names = {host.name for host in HOSTS}
    with control_plane(tmp_path, maas=True) as services, connected(services) as cloud:
        # The first leaves the second something to do.
        few: dict[str, Any] = {"migration_limit": 2}
        for strategy, parameters in (("basic", few), ("consolidation", {})):
            asked = {"strategy": strategy, "parameters": parameters}
            found = applied(services, goal="server_consolidation", **asked)
            kinds = {a["action_type"] for a in found}
            assert kinds >= {"migrate", "change_nova_service_state"}
            assert as_planned(cloud, found) == []
        for standbys, state in ((0, "off"), (1, "on")):
            parameters = {"min_free_hosts_num": standbys, "free_used_percent": 0}
            found = applied(
                services, goal="saving_energy", strategy="saving_energy", parameters=parameters
            )
            assert {a["input_parameters"]["state"] for a in found} == {state}
            # MAAS calls its machines as their hosts are called; the emulator's Ironic, which tells
            # of what was switched, does not.
            called = {a["input_parameters"]["resource_name"] for a in found}
            assert called <= names or state == "on"
            assert as_planned(cloud, found) == []
