"""The documents that tell a client where everything is."""

from __future__ import annotations

from typing import Any

from tachyon.control.api.call import Answer, Call
from tachyon.control.api.versions import MAXIMUM, MINIMUM

_RESOURCES = (
    ("audit_templates", 0),
    ("audits", 0),
    ("actions", 0),
    ("action_plans", 0),
    ("scoring_engines", 0),
    ("services", 0),
    ("goals", 0),
    ("strategies", 0),
    ("data_model", 3),
    ("webhooks", 4),
)


def versions(call: Call) -> Answer:
    """List the versions of the API."""
    version = {
        "id": "v1",
        "status": "CURRENT",
        "min_version": str(MINIMUM),
        "max_version": str(MAXIMUM),
        "links": [{"rel": "self", "href": f"{call.application_url}/v1/"}],
    }
    return Answer(
        {
            "name": "OpenStack Watcher API",
            "description": "Resource optimisation for OpenStack clouds: the infra-optim API, "
            "served by Tachyon.",
            "versions": [version],
            "default_version": version,
        }
    )


def version(call: Call) -> Answer:
    """Describe version 1: where its resources are."""
    here = f"{call.application_url}/v1"
    body: dict[str, Any] = {
        "id": "v1",
        "media_types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.watcher.v1+json",
            }
        ],
        "links": [
            {"rel": "self", "href": f"{here}/"},
            {
                "rel": "describedby",
                "href": "https://docs.openstack.org/api-ref/resource-optimization/",
                "type": "text/html",
            },
        ],
    }
    for name, minor in _RESOURCES:
        if call.since(minor):
            body[name] = [
                {"rel": "self", "href": f"{here}/{name}/"},
                {"rel": "bookmark", "href": f"{call.application_url}/{name}/"},
            ]
    return Answer(body)
