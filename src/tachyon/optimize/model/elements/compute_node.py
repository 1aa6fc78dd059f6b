"""The compute host of a cluster model."""

from __future__ import annotations

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import ratio, string, whole


class ComputeNode(Element):
    """A compute host; memory in MB, disk in GB."""

    hostname: str
    status: str
    disabled_reason: str | None
    state: str
    memory: int
    memory_mb_reserved: int
    disk: int
    disk_gb_reserved: int
    vcpus: int
    vcpu_reserved: int
    memory_ratio: float
    vcpu_ratio: float
    disk_ratio: float
    uuid: str

    fields = {
        "hostname": string(),
        "status": string(default="enabled"),
        "disabled_reason": string(nullable=True),
        "state": string(default="up"),
        "memory": whole(),
        "memory_mb_reserved": whole(),
        "disk": whole(),
        "disk_gb_reserved": whole(),
        "vcpus": whole(),
        "vcpu_reserved": whole(),
        "memory_ratio": ratio(),
        "vcpu_ratio": ratio(),
        "disk_ratio": ratio(),
        "uuid": string(),
    }

    @property
    def vcpu_capacity(self) -> float:
        """What can be allocated of VCPUs in all."""
        return (self.vcpus - self.vcpu_reserved) * self.vcpu_ratio

    @property
    def memory_mb_capacity(self) -> float:
        """What can be allocated of memory in all, in MB."""
        return (self.memory - self.memory_mb_reserved) * self.memory_ratio

    @property
    def disk_gb_capacity(self) -> float:
        """What can be allocated of disk in all, in GB."""
        return (self.disk - self.disk_gb_reserved) * self.disk_ratio
