"""The goal of spreading the load evenly over the compute nodes."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.folding import compute_hosts, fold
from tachyon.optimize.goals.base import (
    AMOUNT,
    COUNT,
    Goal,
    Indicator,
    IndicatorSpec,
    Subject,
    migrations,
)


class WorkloadBalancing(Goal):
    """Lower the standard deviation of the load of compute nodes."""

    name = "workload_balancing"
    display_name = "Workload Balancing"
    indicators = (
        IndicatorSpec(
            name="instance_migrations_count",
            description="Instances that the plan migrates.",
            schema=COUNT,
        ),
        IndicatorSpec(
            name="instances_count",
            description="Instances on the compute nodes in the audit's scope.",
            schema=COUNT,
            required=False,
        ),
        IndicatorSpec(
            name="standard_deviation_after_audit",
            description="Weighted standard deviation of the utilisation after the plan.",
            schema=AMOUNT,
            required=False,
        ),
        IndicatorSpec(
            name="standard_deviation_before_audit",
            description="Weighted standard deviation of the utilisation now.",
            schema=AMOUNT,
            required=False,
        ),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return counts and deviations; the two deviations are sums over the same columns."""
        session = subject.session
        hosts = compute_hosts(session, subject.scope)
        serving = balanced_hosts(session, subject.scope)
        c = session.view.consumers
        placed = c.alive & (c.home >= 0)
        return {
            "instance_migrations_count": migrations(session),
            "instances_count": int(hosts[c.home[placed]].sum()),
            "standard_deviation_after_audit": weighted_deviation(
                fold(session), serving, subject.weights
            ),
            "standard_deviation_before_audit": weighted_deviation(
                fold(session.base()), serving, subject.weights
            ),
        }

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the instances that the plan migrates."""
        instances = values.get("instances_count", 0)
        ratio = 100.0 * values["instance_migrations_count"] / instances if instances else 0.0
        return [
            Indicator(
                name="live_migrations_count",
                description="Migrated instances as a share of the instances.",
                unit="%",
                value=ratio,
            )
        ]


def balanced_hosts(session: Session, scope: Bool | None) -> Bool:
    """Return the compute hosts whose load is to be balanced: those in service."""
    return compute_hosts(session, scope) & session.mask(in_service=True)


def weighted_deviation(folded: Session, hosts: Bool, weights: Mapping[str, float]) -> float:
    """Return Σ weight × standard deviation of utilisation over columns, on a folded session."""
    metrics = folded.metrics(hosts)
    return sum(weight * metrics[name].std_deviation for name, weight in weights.items())
