"""Who asked for what is told: the context that services send along with a notification."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from tachyon.openstack.emulator.times import exact


class Requester(Struct, frozen=True):
    """The user, project and request on whose behalf something happens."""

    request_id: str
    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: tuple[str, ...]

    def context(self, *, passed_on: bool = False) -> dict[str, Any]:
        """Return the context of Nova's notifications.

        `passed_on`: another service has asked, on behalf of the same request.
        """
        return {
            **_NOBODY,
            "global_request_id": self.request_id if passed_on else None,
            "user": self.user_id,
            "user_id": self.user_id,
            "user_name": self.user_name,
            "project": self.project_id,
            "project_id": self.project_id,
            "project_name": self.project_name,
            "user_domain": "default",
            "project_domain": "default",
            "user_identity": f"{self.user_id} {self.project_id} - default default",
            "roles": list(self.roles),
            "request_id": self.request_id,
            "timestamp": exact(datetime.now(UTC)),
        }


_NOBODY: dict[str, Any] = {
    "domain": None,
    "is_admin": True,
    "is_admin_project": True,
    "quota_class": None,
    "read_deleted": "no",
    "read_only": False,
    "remote_address": None,
    "resource_uuid": None,
    "service_catalog": [],
    "show_deleted": False,
    "system_scope": None,
}
