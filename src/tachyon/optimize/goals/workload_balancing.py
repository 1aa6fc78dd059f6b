"""The goal of spreading the load evenly over the compute nodes."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.folding import compute_hosts, fold
from tachyon.optimize.goals.base import (
    AMOUNT,
    MIGRATIONS,
    Goal,
    Indicator,
    IndicatorSpec,
    Subject,
    count,
    ratio,
)


class WorkloadBalancing(Goal):
    """Lower the standard deviation of the load of compute nodes."""

    name = "workload_balancing"
    display_name = "Workload Balancing"
    first = "standard_deviation"
    indicators = (
        MIGRATIONS,
        count(
            "instances_count",
            "Instances on the compute nodes in the audit's scope.",
            required=False,
        ),
        IndicatorSpec(
            name="standard_deviation_after_audit",
            description="Weighted standard deviation of the utilisation after the plan, as a "
            "share of a host.",
            schema=AMOUNT,
            required=False,
        ),
        IndicatorSpec(
            name="standard_deviation_before_audit",
            description="Weighted standard deviation of the utilisation now, as a share of a host.",
            schema=AMOUNT,
            required=False,
        ),
        count("volume_migrations_count", "Volumes that the plan migrates.", required=False),
        count(
            "volumes_count", "Volumes on the storage pools in the audit's scope.", required=False
        ),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return counts and deviations; the two deviations are sums over the same columns."""
        session = subject.session
        before, after = self._deviations(subject)
        found: dict[str, float] = {
            "instance_migrations_count": subject.migrations(),
            "instances_count": self._placed(subject, "compute", "instance"),
            "standard_deviation_after_audit": after,
            "standard_deviation_before_audit": before,
        }
        volumes = subject.of_type("volume")
        if volumes.any() and session.mask(types=["pool"]).any():
            leaving = subject.leaving() | subject.proposed("volume_migrate")
            found["volume_migrations_count"] = int((volumes & leaving).sum())
            found["volumes_count"] = self._placed(subject, "pool", "volume")
        return found

    @staticmethod
    def _placed(subject: Subject, host_type: str, kind: str) -> int:
        hosts = subject.session.mask(types=[host_type])
        if subject.scope is not None:
            hosts &= subject.scope
        homes = subject.session.view.consumers.home
        placed = subject.of_type(kind) & (homes >= 0)
        return int(hosts[homes[placed]].sum())

    @staticmethod
    def _deviations(subject: Subject) -> tuple[float, float]:
        session, scored = subject.session, subject.scored
        if scored is not None:
            return scored.deviation(session.base().homes()), scored.deviation(session.homes())
        serving = balanced_hosts(session, subject.scope)
        before, after = (
            weighted_deviation(fold(s), serving, subject.weights) for s in (session.base(), session)
        )
        return before, after

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the instances that the plan migrates."""
        return [
            ratio(
                "live_migrations_count",
                "Migrated instances as a share of the instances.",
                values["instance_migrations_count"],
                values.get("instances_count", 0),
            )
        ]

    def objective(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """The share of the deviation that is taken away counts, then the fewest migrations."""
        before = values.get("standard_deviation_before_audit", 0.0)
        after = values.get("standard_deviation_after_audit", 0.0)
        gone = (before - after) / before if before > 0 else 0.0
        return (round(gone, 6), -values["instance_migrations_count"])


def balanced_hosts(session: Session, scope: Bool | None) -> Bool:
    """Return the compute hosts whose load is to be balanced: those in service."""
    return compute_hosts(session, scope) & session.mask(in_service=True)


def weighted_deviation(folded: Session, hosts: Bool, weights: Mapping[str, float]) -> float:
    """Return Σ weight × standard deviation of utilisation over columns, on a folded session."""
    metrics = folded.metrics(hosts)
    return sum(weight * metrics[name].std_deviation for name, weight in weights.items())
