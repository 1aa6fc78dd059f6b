"""`workload_stabilization`: migrate while that lowers the standard deviation of measured load.

Watcher's Workload Stabilization (spec sd-strategy): CPU and memory load of hosts, normalised to
what they have; once the deviation of any metric is above its threshold, the moves that lower the
weighted sum of deviations most are made, until the deviation of every metric is at or below its
threshold. See `descent` for how moves are found.
"""

from __future__ import annotations

from typing import ClassVar

from tachyon.graph.simulation import Session
from tachyon.optimize.migration import states
from tachyon.optimize.scored import CLASS_OF, MeasuredLoad, Scored, scored
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.descent import Aims, Descent
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.readings import Readings

_THRESHOLD: options.Schema = {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1}
_WEIGHT: options.Schema = {"type": "number", "minimum": 0, "maximum": 1, "default": 1.0}


def _period(default: int, description: str) -> options.Schema:
    return {
        "description": description,
        "type": "integer",
        "minimum": min(1, default),
        "default": default,
    }


def _metrics_object(what: str, suffix: str, one: options.Schema) -> options.Schema:
    names = [f"{name}{suffix}" for name in CLASS_OF]
    return {
        "description": what,
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"description": f"Of {name}.", **one} for name in names},
        "default": dict.fromkeys(names, one["default"]),
    }


class WorkloadStabilization(Strategy):
    """Even out measured CPU and memory load."""

    name = "workload_stabilization"
    display_name = "Workload stabilization"
    goal = "workload_balancing"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "metrics": {
                "description": "Metrics whose deviation counts.",
                "type": "array",
                "items": {"type": "string", "enum": list(CLASS_OF)},
                "minItems": 1,
                "uniqueItems": True,
                "default": ["instance_cpu_usage"],
            },
            "thresholds": _metrics_object(
                "Deviation of the hosts' load, as a share of a host, at or below which a metric is "
                "even enough.",
                "",
                _THRESHOLD,
            ),
            "weights": _metrics_object(
                "Weight of each metric in the sum of deviations.", "_weight", _WEIGHT
            ),
            "instance_metrics": {
                "description": "The metric of hosts that goes with each metric of instances.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "instance_cpu_usage": {
                        "description": "Of CPU.",
                        "type": "string",
                        "enum": ["host_cpu_usage"],
                        "default": "host_cpu_usage",
                    },
                    "instance_ram_usage": {
                        "description": "Of memory.",
                        "type": "string",
                        "enum": ["host_ram_usage"],
                        "default": "host_ram_usage",
                    },
                },
                "default": {
                    "instance_cpu_usage": "host_cpu_usage",
                    "instance_ram_usage": "host_ram_usage",
                },
            },
            "host_choice": {
                "description": "Which hosts an instance is offered to in each round: the next one "
                "in turn (cycle), retry_count by chance (retry), or the best of all (fullsearch).",
                "type": "string",
                "enum": ["cycle", "retry", "fullsearch"],
                "default": "retry",
            },
            "retry_count": {
                "description": "Hosts drawn for each instance in each round of retry.",
                "type": "integer",
                "minimum": 1,
                "default": 1,
            },
            "periods": {
                "description": "Time over which metrics are aggregated, in seconds.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "instance": _period(720, "Of instances."),
                    "compute_node": _period(600, "Of compute nodes."),
                    "node": _period(0, "Deprecated name of compute_node, which it overrides."),
                },
                "default": {"instance": 720, "compute_node": 600, "node": 0},
            },
            "aggregation_method": options.aggregation_method(),
            "granularity": options.granularity(),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: by how much it lowers the weighted deviation, times "
                "the number of hosts (so that it means the same at every size)."
            ),
            "missing_metrics": options.MISSING_METRICS,
            "forecast_hours": options.FORECAST_HOURS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """Each metric of instances, and the one of hosts that goes with it."""
        given = self.parameters
        methods, periods = given["aggregation_method"], given["periods"]
        needs = []
        for name in given["metrics"]:
            needs.append(
                MetricNeed(
                    metric=given["instance_metrics"][name],
                    resource_type="compute_node",
                    aggregate=options.of_nodes(methods),
                    period=options.of_nodes(periods),
                    granularity=given["granularity"],
                    ahead=3600.0 * given["forecast_hours"],
                )
            )
            needs.append(
                MetricNeed(
                    metric=name,
                    resource_type="instance",
                    aggregate=methods["instance"],
                    period=periods["instance"],
                    granularity=given["granularity"],
                    ahead=3600.0 * given["forecast_hours"],
                )
            )
        return (*needs, *characters.needs(given))

    def execute(self, session: Session, context: Context) -> None:
        """Record moves, each of which lowers the weighted deviation."""
        given = self.parameters
        names: list[str] = given["metrics"]
        eligibility = self.eligibility(session, context, states(cold=False))
        instances = eligibility.movable & eligibility.targets[session.homes()]
        readings = Readings(self, session, context, eligibility.targets, instances)
        host_names = [given["instance_metrics"][name] for name in names]
        hosts = eligibility.targets & readings.known(*host_names)
        movable = instances & readings.known(*names) & hosts[session.homes()]
        loads = [
            MeasuredLoad(
                column=_column(name),
                metric=name,
                of_instances=readings.of(name),
                of_hosts=readings.of(host_name),
            )
            for name, host_name in zip(names, host_names, strict=True)
        ]
        columns = {name: _column(name) for name in names}
        weights = {c: given["weights"][f"{n}_weight"] for n, c in columns.items()}
        context.scored = Scored(view=scored(session, loads), hosts=hosts, weights=weights)
        aims = Aims(
            weights=weights,
            thresholds={c: given["thresholds"][n] for n, c in columns.items()},
            migration_limit=given["migration_limit"],
            minimum_gain=given["minimum_gain"] / max(1, hosts.sum()),
            offer=given["host_choice"],
            tries=given["retry_count"],
        )
        folded = Session(context.scored.view)
        Descent(session, folded, eligibility, movable, hosts, aims, context).run()


def _column(metric: str) -> str:
    """Name the column of a metric as no column of a cluster is named."""
    return f"{metric} (measured)"
