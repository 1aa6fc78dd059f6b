"""Goals of relieving compute nodes that a strategy finds too hot, badly aired or fought over."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.optimize.goals.base import MIGRATIONS, Goal, Indicator, Subject, count, ratio


class _Relief(Goal):
    """Take instances from the compute nodes that the strategy finds at fault."""

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        return {
            "affected_compute_nodes_count": int(subject.focused().sum()),
            "relieved_compute_nodes_count": int(subject.relieved().sum()),
            "instance_migrations_count": subject.migrations(),
        }

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the nodes at fault that are relieved."""
        return [
            ratio(
                "relieved_nodes_ratio",
                "Compute nodes that the plan takes instances from, as a share of those at fault.",
                values["relieved_compute_nodes_count"],
                values["affected_compute_nodes_count"],
            )
        ]


_RELIEVED = count(
    "relieved_compute_nodes_count", "Those of them that the plan takes an instance from."
)


class ThermalOptimization(_Relief):
    """Let hot compute nodes cool down."""

    name = "thermal_optimization"
    display_name = "Thermal Optimization"
    indicators = (
        count(
            "affected_compute_nodes_count",
            "Compute nodes whose outlet temperature is at the threshold or above.",
        ),
        _RELIEVED,
        MIGRATIONS,
    )


class AirflowOptimization(_Relief):
    """Lower the airflow of compute nodes that need too much of it."""

    name = "airflow_optimization"
    display_name = "Airflow Optimization"
    indicators = (
        count(
            "affected_compute_nodes_count",
            "Compute nodes whose airflow is at the threshold or above.",
        ),
        _RELIEVED,
        MIGRATIONS,
    )


class NoisyNeighbor(_Relief):
    """Part instances that take the cache from those of higher priority."""

    name = "noisy_neighbor"
    display_name = "Noisy Neighbor"
    indicators = (
        count(
            "affected_compute_nodes_count",
            "Compute nodes on which an instance lost cache while a less important one gained.",
        ),
        _RELIEVED,
        MIGRATIONS,
        count("noisy_instances_count", "Instances that gained it."),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        return {
            **super().values(subject),
            "noisy_instances_count": int(subject.asked().sum()),
        }
