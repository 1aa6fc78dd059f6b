"""The requester of notifications, told from a call."""

from __future__ import annotations

from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.web import Call


def requester_of(call: Call) -> Requester:
    """Return who makes a call."""
    token = call.token
    project = token.project if token is not None else None
    return Requester(
        request_id=call.request_id,
        user_id=token.user.id if token is not None else "",
        user_name=token.user.name if token is not None else "",
        project_id=project.id if project is not None else "",
        project_name=project.name if project is not None else "",
        roles=token.user.roles if token is not None else (),
    )
