"""The storage host of a cluster model."""

from __future__ import annotations

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import string, strings


class StorageNode(Element):
    """A storage host, known by its Cinder service host (`host@backend`)."""

    host: str
    zone: str
    status: str
    state: str
    volume_type: list[str]
    uuid: str
    human_id: str

    key_field = "host"
    fields = {
        "host": string(),
        "zone": string(),
        "status": string(default="enabled"),
        "state": string(default="up"),
        "volume_type": strings(),
        "uuid": string(default=""),
        "human_id": string(default=""),
    }
