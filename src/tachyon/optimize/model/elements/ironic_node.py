"""The bare-metal node of a cluster model."""

from __future__ import annotations

from typing import Any

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import flag, mapping, string


class IronicNode(Element):
    """A bare-metal node; `extra` is Ironic's."""

    power_state: str
    maintenance: bool
    maintenance_reason: str
    extra: dict[str, Any]
    uuid: str
    human_id: str

    fields = {
        "power_state": string(),
        "maintenance": flag(),
        "maintenance_reason": string(),
        "extra": mapping(),
        "uuid": string(),
        "human_id": string(default=""),
    }
