"""The instance of a cluster model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import (
    document,
    flag,
    identity,
    moment,
    string,
    whole,
)


class Instance(Element):
    """An instance; memory in MB, disk in GB (root, unless on a volume, ephemeral and swap)."""

    watcher_exclude: bool
    name: str
    state: str
    memory: int
    disk: int
    vcpus: int
    metadata: Any
    project_id: str
    locked: bool
    host: str
    hypervisor_hostname: str
    created: datetime
    pinned_az: str
    flavor_extra_specs: Any
    uuid: str

    fields = {
        "watcher_exclude": flag(default=False),
        "name": string(),
        "state": string(default="active"),
        "memory": whole(),
        "disk": whole(),
        "vcpus": whole(),
        "metadata": document(),
        "project_id": identity(),
        "locked": flag(default=False),
        "host": string(),
        "hypervisor_hostname": string(),
        "created": moment(),
        "pinned_az": string(default=""),
        "flavor_extra_specs": document(default={}),
        "uuid": string(),
    }
