"""Whatever is done to a cloud, and whenever it is interrupted, Nova and Placement agree at the end.

A naive model says what each server must hold: its flavor, on its host.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tachyon.errors import CloudConflict, CloudError
from tachyon.graph.generator import generate
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import Durations, Emulator, ManualClock, WorkFault

_CLUSTER = generate(hosts=4, instances=8, seed=5, server_groups=2, load=0.3)
_HOSTS = [p.name for p in _CLUSTER.cluster.providers]
_ACTIONS: list[tuple[str, Any]] = [
    ("migrate", None),
    ("confirmResize", None),
    ("revertResize", None),
    ("os-stop", None),
    ("os-start", None),
    ("shelve", None),
    ("unshelve", None),
    ("suspend", None),
    ("resume", None),
]


class Operations(RuleBasedStateMachine):
    """Random operations, among them faults, with random amounts of time in between."""

    @initialize()
    def start(self) -> None:
        durations = Durations(step=0.1, live_migration=2.0, cold_migration=1.0)
        self.emulator = Emulator(_CLUSTER, clock=ManualClock(), durations=durations).start()
        self.cloud = connect(cloud=self.emulator.name, clouds_file=self.emulator.clouds_yaml)
        self.compute = self.emulator.cloud.compute

    def teardown(self) -> None:
        if hasattr(self, "emulator"):
            self.cloud.close()
            self.emulator.close()

    def _act(self, number: int, action: str, arguments: Any) -> None:
        servers = list(self.compute.servers)
        uuid = servers[number % len(servers)]
        try:
            self.cloud.nova.post(f"/servers/{uuid}/action", {action: arguments})
        except CloudConflict:
            # In this state it is not allowed.
            return
        except CloudError as error:
            # Nothing to confirm, or the host or flavor is what it has.
            if error.details["http_status"] != 400:
                raise

    @rule(number=st.integers(0, 7), host=st.sampled_from([None, *_HOSTS]))
    def live_migrate(self, number: int, host: str | None) -> None:
        self._act(number, "os-migrateLive", {"host": host, "block_migration": "auto"})

    @rule(number=st.integers(0, 7), action=st.sampled_from(_ACTIONS))
    def act(self, number: int, action: tuple[str, Any]) -> None:
        self._act(number, *action)

    @rule(number=st.integers(0, 7), flavor=st.integers(1, 4))
    def resize(self, number: int, flavor: int) -> None:
        self._act(number, "resize", {"flavorRef": str(flavor)})

    @precondition(lambda self: len(self.compute.servers) > 3)
    @rule(number=st.integers(0, 7))
    def delete(self, number: int) -> None:
        servers = list(self.compute.servers)
        self.cloud.nova.delete(f"/servers/{servers[number % len(servers)]}")

    @rule(number=st.integers(0, 7))
    def abort(self, number: int) -> None:
        for uuid in list(self.compute.servers)[number : number + 1]:
            for migration in self.cloud.nova.get(f"/servers/{uuid}/migrations")["migrations"]:
                if migration["status"] == "running":
                    self.cloud.nova.delete(f"/servers/{uuid}/migrations/{migration['id']}")

    @rule(kind=st.sampled_from(["live-migration", "migration", "resize"]))
    def break_something(self, kind: str) -> None:
        self.emulator.arm(WorkFault(kind=kind))

    @rule(host=st.sampled_from(_HOSTS), status=st.sampled_from(["enabled", "disabled"]))
    def switch_service(self, host: str, status: str) -> None:
        key = self.compute.hosts[host].service_id
        self.cloud.nova.put(f"/os-services/{key}", {"status": status})

    @rule(seconds=st.floats(0.0, 4.0))
    def let_time_pass(self, seconds: float) -> None:
        self.emulator.advance(seconds)

    @rule()
    def settle(self) -> None:
        self.emulator.settle()
        self._check_allocations()
        self._check_notifications()

    @invariant()
    def hosts_and_servers_name_each_other(self) -> None:
        if not hasattr(self, "compute"):
            return
        for host in self.compute.hosts.values():
            assert all(server.host == host.name for server in host.servers.values())
        placed = sum(len(host.servers) for host in self.compute.hosts.values())
        assert placed == sum(s.host is not None for s in self.compute.servers.values())

    @invariant()
    def usage_is_the_sum_of_allocations(self) -> None:
        if not hasattr(self, "compute"):
            return
        placement = self.emulator.cloud.placement
        sums: dict[str, Counter[str]] = {uuid: Counter() for uuid in placement.providers}
        for holder in placement.holders.values():
            for uuid, resources in holder.held.items():
                sums[uuid].update(resources)
        for uuid, provider in placement.providers.items():
            assert +provider.used == +sums[uuid]

    def _check_allocations(self) -> None:
        placement = self.emulator.cloud.placement
        pending = set()
        for server in self.compute.servers.values():
            held = placement.held_by(server.uuid)
            if server.host is None:
                assert held == {}
                continue
            amounts = held[self.compute.hosts[server.host].uuid]
            assert list(held) == [self.compute.hosts[server.host].uuid]
            assert (amounts["VCPU"], amounts["MEMORY_MB"]) == (
                server.flavor.vcpus,
                server.flavor.ram,
            )
            if server.vm_state == "resized":
                pending.add(self.compute.migrations_of[server.uuid][-1].uuid)
        assert set(placement.holders) - set(self.compute.servers) == pending

    def _check_notifications(self) -> None:
        """What was last said of a server is how it is."""
        last = {
            n.payload["nova_object.data"]["uuid"]: n.payload["nova_object.data"]
            for n in self.emulator.notifications
            if n.event_type == "instance.update"
        }
        for server in self.compute.servers.values():
            if (told := last.get(server.uuid)) is not None:
                states = (told["host"], told["state"], told["task_state"])
                assert states == (server.host, server.vm_state, server.task_state)


@pytest.mark.integration
class TestOperations(Operations.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(
        max_examples=30,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class TestAFewOperations(Operations.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(
        max_examples=3,
        stateful_step_count=15,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
