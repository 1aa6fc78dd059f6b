"""Services of the control plane, and whether they are alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tachyon.control.api import paging
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links, moment, stamps
from tachyon.control.objects import Service


def _render(call: Call, services: Sequence[Service]) -> list[dict[str, Any]]:
    return [_show(call, service, full=call.detail) for service in services]


def _show(call: Call, service: Service, *, full: bool) -> dict[str, Any]:
    shown = {
        "id": service.id,
        "name": service.name,
        "host": service.host,
        "status": service.status(call.services.now(), call.services.service_down_time),
        "links": links(call, "services", service.id),
    }
    if full:
        shown |= {"last_seen_up": moment(service.last_seen_up), **stamps(service)}
    return shown


def find(call: Call) -> Answer:
    """List services."""
    return paging.page(call, call.objects.services, "services", {}, _render)


def get(call: Call) -> Answer:
    """Show a service, by number or, where one host alone runs it, by name."""
    service = call.objects.services.get(call.path["service"], deleted=call.deleted)
    return Answer(_show(call, service, full=True))
