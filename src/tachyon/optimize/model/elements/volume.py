"""The volume of a cluster model."""

from __future__ import annotations

from typing import Any

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import (
    document,
    flag,
    identity,
    mappings,
    string,
    whole,
)


class Volume(Element):
    """A volume; size in GB. `host` is the name of its pool, `created_at` text as Cinder's."""

    size: int
    status: str
    attachments: list[Any]
    name: str
    multiattach: bool
    snapshot_id: str | None
    project_id: str
    metadata: Any
    bootable: bool
    volume_type: str
    created_at: str
    host: str
    uuid: str
    human_id: str

    fields = {
        "size": whole(),
        "status": string(default="available"),
        "attachments": mappings(),
        "name": string(),
        "multiattach": flag(),
        "snapshot_id": identity(nullable=True),
        "project_id": identity(),
        "metadata": document(),
        "bootable": flag(),
        "volume_type": string(),
        "created_at": string(),
        "host": string(),
        "uuid": string(default=""),
        "human_id": string(default=""),
    }
