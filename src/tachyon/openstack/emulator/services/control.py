"""The emulator's own API, below `/_emulator`: faults, time, hosts that die and come back.

For tests in other processes and for people; whoever can reach the port may use it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tachyon.openstack.emulator.clock import ManualClock
from tachyon.openstack.emulator.faults import Fault
from tachyon.openstack.emulator.operations.evacuation import host_returns
from tachyon.openstack.emulator.state.compute import Host
from tachyon.openstack.emulator.web import Call, Refused, Route, ServiceType


def _status(call: Call) -> Any:
    cloud = call.cloud
    return {
        "now": cloud.now().isoformat(),
        "idle": cloud.clock.idle,
        "hosts": len(cloud.compute.hosts),
        "servers": len(cloud.compute.servers),
        "volumes": len(cloud.storage.volumes),
        "nodes": len(cloud.baremetal.nodes),
        "requests": [
            {"service": service, "method": method, "path": path, "count": count}
            for (service, method, path), count in sorted(cloud.requests.items())
        ],
    }


def _faults(call: Call) -> Any:
    return {
        "faults": [
            {**msgspec.to_builtins(fault), "gone_off": times}
            for fault, times in call.cloud.faults.armed()
        ]
    }


def _arm(call: Call) -> Any:
    try:
        call.cloud.faults.arm(msgspec.convert(call.body, Fault))
    except msgspec.ValidationError as error:
        raise Refused(400, str(error)) from None
    return _faults(call)


def _disarm(call: Call) -> Any:
    call.cloud.faults.clear()


def _advance(call: Call) -> Any:
    clock = call.cloud.clock
    if not isinstance(clock, ManualClock):
        raise Refused(409, "The time of this cloud passes by itself.")
    seconds = call.member("seconds")
    if not isinstance(seconds, int | float) or seconds < 0:
        raise Refused(400, "seconds is a number that is not negative.")
    clock.advance(float(seconds))
    return _status(call)


def _host(call: Call) -> Host:
    host = call.cloud.compute.hosts.get(call.names["host"])
    if host is None:
        raise Refused(404, f"There is no host {call.names['host']}.")
    return host


def _kill(call: Call) -> Any:
    host = _host(call)
    host.alive = False
    host.last_seen = call.cloud.now()


def _revive(call: Call) -> Any:
    host_returns(call.cloud, _host(call))


CONTROL = ServiceType(
    name="control",
    prefix="/_emulator",
    error=lambda status, message, _code: {"error": {"status": status, "message": message}},
    routes=(
        Route("GET", "/", _status, public=True),
        Route("GET", "/faults", _faults, public=True),
        Route("POST", "/faults", _arm, status=201, public=True),
        Route("DELETE", "/faults", _disarm, status=204, public=True),
        Route("POST", "/clock", _advance, public=True),
        Route("POST", "/hosts/{host}/kill", _kill, status=204, public=True),
        Route("POST", "/hosts/{host}/revive", _revive, status=204, public=True),
    ),
)
