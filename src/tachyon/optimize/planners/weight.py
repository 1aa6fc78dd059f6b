"""The planner `weight`: types of actions one after the other, heavier types first."""

from __future__ import annotations

from tachyon.optimize.planners.base import Planner
from tachyon.optimize.planners.scheduling import Slot
from tachyon.optimize.planners.tasks import Task


class Weight(Planner):
    """An action waits for all actions of heavier types, and for a free place among its own.

    Only where feasibility demands it does a heavier one come later (a service is disabled after
    the last instance that the plan itself brings there). Two types may have the same weight; they
    then run side by side.
    """

    name = "weight"
    weights = {
        "nop": 70,
        "volume_migrate": 60,
        "change_nova_service_state": 50,
        "sleep": 40,
        "stop": 35,
        "migrate": 30,
        "resize": 20,
        "turn_host_to_acpi_s3_state": 10,
        "change_node_power_state": 9,
    }
    parallelization = {
        "turn_host_to_acpi_s3_state": 2,
        "resize": 2,
        "stop": 2,
        "migrate": 2,
        "sleep": 1,
        "change_nova_service_state": 1,
        "nop": 1,
        "change_node_power_state": 2,
        "volume_migrate": 2,
    }

    def slot(self, task: Task) -> Slot:
        """Return a phase for each weight."""
        weight = self.weight.get(task.action_type, self.default_weight)
        return Slot(priority=weight, phase=weight, lanes=self.lanes(task))
