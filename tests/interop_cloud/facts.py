"""What Nova, Placement and Cinder say of a cloud, asked of themselves and not of the graph."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import Connection

Answer = dict[str, Any]


class Facts:
    """Questions to a cloud that is at rest."""

    def __init__(self, cloud: Connection) -> None:
        self.cloud = cloud

    def servers(self) -> dict[str, Answer]:
        """Return every server by its uuid."""
        return {str(one["id"]): one for one in queries.servers(self.cloud)}

    def placement(self) -> dict[str, str]:
        """Return the host of each server."""
        return {uuid: one["OS-EXT-SRV-ATTR:host"] for uuid, one in self.servers().items()}

    def states(self) -> dict[str, str]:
        """Return the status of each server, as ACTIVE or SHUTOFF."""
        return {uuid: one["status"] for uuid, one in self.servers().items()}

    def services(self) -> dict[str, tuple[str, str | None]]:
        """Return status and reason of each host's nova-compute."""
        found = queries.compute_services(self.cloud)
        return {one["host"]: (one["status"], one["disabled_reason"]) for one in found}

    def pools(self) -> dict[str, str]:
        """Return the pool of each volume by the volume's name."""
        found = queries.volumes(self.cloud)
        return {one["name"]: one["os-vol-host-attr:host"] for one in found}

    def volume_states(self) -> dict[str, str]:
        """Return the status of each volume by its name, as available or in-use."""
        return {one["name"]: one["status"] for one in queries.volumes(self.cloud)}

    def pools_beside(self, pool: str) -> list[str]:
        """Return the other pools of a pool's backend."""
        backend = pool.partition("#")[0]
        names = [one["name"] for one in queries.pools(self.cloud)]
        return [name for name in names if name.startswith(f"{backend}#") and name != pool]

    def allocated(self) -> dict[str, dict[str, Answer]]:
        """Return what Placement holds for each server, by the names of the providers."""
        answer = self.cloud.placement.get("/resource_providers")
        names = {one["uuid"]: one["name"] for one in answer["resource_providers"]}
        found = {}
        for uuid in self.servers():
            held = self.cloud.placement.get(f"/allocations/{uuid}")["allocations"]
            found[uuid] = {names[one]: held[one]["resources"] for one in held}
        return found

    def check(self) -> None:
        """Assert that nothing is left half done, and that Placement agrees with Nova."""
        servers, allocated = self.servers(), self.allocated()
        for uuid, one in servers.items():
            assert one["status"] in ("ACTIVE", "SHUTOFF"), (uuid, one["status"])
            assert one["OS-EXT-STS:task_state"] is None, (uuid, one["OS-EXT-STS:task_state"])
            flavor = one["flavor"]
            assert allocated[uuid] == {
                one["OS-EXT-SRV-ATTR:host"]: {
                    "VCPU": flavor["vcpus"],
                    "MEMORY_MB": flavor["ram"],
                    "DISK_GB": flavor["disk"],
                }
            }
        assert queries.migrations_under_way(self.cloud) == []

    def on(self, host: str) -> set[str]:
        """Return the servers of a host."""
        return {uuid for uuid, its in self.placement().items() if its == host}

    def fullest(self) -> str:
        """Return the host with the most servers."""
        hosts = list(self.placement().values())
        return max(sorted(set(hosts)), key=hosts.count)

    def emptiest(self) -> str:
        """Return the host with the fewest servers."""
        hosts = list(self.placement().values())
        return min(sorted(self.services()), key=hosts.count)


def until(what: str, holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for something that holds, and return it."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)
    return found
