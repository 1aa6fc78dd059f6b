"""The storage pool of a cluster model."""

from __future__ import annotations

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import string, whole


class Pool(Element):
    """A storage pool, known by its name (`host@backend#pool`); capacities in GB, as Cinder says."""

    name: str
    total_volumes: int
    total_capacity_gb: int
    free_capacity_gb: int
    provisioned_capacity_gb: int
    allocated_capacity_gb: int
    virtual_free: int
    uuid: str
    human_id: str

    key_field = "name"
    fields = {
        "name": string(),
        "total_volumes": whole(),
        "total_capacity_gb": whole(),
        "free_capacity_gb": whole(),
        "provisioned_capacity_gb": whole(),
        "allocated_capacity_gb": whole(),
        "virtual_free": whole(default=0),
        "uuid": string(default=""),
        "human_id": string(default=""),
    }
