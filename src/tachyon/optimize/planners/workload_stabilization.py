"""The planner `workload_stabilization`: whatever does not wait for room runs at once."""

from __future__ import annotations

from tachyon.optimize.planners.base import Planner
from tachyon.optimize.planners.scheduling import Slot
from tachyon.optimize.planners.tasks import Task


class WorkloadStabilization(Planner):
    """Actions wait for the room they need, for earlier actions on the same resource, and for hosts.

    Weights say what comes first in the list, not what waits. Types are limited only where the
    operator says so; hosts are, as a live migration slows everything on both of its hosts.
    """

    name = "workload_stabilization"
    default_parallelization = 0
    weights = {
        "turn_host_to_acpi_s3_state": 0,
        "resize": 1,
        "migrate": 2,
        "sleep": 3,
        "change_nova_service_state": 4,
        "nop": 5,
    }

    def slot(self, task: Task) -> Slot:
        """Return a slot without a phase."""
        weight = self.weight.get(task.action_type, self.default_weight)
        return Slot(priority=weight, phase=None, lanes=self.lanes(task))
