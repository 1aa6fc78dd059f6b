"""What many strategies have in common: schemas of parameters, and options of the operator.

Parameters come with an audit and are checked against the strategy's schema; options come from the
configuration (`[watcher_strategies.NAME]`) and hold for every audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Schema = dict[str, Any]

_SHARE: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}

#: Aggregates that every datasource knows.
AGGREGATES = ("mean", "min", "max", "count")


class StrategyOptions(Struct, frozen=True, kw_only=True):
    """What an operator sets for a strategy.

    Attributes:
        filters: names of the destination filters that hold beside capacity and service; None: all
            that hold by default.
        check_optimize_metadata: leave instances alone whose metadata says `optimize` false.
        datasources: where metrics come from, in order of preference; None: as for all.
        ex_pools: storage pools that are left alone, by name or by capability `pool_name`.
    """

    filters: tuple[str, ...] | None = None
    check_optimize_metadata: bool = False
    datasources: tuple[str, ...] | None = None
    ex_pools: tuple[str, ...] = ("local_vstorage",)

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> StrategyOptions:
        """Return options from a group of the configuration; what it lacks keeps its default.

        Args:
            values: such as `conf["watcher_strategies.basic"]`.
        """
        given: dict[str, Any] = {}
        for name in cls.__struct_fields__:
            value = None if values is None or name not in values else values[name]
            if value is not None:
                given[name] = tuple(value) if isinstance(value, list) else value
        return cls(**given)


def migration_limit(default: int = 0) -> Schema:
    """Return the schema of the most migrations of a plan."""
    return {
        "description": "Most instances (or volumes) to migrate; 0 stands for no limit.",
        "type": "integer",
        "minimum": 0,
        "default": default,
    }


def cold_migration(*, default: bool) -> Schema:
    """Return the schema of whether stopped instances go, too."""
    return {
        "description": "Whether stopped instances may be migrated (cold).",
        "type": "boolean",
        "default": default,
    }


def share(what: str, default: float) -> Schema:
    """Return the schema of a share above 0."""
    return {"description": what, **_SHARE, "default": default}


def limits(what: str) -> Schema:
    """Return the schema of highest shares by resource class or metric."""
    return {
        "description": what,
        "type": "object",
        "additionalProperties": _SHARE,
        "default": {},
    }


def minimum_gain(meaning: str, default: float = 0) -> Schema:
    """Return the schema of the least gain for which something is moved."""
    return {"description": meaning, "type": "number", "minimum": 0, "default": default}


RELEASE_GAIN = minimum_gain(
    "Least number of hosts released per migration for which a host is emptied: 0.1 leaves alone "
    "every host with more than ten instances."
)

#: What strategies that migrate nothing of their own accord take and do not heed.
UNHEEDED: Mapping[str, Schema] = {
    "migration_limit": {**migration_limit(), "description": "Has no meaning here."},
    "minimum_gain": minimum_gain("Has no meaning here."),
}

MISSING_METRICS: Schema = {
    "description": "What to do about resources without a value of a metric: leave_out takes "
    "nothing from and brings nothing to such hosts, and does not move such instances; fail ends "
    "the audit. Without any value at all the audit always fails.",
    "type": "string",
    "enum": ["leave_out", "fail"],
    "default": "leave_out",
}


#: What is measured need not be the past.
FORECAST_HOURS: Schema = {
    "description": "Hours ahead for which the expected peak of each metric is judged by rather "
    "than the past period, from the trend and the daily and weekly seasons of two weeks; 0: the "
    "past period.",
    "type": "number",
    "minimum": 0,
    "maximum": 168,
    "default": 0,
}


def seconds(what: str, default: int, least: int = 1) -> Schema:
    """Return the schema of a duration."""
    return {
        "description": f"{what}, in seconds.",
        "type": "number",
        "minimum": least,
        "default": default,
    }


def period(default: int) -> Schema:
    """Return the schema of the time over which metrics are aggregated."""
    return seconds("Time over which metrics are aggregated, up to now", default)


def granularity(default: int = 300) -> Schema:
    """Return the schema of the time between two values of a metric."""
    return seconds("Time between two values of a metric", default)


def threshold(what: str, default: float, most: float | None = None) -> Schema:
    """Return the schema of a threshold."""
    schema: Schema = {
        "description": what,
        "type": "number",
        "minimum": 0,
        "default": default,
    }
    if most is not None:
        schema["maximum"] = most
    return schema


def parameters(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a strategy's parameters; unknown ones are refused."""
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
    }
    if required:
        schema["required"] = list(required)
    return schema


def aggregation_method() -> Schema:
    """Return the schema of the aggregates of instances and compute nodes."""
    one = {"type": "string", "enum": list(AGGREGATES)}
    return {
        "description": "How values are aggregated over the period.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "instance": {"description": "Of instances.", **one, "default": "mean"},
            "compute_node": {"description": "Of compute nodes.", **one, "default": "mean"},
            "node": {
                "description": "Deprecated name of compute_node, which it overrides.",
                "type": "string",
                "enum": ["", *AGGREGATES],
                "default": "",
            },
        },
        "default": {"instance": "mean", "compute_node": "mean", "node": ""},
    }


def of_nodes(values: Mapping[str, Any]) -> Any:
    """Return what holds for compute nodes, the deprecated name `node` counted."""
    return values.get("node") or values["compute_node"]
