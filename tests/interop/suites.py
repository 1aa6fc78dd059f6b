"""Upstream's own tests that build, change or read a cluster model, by what they are about.

The package python-watcher ships its tests. `unit` are 555 tests, `functional` 75: whole decision
engines on emulated Nova and Placement with a database and a message bus.
"""

from __future__ import annotations

_UNIT = "watcher.tests.unit"
_ENGINE = f"{_UNIT}.decision_engine"
_STRATEGIES = (
    "actuator",
    "base",
    "basic_consolidation",
    "dummy_strategy",
    "dummy_with_scorer",
    "host_maintenance",
    "node_resource_consolidation",
    "noisy_neighbor",
    "outlet_temp_control",
    "saving_energy",
    "storage_capacity_balance",
    "strategy_endpoint",
    "uniform_airflow",
    "vm_workload_consolidation",
    "workload_balance",
    "workload_stabilization",
    "zone_migration",
)

_UNIT_MODULES = (
    *(f"{_ENGINE}.model.{name}" for name in ("test_model", "test_element")),
    *(
        f"{_ENGINE}.model.notification.test_{name}"
        for name in ("nova_notifications", "cinder_notifications", "notifications")
    ),
    *(f"{_ENGINE}.scope.test_{name}" for name in ("compute", "storage", "baremetal")),
    *(
        f"{_ENGINE}.cluster.test_{name}"
        for name in ("cluster_data_model_collector", "nova_cdmc", "cinder_cdmc")
    ),
    *(f"{_ENGINE}.strategy.strategies.test_{name}" for name in _STRATEGIES),
    f"{_ENGINE}.strategy.context.test_strategy_context",
    f"{_ENGINE}.strategy.selector.test_strategy_selector",
    *(
        f"{_ENGINE}.planner.test_{name}"
        for name in (
            "weight_planner",
            "node_resource_consolidation",
            "workload_stabilization_planner",
            "planner_manager",
        )
    ),
    f"{_ENGINE}.solution.test_default_solution",
    f"{_ENGINE}.audit.test_audit_handlers",
    *(f"{_ENGINE}.messaging.test_{name}_endpoint" for name in ("data_model", "audit")),
    *(
        f"{_ENGINE}.loading.test_{name}"
        for name in (
            "collector_loader",
            "default_strategy_loader",
            "goal_loader",
            "default_planner_loader",
        )
    ),
    *(f"{_ENGINE}.test_{name}" for name in ("scheduling", "service", "gmr")),
    f"{_UNIT}.api.v1.test_data_model",
)

_FUNCTIONAL_MODULES = tuple(
    f"watcher.tests.functional.test_{name}"
    for name in ("nova_model", "host_maintenance", "host_maintenance_scoped", "basic")
)

SUITES = {"unit": _UNIT_MODULES, "functional": _FUNCTIONAL_MODULES}
#: How many tests they hold in the version that we run.
COUNTS = {"unit": 555, "functional": 75}
