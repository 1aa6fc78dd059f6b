"""After an operation on a cloud, its notifications have brought the graph to where it is."""

from __future__ import annotations

import pytest

from tachyon.graph.client import GraphClient
from tests.collectors.clouds import collect
from tests.notifications.scenes import Scene, apply, assert_agrees


def an_active_server(scene: Scene) -> str:
    servers = scene.emulator.cloud.compute.servers
    return next(
        u for u in sorted(servers) if servers[u].vm_state == "active" and not servers[u].group
    )


STEPS = {
    "live migration": [("os-migrateLive", {"host": None, "block_migration": "auto"})],
    "cold migration, confirmed": [("migrate", None), ("confirmResize", None)],
    "cold migration, not confirmed": [("migrate", None)],
    "cold migration, reverted": [("migrate", None), ("revertResize", None)],
    "stop": [("os-stop", None)],
    "stop and start": [("os-stop", None), ("os-start", None)],
    "cold migration of a stopped server": [
        ("os-stop", None),
        ("migrate", None),
        ("confirmResize", None),
    ],
    "pause": [("pause", None)],
    "pause and unpause": [("pause", None), ("unpause", None)],
    "suspend": [("suspend", None)],
    "suspend and resume": [("suspend", None), ("resume", None)],
    "lock": [("lock", {"locked_reason": "mine"})],
    "lock and unlock": [("lock", {}), ("unlock", None)],
    "shelve": [("shelve", None)],
    "shelve and unshelve": [("shelve", None), ("unshelve", None)],
    "reboot": [("reboot", {"type": "SOFT"}), ("reboot", {"type": "HARD"})],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
def test_an_operation_on_a_server(
    scene: Scene, graph: GraphClient, steps: list[tuple[str, object]]
) -> None:
    collect(scene.cloud, graph)
    server = an_active_server(scene)
    for action, arguments in steps:
        assert scene.act(server, action, arguments)
    apply(graph, scene.cloud, [scene.events])
    assert_agrees(graph, scene)
