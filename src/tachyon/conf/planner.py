"""Options of the planners: what comes first, and how much runs at a time."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg, types


def _numbers(name: str, text: str) -> cfg.Opt:
    numbers = types.Dict(types.Integer(min=0), bounds=False)
    return cfg.Opt(name, type=numbers, default={}, help=text)


OPTIONS: Sequence[cfg.Opt] = (
    _numbers(
        "weights",
        "Action types with their weights, e.g. `migrate:30,resize:20`; heavier ones come first. "
        "Types that are not named keep their default.",
    ),
    _numbers(
        "parallelization",
        "Action types with the number of actions that may run at a time; 0 stands for any "
        "number. Types that are not named keep their default.",
    ),
    cfg.IntOpt(
        "per_host",
        min=0,
        help="Actions that copy something from or to one host at a time, so that live migrations "
        "leave the guests on it enough of the network; 0 stands for any number. Unset: the "
        "planner's own value.",
    ),
)

#: The planners that come with Tachyon; third parties' planners read a group of the same form.
GROUPS = tuple(
    cfg.OptGroup(f"watcher_planners.{name}", title=f"The planner {name}")
    for name in ("weight", "workload_stabilization", "node_resource_consolidation")
)
