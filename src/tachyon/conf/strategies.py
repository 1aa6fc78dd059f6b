"""Options of the strategies: destination filters, metadata that opts out, sources of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

OPTIONS: Sequence[cfg.Opt] = (
    cfg.ListOpt(
        "filters",
        help="Filters that destinations have to pass beside capacity and service, by name "
        "(docs/strategies.md lists them). `AllHostsFilter` alone stands for no rule at all. "
        "Unset: every filter that comes with Tachyon, as Nova would refuse such hosts, too.",
    ),
    cfg.BoolOpt(
        "check_optimize_metadata",
        default=False,
        help="Leave instances alone whose metadata says `optimize` is false.",
    ),
    cfg.ListOpt(
        "datasources",
        help="Where metrics come from, in the order of preference. Unset: as for all strategies.",
    ),
)

_POOLS: Sequence[cfg.Opt] = (
    cfg.ListOpt(
        "ex_pools",
        default=["local_vstorage"],
        help="Storage pools that are left alone, by name or by their capability `pool_name`.",
    ),
)

NAMES = (
    "basic",
    "consolidation",
    "vm_workload_consolidation",
    "node_resource_consolidation",
    "standard_deviation",
    "workload_balance",
    "workload_stabilization",
    "storage_capacity_balance",
    "outlet_temperature",
    "uniform_airflow",
    "noisy_neighbor",
    "saving_energy",
    "host_maintenance",
    "zone_migration",
)


def group(name: str) -> cfg.OptGroup:
    """Return the group of a strategy; third parties' strategies have one of the same form."""
    return cfg.OptGroup(f"watcher_strategies.{name}", title=f"The strategy {name}")


#: The strategies that come with Tachyon.
GROUPS: tuple[tuple[cfg.OptGroup, Sequence[cfg.Opt]], ...] = tuple(
    (group(name), (*OPTIONS, *_POOLS) if name == "storage_capacity_balance" else OPTIONS)
    for name in NAMES
)
