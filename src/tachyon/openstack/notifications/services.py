"""Nova's events about compute services: hosts come, go, are enabled and disabled.

The event names the host; its state is read again, because an event cannot tell whether the
service is alive. Services that are not nova-compute are no hosts, whatever host they run on.
"""

from __future__ import annotations

from tachyon.openstack.mapping.compute import COMPUTE_BINARY
from tachyon.openstack.notifications.contract import Handler, Outcome
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.hosts import HOSTS
from tachyon.openstack.notifications.instances import INSTANCES
from tachyon.openstack.notifications.work import Work


class ServiceHandler(Handler):
    """Handles `service.*`."""

    model = "compute"
    pattern = r"service\.(create|update|delete)"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a service."""
        name: str | None = event.payload["host"]
        if event.payload["binary"] != COMPUTE_BINARY or not name:
            return Outcome.IGNORED
        if work.is_old("compute", event.at):
            return Outcome.OLD
        work.read_again(HOSTS, name, event.at)
        host = work.host_of(name)
        # A service that comes back lets go of what servers left behind that were evacuated.
        for left in work.migrations() if host is not None else ():
            if any(work.root(uuid) == host for uuid in left.allocations):
                work.read_again(INSTANCES, left.extra["instance"], event.at)
        return Outcome.READ_AGAIN
