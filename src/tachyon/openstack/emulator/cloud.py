"""The emulated cloud as a whole: all records, one lock, one clock, one bus, one set of faults."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import datetime

from tachyon.openstack.emulator.clock import Clock, Operation, Work
from tachyon.openstack.emulator.durations import Durations
from tachyon.openstack.emulator.faults import Faults
from tachyon.openstack.emulator.notifications.bus import Bus
from tachyon.openstack.emulator.state.baremetal import Baremetal
from tachyon.openstack.emulator.state.compute import Compute
from tachyon.openstack.emulator.state.identity import Identity
from tachyon.openstack.emulator.state.image import Image
from tachyon.openstack.emulator.state.placement import Placement
from tachyon.openstack.emulator.state.storage import Storage

REGION = "RegionOne"
#: The host that runs what is not nova-compute.
CONTROLLER = "controller"


class Cloud:
    """What handlers and operations work on. Everything is read and changed under `lock`."""

    def __init__(self, clock: Clock, durations: Durations, bus: Bus, faults: Faults) -> None:
        self.clock = clock
        self.lock = clock.lock
        self.durations = durations
        self.bus = bus
        self.faults = faults
        self.identity = Identity()
        self.compute = Compute()
        self.placement = Placement()
        self.storage = Storage()
        self.baremetal = Baremetal()
        self.images: dict[str, Image] = {}
        #: Requests so far by (service, method, path template).
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self._random = random.Random(20)
        #: Types of the services that the catalog names.
        self.services = {"identity", "compute", "placement", "volumev3", "baremetal", "image"}

    def now(self) -> datetime:
        """Return the emulated time."""
        return self.clock.now()

    def begin(self, work: Work) -> Operation:
        """Do the first step of some work now, and the others when they are due."""
        return self.clock.begin(work)

    def new_id(self) -> str:
        """Return a new uuid; the same loading and requests, one by one, get the same ones."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
