"""What a real Nova 34, Cinder 29 and Placement 16 refuse is refused, with the same status."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import CloudError
from tachyon.openstack.connection import Connection
from tachyon.openstack.emulator import Emulator

NOBODY = "00000000-0000-0000-0000-000000000000"
#: An active server on compute-1, and a volume that is attached to nothing.
SERVER = "/servers/86d7a01a-a6e4-4fc2-ae19-d965210daf8b"
VOLUME = "/volumes/5c9ed741-8e57-4c79-a50a-607c7f12361c"
PROVIDER = "/resource_providers/56bdc6de-222c-43cf-8759-861cc115bf15"
LIVE = {"host": None, "block_migration": "auto"}
ONE = {"resources": {"VCPU": 1}}
OWNER = {"project_id": "p", "user_id": "u", "consumer_type": "INSTANCE"}

REFUSALS: list[tuple[str, str, str, Any, int]] = [
    ("nova", "POST", f"{SERVER}/action", {"os-start": None}, 409),
    ("nova", "POST", f"{SERVER}/action", {"confirmResize": None}, 409),
    ("nova", "POST", f"{SERVER}/action", {"resume": None}, 409),
    ("nova", "POST", f"{SERVER}/action", {"unshelve": None}, 409),
    ("nova", "POST", f"{SERVER}/action", {"resize": {"flavorRef": "4"}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"resize": {"flavorRef": "none"}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"os-migrateLive": {**LIVE, "host": "none"}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"os-migrateLive": {**LIVE, "force": True}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"os-migrateLive": {"host": None}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"migrate": {"host": "none"}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"migrate": {"host": "compute-1"}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"evacuate": {}}, 400),
    ("nova", "POST", f"{SERVER}/action", {"evacuate": {"host": "none"}}, 404),
    ("nova", "POST", f"{SERVER}/action", {"nonsense": None}, 400),
    ("nova", "POST", f"{SERVER}/action", {}, 400),
    ("nova", "POST", f"/servers/{NOBODY}/action", {"os-stop": None}, 404),
    ("nova", "DELETE", f"/servers/{NOBODY}", None, 404),
    ("nova", "DELETE", f"{SERVER}/migrations/1", None, 409),
    ("nova", "POST", f"{SERVER}/migrations/1/action", {"force_complete": None}, 409),
    ("nova", "GET", f"{SERVER}/migrations/1", None, 404),
    ("nova", "GET", f"/servers/detail?all_tenants=1&marker={NOBODY}", None, 400),
    ("nova", "GET", "/servers/detail?limit=x", None, 400),
    ("nova", "GET", "/servers/detail?sort_key=none", None, 400),
    ("nova", "GET", "/servers/detail?changes-since=none", None, 400),
    ("nova", "GET", f"/os-hypervisors/{NOBODY}", None, 404),
    ("nova", "GET", "/os-hypervisors/detail?hypervisor_hostname_pattern=none", None, 404),
    ("nova", "GET", "/nonsense", None, 404),
    ("nova", "PUT", f"/os-services/{NOBODY}", {"status": "disabled"}, 404),
    ("nova", "POST", f"{SERVER}/os-volume_attachments", {}, 400),
    ("nova", "DELETE", f"{SERVER}/os-volume_attachments/{NOBODY}", None, 404),
    ("nova", "DELETE", f"{SERVER}/metadata/none", None, 404),
    ("nova", "POST", "/os-aggregates", {"aggregate": {"name": "rack-1"}}, 409),
    ("nova", "POST", "/os-aggregates/1/action", {"add_host": {"host": "compute-1"}}, 409),
    ("nova", "POST", "/os-aggregates/1/action", {"remove_host": {"host": "compute-6"}}, 404),
    ("nova", "DELETE", "/os-aggregates/1", None, 400),
    ("cinder", "GET", "/volumes?all_tenants=1&updated_at=gte:none", None, 400),
    ("cinder", "GET", "/volumes?all_tenants=1&updated_at=2026-01-01T00:00:00", None, 400),
    ("cinder", "POST", f"{VOLUME}/action", {"os-migrate_volume": {"host": "none"}}, 400),
    ("cinder", "POST", f"{VOLUME}/action", {"os-retype": {"new_type": "none"}}, 404),
    ("cinder", "POST", f"{VOLUME}/action", {"os-retype": {"new_type": "ssd"}}, 400),
    ("cinder", "POST", f"{VOLUME}/action", {"nonsense": {}}, 400),
    ("cinder", "GET", "/types/none", None, 404),
    ("cinder", "GET", f"/volumes/detail?all_tenants=1&marker={NOBODY}", None, 404),
    ("cinder", "GET", "/nonsense", None, 404),
    ("placement", "GET", f"/resource_providers/{NOBODY}", None, 404),
    (
        "placement",
        "PUT",
        f"{PROVIDER}/traits",
        {"traits": [], "resource_provider_generation": 0},
        409,
    ),
    ("placement", "PUT", f"/allocations/{NOBODY}", {**OWNER, "allocations": {}}, 400),
    (
        "placement",
        "PUT",
        f"/allocations/{NOBODY}",
        {**OWNER, "consumer_generation": None, "allocations": {NOBODY: ONE}},
        400,
    ),
    (
        "placement",
        "PUT",
        f"/allocations/{SERVER[9:]}",
        {**OWNER, "consumer_generation": 99, "allocations": {PROVIDER[20:]: ONE}},
        409,
    ),
    (
        "placement",
        "PUT",
        f"/allocations/{NOBODY}",
        {
            **OWNER,
            "consumer_generation": None,
            "allocations": {PROVIDER[20:]: {"resources": {"VCPU": 99_999}}},
        },
        409,
    ),
    ("placement", "DELETE", f"/allocations/{NOBODY}", None, 404),
    ("placement", "GET", "/allocation_candidates", None, 400),
]


@pytest.mark.parametrize(
    ("service", "method", "path", "body", "status"),
    REFUSALS,
    ids=[f"{s} {m} {p[-40:]} {str(b)[:50]}" for s, m, p, b, _ in REFUSALS],
)
def test_a_refusal_has_its_status_and_changes_nothing(
    readable: Emulator,
    asking: Connection,
    service: str,
    method: str,
    path: str,
    body: Any,
    status: int,
) -> None:
    told = len(readable.notifications)
    with pytest.raises(CloudError) as caught:
        getattr(asking, service).request(method, path, body=body, repeatable=False)
    assert caught.value.details["http_status"] == status
    assert len(readable.notifications) == told
    assert readable.clock.idle
