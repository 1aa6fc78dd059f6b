"""A small stateful OpenStack over HTTP on loopback, fed by a cluster file (docs/emulator.md).

It exists so that tests, demos and benchmarks run the real client path; nothing in production
imports it.
"""

from tachyon.openstack.emulator.clock import Clock, ManualClock, SystemClock
from tachyon.openstack.emulator.durations import AT_ONCE, Durations
from tachyon.openstack.emulator.emulator import Emulator
from tachyon.openstack.emulator.faults import (
    Fault,
    NotificationFault,
    RequestFault,
    WorkFault,
)
from tachyon.openstack.emulator.notifications.bus import Notification

__all__ = [
    "AT_ONCE",
    "Clock",
    "Durations",
    "Emulator",
    "Fault",
    "ManualClock",
    "Notification",
    "NotificationFault",
    "RequestFault",
    "SystemClock",
    "WorkFault",
]
