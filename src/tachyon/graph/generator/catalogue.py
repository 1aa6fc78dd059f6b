"""What the generated clouds are made of: types of hosts, flavors and their variants."""

from __future__ import annotations

from typing import NamedTuple

#: The order of the columns of all arrays of amounts in this package.
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")

AVX512 = "HW_CPU_X86_AVX512F"
WINDOWS = "CUSTOM_WINDOWS_LICENSED"


class HostType(NamedTuple):
    """A model of server before it is scaled; amounts are in the units of `CLASSES`."""

    name: str
    share: float
    totals: tuple[int, int, int]
    vcpu_ratio: float
    reserved_mb: int
    traits: tuple[str, ...]
    gpus: int
    #: Watts at 0, 10 … 100 % CPU.
    power_watts: tuple[int, ...]


HOST_TYPES = (
    HostType("general", 0.55, (64, 262_144, 2_000), 4.0, 4_096, (), 0,
             (180, 205, 228, 250, 271, 292, 312, 333, 355, 378, 402)),
    HostType("compute", 0.20, (96, 262_144, 2_000), 2.0, 4_096, (AVX512,), 0,
             (210, 247, 281, 313, 345, 377, 409, 442, 477, 514, 552)),
    HostType("memory", 0.15, (64, 524_288, 3_000), 4.0, 8_192, (), 0,
             (230, 256, 280, 303, 325, 347, 368, 390, 413, 437, 462)),
    HostType("accelerated", 0.10, (64, 262_144, 2_000), 4.0, 4_096, (AVX512,), 4,
             (300, 345, 388, 430, 471, 512, 553, 595, 638, 682, 728)),
)  # fmt: skip


class FlavorType(NamedTuple):
    """A size of instance and the share of the instances that have it."""

    name: str
    share: float
    vcpus: int
    memory_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0

    @property
    def local_gb(self) -> int:
        """Disk on the host apart from the root disk, as Nova counts it."""
        return self.ephemeral_gb + -(-self.swap_mb // 1024)


FLAVORS = (
    FlavorType("m1.tiny", 0.25, 1, 1_024, 10),
    FlavorType("m1.small", 0.25, 1, 2_048, 20),
    FlavorType("m1.medium", 0.25, 2, 4_096, 40),
    FlavorType("m1.large", 0.12, 4, 8_192, 80),
    FlavorType("c1.large", 0.06, 4, 4_096, 40, 20, 1_536),
    FlavorType("r1.large", 0.05, 2, 16_384, 40),
    FlavorType("m1.xlarge", 0.02, 8, 16_384, 160),
)

#: Variants of each flavor, of the same size: suffix of the name, extra specs.
VARIANTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("", {}),
    (".avx512", {f"trait:{AVX512}": "required"}),
    (".windows", {f"trait:{WINDOWS}": "required"}),
    (".linux", {f"trait:{WINDOWS}": "forbidden"}),
    (".gpu", {"resources:VGPU": "1"}),
)
PLAIN, WITH_AVX512, ON_WINDOWS, OFF_WINDOWS, WITH_GPU = range(len(VARIANTS))

#: vm_state and status of Nova, with the share of the instances in it.
STATES = (
    ("active", "ACTIVE", 0.93),
    ("stopped", "SHUTOFF", 0.05),
    ("paused", "PAUSED", 0.01),
    ("suspended", "SUSPENDED", 0.01),
)
