"""The planner `node_resource_consolidation`: hosts are emptied side by side, each one by one."""

from __future__ import annotations

from tachyon.optimize.planners.base import Planner, refuse_types
from tachyon.optimize.planners.scheduling import Slot
from tachyon.optimize.planners.tasks import Task

DISABLE, MIGRATE, ENABLE = 3, 2, 1


class NodeResourceConsolidation(Planner):
    """Services are disabled first, then instances leave, then services are enabled.

    Of the instances of one host, one leaves at a time; hosts do not wait for each other. A service
    that must be enabled before something arrives is enabled before it.
    """

    name = "node_resource_consolidation"
    default_parallelization = 0
    per_host = 0

    def check(self, tasks: list[Task]) -> None:
        """Refuse types of actions other than migrations and changes of services."""
        refuse_types(self.name, tasks, ("migrate", "change_nova_service_state"))

    def slot(self, task: Task) -> Slot:
        """Return three phases, and a lane for each host that instances leave."""
        lanes = self.lanes(task)
        if task.action_type == "migrate":
            source = task.hosts[0] if task.hosts else task.input_parameters.get("source_node")
            return Slot(MIGRATE, MIGRATE, ((("from", source), 1), *lanes))
        phase = ENABLE if task.input_parameters.get("state") == "enabled" else DISABLE
        return Slot(phase, phase, lanes)
