"""What collectors and handlers of notifications ask the services, one function per question.

Every list is asked for with all its pages, of all projects, in pages as wide as services allow.
"""

from __future__ import annotations

from typing import Any

from tachyon.errors import CloudNotFound
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping.answers import Answer
from tachyon.openstack.mapping.compute import COMPUTE_BINARY
from tachyon.openstack.mapping.storage import VOLUME_BINARY
from tachyon.openstack.service import Service

#: The widest page that Nova, Cinder and Ironic give by their defaults.
PAGE = 1000
#: What a migration is called while something is held for it on two hosts.
_UNDER_WAY = (
    "accepted",
    "queued",
    "preparing",
    "running",
    "pre-migrating",
    "migrating",
    "post-migrating",
    "finished",
    "confirming",
    "reverting",
    "done",
)


def hypervisors(cloud: Connection) -> list[Answer]:
    """Return all hypervisors, Ironic's too."""
    return cloud.nova.entries("/os-hypervisors/detail", "hypervisors", {"limit": PAGE})


def hypervisors_named(cloud: Connection, name: str) -> list[Answer]:
    """Return the hypervisors whose host's service is called so.

    Nova looks for a part of the hypervisor's own name, so that other hosts are found, too (they are
    left out here), and one that calls itself otherwise is not (then all are asked for).
    """

    def named(found: list[Answer]) -> list[Answer]:
        return [h for h in found if h["service"]["host"] == name]

    pattern = {"hypervisor_hostname_pattern": name}
    try:
        found = named(cloud.nova.entries("/os-hypervisors/detail", "hypervisors", pattern))
    except CloudNotFound:
        found = []
    return found or named(hypervisors(cloud))


def compute_services(cloud: Connection, host: str | None = None) -> list[Answer]:
    """Return the nova-compute services, or that of one host."""
    params = {"binary": COMPUTE_BINARY, "host": host}
    return cloud.nova.entries("/os-services", "services", params)


def aggregates(cloud: Connection) -> list[Answer]:
    """Return all host aggregates."""
    return cloud.nova.entries("/os-aggregates", "aggregates")


def flavors(cloud: Connection) -> list[Answer]:
    """Return all flavors, those of single projects too."""
    params = {"is_public": "None", "limit": PAGE}
    return cloud.nova.entries("/flavors/detail", "flavors", params)


def flavor(cloud: Connection, id: str) -> Answer | None:
    """Return a flavor, None when there is none."""
    return _one(cloud.nova, f"/flavors/{id}", "flavor")


def server_groups(cloud: Connection) -> list[Answer]:
    """Return all server groups."""
    return cloud.nova.slices(
        "/os-server-groups", "server_groups", {"all_projects": True}, limit=PAGE
    )


def server_group(cloud: Connection, uuid: str) -> Answer | None:
    """Return a server group, None when there is none."""
    return _one(cloud.nova, f"/os-server-groups/{uuid}", "server_group")


def servers(cloud: Connection) -> list[Answer]:
    """Return the servers of all projects."""
    # By uuid, because an order that changes while the pages are read skips servers.
    params = {"all_tenants": True, "limit": PAGE, "sort_key": "uuid", "sort_dir": "asc"}
    return cloud.nova.entries("/servers/detail", "servers", params)


def server(cloud: Connection, uuid: str) -> Answer | None:
    """Return a server, None when there is none."""
    return _one(cloud.nova, f"/servers/{uuid}", "server")


def migrations_under_way(cloud: Connection) -> list[Answer]:
    """Return the migrations that may hold something, all kinds."""
    return [
        migration
        for status in _UNDER_WAY
        for migration in cloud.nova.entries(
            "/os-migrations", "migrations", {"status": status, "limit": PAGE}
        )
    ]


def migrations_of(cloud: Connection, server: str) -> list[Answer]:
    """Return the migrations of a server, newest first."""
    return cloud.nova.entries("/os-migrations", "migrations", {"instance_uuid": server})


def projects(cloud: Connection) -> list[Answer]:
    """Return the projects that we may see."""
    return cloud.keystone.entries("/projects", "projects")


def providers(cloud: Connection) -> list[Answer]:
    """Return all resource providers of Placement."""
    return cloud.placement.entries("/resource_providers", "resource_providers")


def providers_with(cloud: Connection, trait: str) -> list[Answer]:
    """Return the resource providers that have a trait."""
    params = {"required": trait}
    return cloud.placement.entries("/resource_providers", "resource_providers", params)


def traits_in_use(cloud: Connection) -> list[str]:
    """Return the traits that some provider has."""
    found: list[str] = cloud.placement.get("/traits", {"associated": "true"})["traits"]
    return found


def inventories(cloud: Connection, provider: str) -> Answer:
    """Return the inventories of a provider, and its generation."""
    return cloud.placement.get(f"/resource_providers/{provider}/inventories")


def traits(cloud: Connection, provider: str) -> list[str]:
    """Return the traits of a provider."""
    found: list[str] = cloud.placement.get(f"/resource_providers/{provider}/traits")["traits"]
    return found


def allocations_on(cloud: Connection, provider: str) -> Answer:
    """Return what consumers hold on a provider, and its generation."""
    return cloud.placement.get(f"/resource_providers/{provider}/allocations")


def allocations_of(cloud: Connection, consumer: str) -> Answer:
    """Return what a consumer holds, by provider; an unknown one holds nothing."""
    found: Answer = cloud.placement.get(f"/allocations/{consumer}")["allocations"]
    return found


def volume_services(cloud: Connection) -> list[Answer]:
    """Return the cinder-volume services."""
    return cloud.cinder.entries("/os-services", "services", {"binary": VOLUME_BINARY})


def pools(cloud: Connection) -> list[Answer]:
    """Return the pools of all backends with their capacities."""
    return cloud.cinder.entries("/scheduler-stats/get_pools", "pools", {"detail": True})


def volume_types(cloud: Connection) -> list[Answer]:
    """Return all volume types, private ones too."""
    return cloud.cinder.entries("/types", "volume_types", {"is_public": "None", "limit": PAGE})


def volumes(cloud: Connection) -> list[Answer]:
    """Return the volumes of all projects."""
    params = {"all_tenants": True, "limit": PAGE, "sort": "id:asc"}
    return cloud.cinder.entries("/volumes/detail", "volumes", params)


def volumes_changed(cloud: Connection, since: str) -> list[Answer]:
    """Return the volumes of all projects that changed at a moment or later (Cinder 3.60).

    Args:
        cloud: to ask.
        since: the moment in ISO 8601.
    """
    params = {"all_tenants": True, "limit": PAGE, "sort": "id:asc", "updated_at": f"gte:{since}"}
    return cloud.cinder.entries("/volumes/detail", "volumes", params)


def volume(cloud: Connection, id: str) -> Answer | None:
    """Return a volume, None when there is none."""
    return _one(cloud.cinder, f"/volumes/{id}", "volume")


def snapshots(cloud: Connection, volume: str | None = None) -> list[Answer]:
    """Return the snapshots of all projects; those of one volume where it is named."""
    params: dict[str, Any] = {"all_tenants": True, "limit": PAGE}
    if volume is not None:
        params["volume_id"] = volume
    return cloud.cinder.entries("/snapshots/detail", "snapshots", params)


def nodes(cloud: Connection) -> list[Answer]:
    """Return Ironic's nodes with all they have (the short listing has no `extra`)."""
    return cloud.ironic.entries("/nodes/detail", "nodes", {"limit": PAGE})


def node(cloud: Connection, uuid: str) -> Answer | None:
    """Return a node of Ironic, None when there is none."""
    try:
        return cloud.ironic.get(f"/nodes/{uuid}")
    except CloudNotFound:
        return None


def _one(service: Service, path: str, member: str) -> Answer | None:
    try:
        found: Answer = service.get(path)[member]
    except CloudNotFound:
        return None
    return found
