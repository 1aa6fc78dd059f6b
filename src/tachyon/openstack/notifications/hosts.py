"""Compute hosts read again, when an event has named one or a server is on one that is new."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from tachyon.errors import CloudNotFound
from tachyon.graph.entities import ResourceProvider
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.placement import GENERATION
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import compute as mapping
from tachyon.openstack.mapping.answers import Answer
from tachyon.openstack.notifications.contract import Rereader
from tachyon.openstack.notifications.work import Later, Work

#: From this many hosts on, one list of all services is less work than asking for each.
_MANY = 8


class HostRereader(Rereader):
    """Reads nova-compute services by their host, and the whole of a host that is new."""

    order = 20

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read hosts again; one that has no service any more is removed."""
        if len(wanted) > _MANY:
            listed = [queries.compute_services(cloud)]
        else:
            listed = cloud.gather_all(lambda name: queries.compute_services(cloud, name), wanted)
        services = {s["host"]: s for answer in listed for s in answer}
        for name in wanted:
            known = work.host_of(name)
            service = services.get(name)
            if service is None:
                if known is not None:
                    work.remove_provider(known.uuid)
            elif known is not None:
                refresh(cloud, known, service, work)
            else:
                _discover(cloud, name, service, work)


def refresh(cloud: Connection, known: ResourceProvider, service: Answer, work: Work) -> None:
    """Stage a host as its service says it is now, with the traits of its provider."""
    told = mapping.service(service)
    try:
        traits = tuple(sorted(queries.traits(cloud, known.uuid)))
    except CloudNotFound:
        traits = known.traits
    host = replace(
        known,
        status=told.status,
        state=told.state,
        disabled_reason=told.disabled_reason,
        availability_zone=told.zone,
        traits=traits,
    )
    work.put_provider(host)
    if mapping.contradicts_traits(host):
        # Its nova-compute tells Placement after Nova's API has told of it.
        work.later.add(Later(HOSTS, known.name))


def _discover(cloud: Connection, name: str, service: Answer, work: Work) -> None:
    """Stage a host that the graph does not have; its node may appear after its service."""
    found = queries.hypervisors_named(cloud, name)
    if found and not any(mapping.is_compute_host(h) for h in found):
        return
    try:
        if not found:
            raise CloudNotFound(f"host {name} has no hypervisor yet")
        hypervisor = found[0]
        inventories = queries.inventories(cloud, hypervisor["id"])
        traits = queries.traits(cloud, hypervisor["id"])
    except CloudNotFound:
        work.later.add(Later(HOSTS, name))
        return
    aggregates = mapping.aggregates_of_hosts(queries.aggregates(cloud))
    work.put_provider(
        mapping.compute_host(
            hypervisor,
            mapping.service(service),
            aggregates=aggregates.get(name, ()),
            inventories=inventories["inventories"],
            traits=traits,
            extra={GENERATION: -1},
        )
    )


HOSTS = HostRereader()
