"""Nova v2.1: its versions, and the routes of everything that its API shows."""

from __future__ import annotations

from typing import Any

from tachyon.openstack.emulator.services import (
    administration,
    catalogue,
    hypervisors,
    server_actions,
    servers,
)
from tachyon.openstack.emulator.web import Call, Route, ServiceType, wrapped_error

PREFIX = "/compute"


def _versions(call: Call) -> Any:
    return {
        "versions": [
            {
                "id": "v2.0",
                "links": [{"href": f"{call.base}/v2/", "rel": "self"}],
                "min_version": "",
                "status": "DEPRECATED",
                "updated": "2025-07-04T12:00:00Z",
                "version": "",
            },
            _version(call),
        ]
    }


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "links": [{"href": f"{call.base}/v2.1/", "rel": "self"}],
        "min_version": "2.1",
        "status": "CURRENT",
        "updated": "2013-07-23T11:33:21Z",
        "version": "2.104",
    }


def _v21(call: Call) -> Any:
    version = _version(call)
    described = {"href": "http://docs.openstack.org/", "rel": "describedby", "type": "text/html"}
    version["links"].append(described)
    version["media-types"] = [
        {
            "base": "application/json",
            "type": "application/vnd.openstack.compute+json;version=2.1",
        }
    ]
    return {"version": version}


_V = "/v2.1"

READS = (
    Route("GET", "/", _versions, public=True),
    Route("GET", _V, _v21, public=True),
    Route("GET", f"{_V}/servers", servers.index),
    Route("GET", f"{_V}/servers/detail", servers.index_detail),
    Route("GET", f"{_V}/servers/{{server}}", servers.show),
    Route("GET", f"{_V}/servers/{{server}}/os-volume_attachments", servers.volume_attachments),
    Route("GET", f"{_V}/os-hypervisors", hypervisors.index, admin=True),
    Route("GET", f"{_V}/os-hypervisors/detail", hypervisors.index_detail, admin=True),
    Route("GET", f"{_V}/os-hypervisors/{{hypervisor}}", hypervisors.show, admin=True),
    Route("GET", f"{_V}/os-services", hypervisors.services, admin=True),
    Route("GET", f"{_V}/os-availability-zone", hypervisors.zones),
    Route("GET", f"{_V}/os-availability-zone/detail", hypervisors.zones_detail, admin=True),
    Route("GET", f"{_V}/flavors", catalogue.flavors),
    Route("GET", f"{_V}/flavors/detail", catalogue.flavors_detail),
    Route("GET", f"{_V}/flavors/{{flavor}}", catalogue.one_flavor),
    Route("GET", f"{_V}/flavors/{{flavor}}/os-extra_specs", catalogue.extra_specs),
    Route("GET", f"{_V}/os-aggregates", catalogue.aggregates, admin=True),
    Route("GET", f"{_V}/os-aggregates/{{aggregate}}", catalogue.one_aggregate, admin=True),
    Route("GET", f"{_V}/os-server-groups", catalogue.groups),
    Route("GET", f"{_V}/os-server-groups/{{group}}", catalogue.one_group),
    Route("GET", f"{_V}/os-migrations", catalogue.migrations, admin=True),
)

NOVA = ServiceType(
    name="nova",
    prefix=PREFIX,
    error=wrapped_error,
    header="compute",
    legacy="X-OpenStack-Nova-API-Version",
    oldest=(2, 1),
    newest=(2, 104),
    default=(2, 1),
    routes=(*READS, *server_actions.ROUTES, *administration.ROUTES),
)
