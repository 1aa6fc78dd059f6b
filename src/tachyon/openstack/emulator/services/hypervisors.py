"""Nova's hypervisors, services and availability zones as its API shows them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tachyon.openstack.emulator.cloud import CONTROLLER
from tachyon.openstack.emulator.services.paging import add_links, page_of
from tachyon.openstack.emulator.state.compute import Host
from tachyon.openstack.emulator.times import micro
from tachyon.openstack.emulator.web import Call, Refused, flag

_UPTIME = " 00:00:00 up 0 days,  0:00,  0 users,  load average: 0.00, 0.00, 0.00"
_INTERNAL = {
    "nova-scheduler": "31d1c6c6-799c-4694-be40-9eb65629afec",
    "nova-conductor": "2fdcd9e8-43ec-444d-9b99-9e55db6eb483",
}


def _hypervisor(call: Call, host: Host, *, whole: bool, with_servers: bool) -> dict[str, Any]:
    has_uuids = call.version >= (2, 53)
    body: dict[str, Any] = {
        "hypervisor_hostname": host.hypervisor_hostname,
        "id": host.uuid if has_uuids else host.number,
        "state": "up" if host.up else "down",
        "status": "disabled" if host.disabled else "enabled",
    }
    if with_servers:
        body["servers"] = [{"name": s.instance_name, "uuid": s.uuid} for s in host.servers.values()]
    if not whole:
        return body
    body |= {
        "host_ip": "127.0.0.1",
        "hypervisor_type": host.hypervisor_type,
        "hypervisor_version": host.hypervisor_version,
        "service": {
            "disabled_reason": host.disabled_reason,
            "host": host.name,
            "id": host.service_id if has_uuids else host.number,
        },
    }
    if call.version >= (2, 88):
        body["uptime"] = _UPTIME if host.up else None
    else:
        body |= _usage(call, host)
    return body


def _usage(call: Call, host: Host) -> dict[str, Any]:
    """Return the figures that a hypervisor had until they were left to Placement (2.88)."""
    provider = call.cloud.placement.providers[host.uuid]

    def total(name: str) -> int:
        return int(provider.inventories.get(name, {}).get("total", 0))

    memory_used = provider.used["MEMORY_MB"]
    memory_used += int(provider.inventories.get("MEMORY_MB", {}).get("reserved", 0))
    cpu = {
        "arch": "x86_64",
        "features": ["pge", "clflush"],
        "model": "Nehalem",
        "topology": {"cores": 1, "sockets": 4, "threads": 1},
        "vendor": "Intel",
    }
    return {
        "cpu_info": cpu if call.version >= (2, 28) else json.dumps(cpu),
        "current_workload": 0,
        "disk_available_least": 0,
        "free_disk_gb": total("DISK_GB") - provider.used["DISK_GB"],
        "free_ram_mb": total("MEMORY_MB") - memory_used,
        "local_gb": total("DISK_GB"),
        "local_gb_used": provider.used["DISK_GB"],
        "memory_mb": total("MEMORY_MB"),
        "memory_mb_used": memory_used,
        "running_vms": len(host.servers),
        "vcpus": total("VCPU"),
        "vcpus_used": provider.used["VCPU"],
    }


def _matching(call: Call) -> Iterable[Host]:
    hosts = call.cloud.compute.hosts.values()
    pattern = call.query.get("hypervisor_hostname_pattern")
    if pattern is None:
        return hosts
    # As Nova: SQL's LIKE %pattern%, so cn1 finds cn10, too.
    found = [host for host in hosts if pattern in host.hypervisor_hostname]
    if not found:
        raise Refused(404, f"No hypervisor matching '{pattern}' could be found.")
    return found


def _list(call: Call, *, whole: bool) -> Any:
    with_servers = flag(call.query.get("with_servers"))
    if "hypervisor_hostname_pattern" in call.query and "limit" in call.query:
        raise Refused(400, "Paging over hypervisors with a pattern is not supported.")
    hosts = list(_matching(call))
    page, marker = page_of(call, hosts, lambda h: h.uuid)
    found = [_hypervisor(call, h, whole=whole, with_servers=with_servers) for h in page]
    return add_links(call, {"hypervisors": found}, "hypervisors_links", marker)


def index(call: Call) -> Any:
    """GET /os-hypervisors."""
    return _list(call, whole=False)


def index_detail(call: Call) -> Any:
    """GET /os-hypervisors/detail."""
    return _list(call, whole=True)


def show(call: Call) -> Any:
    """GET /os-hypervisors/{hypervisor}."""
    host = call.cloud.compute.hosts_by_uuid.get(call.names["hypervisor"])
    if host is None:
        raise Refused(404, f"Compute host {call.names['hypervisor']} could not be found.")
    with_servers = flag(call.query.get("with_servers"))
    return {"hypervisor": _hypervisor(call, host, whole=True, with_servers=with_servers)}


def service(call: Call, host: Host) -> dict[str, Any]:
    """Return a service of Nova."""
    has_uuids = call.version >= (2, 53)
    body = {
        "binary": host.binary,
        "disabled_reason": host.disabled_reason,
        "host": host.name,
        "id": host.service_id if has_uuids else host.number,
        "state": "up" if host.up else "down",
        "status": "disabled" if host.disabled else "enabled",
        "updated_at": micro(_seen(host, call.cloud.now())),
        "zone": host.zone,
    }
    if call.version >= (2, 11):
        body["forced_down"] = host.forced_down
    return body


def _seen(host: Host, now: datetime) -> datetime | None:
    """Return when a service reported last: one that lives does so all the time."""
    return now if host.alive else host.last_seen


def services(call: Call) -> Any:
    """GET /os-services."""
    binary, wanted = call.query.get("binary"), call.query.get("host")
    found: list[dict[str, Any]] = [
        service(call, host)
        for host in (*_controllers(call), *call.cloud.compute.hosts.values())
        if wanted in (None, host.name) and binary in (None, host.binary)
    ]
    return {"services": found}


def _controllers(call: Call) -> list[Host]:
    """Return the services that run where no server does."""
    return [
        Host(
            uuid=key,
            name=CONTROLLER,
            hypervisor_hostname=CONTROLLER,
            service_id=key,
            zone="internal",
            binary=name,
            number=len(call.cloud.compute.hosts) + place,
        )
        for place, (name, key) in enumerate(_INTERNAL.items(), start=1)
    ]


def zones(call: Call) -> Any:
    """GET /os-availability-zone."""
    names = sorted({host.zone for host in call.cloud.compute.hosts.values() if not host.disabled})
    return {
        "availabilityZoneInfo": [
            {"hosts": None, "zoneName": name, "zoneState": {"available": True}} for name in names
        ]
    }


def zones_detail(call: Call) -> Any:
    """GET /os-availability-zone/detail."""
    now = call.cloud.now()
    by_zone: dict[str, dict[str, Any]] = {
        "internal": {
            CONTROLLER: {
                name: {"active": True, "available": True, "updated_at": micro(now)}
                for name in _INTERNAL
            }
        }
    }
    available = {"internal"}
    for host in call.cloud.compute.hosts.values():
        state = {
            "active": not host.disabled,
            "available": host.up,
            "updated_at": micro(_seen(host, now)),
        }
        by_zone.setdefault(host.zone, {})[host.name] = {"nova-compute": state}
        if not host.disabled:
            available.add(host.zone)
    return {
        "availabilityZoneInfo": [
            {"hosts": hosts, "zoneName": name, "zoneState": {"available": name in available}}
            for name, hosts in by_zone.items()
        ]
    }
