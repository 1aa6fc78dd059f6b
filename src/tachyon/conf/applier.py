"""Options of the appliers: how much at a time, how long to wait, what to do about failures."""

from __future__ import annotations

import os

from oslo_config import cfg, types

GROUP = cfg.OptGroup("watcher_applier", title="The applier")

OPTIONS = (
    cfg.StrOpt(
        "conductor_topic",
        default="watcher.applier.control",
        help="Topic of the bus on which appliers are called.",
    ),
    cfg.IntOpt("workers", default=1, min=1, help="Plans that one applier executes at a time."),
    cfg.StrOpt(
        "workflow_engine",
        default="taskflow",
        choices=["taskflow"],
        help="What runs the graph of a plan.",
    ),
    cfg.BoolOpt(
        "rollback_when_actionplan_failed",
        default=False,
        help="Take back what a plan has done, in reverse order, when one of its actions fails.",
    ),
    cfg.StrOpt(
        "on_crash",
        default="resume",
        choices=[
            ("resume", "go on where it stood; what was under way in the cloud is joined"),
            ("cancel", "abort what was under way, and cancel the rest"),
        ],
        help="What becomes of a plan whose applier died.",
    ),
    cfg.FloatOpt(
        "interval",
        default=1.0,
        min=0.05,
        help="Seconds between two looks for plans to execute, cancel or take over.",
    ),
    cfg.IntOpt(
        "migration_max_retries",
        default=180,
        min=1,
        deprecated_opts=[cfg.DeprecatedOpt("migration_max_retries", group="nova")],
        help="How often the state of a migrating or resizing instance is asked for.",
    ),
    cfg.FloatOpt(
        "migration_interval",
        default=5.0,
        min=0.01,
        deprecated_opts=[cfg.DeprecatedOpt("migration_interval", group="nova")],
        help="Seconds between two such questions.",
    ),
    cfg.IntOpt("power_max_retries", default=60, min=1, help="The same of a node's power state."),
    cfg.FloatOpt("power_interval", default=10.0, min=0.01, help="Seconds between two questions."),
    cfg.IntOpt("stop_max_retries", default=8, min=1, help="The same of an instance that stops."),
    cfg.FloatOpt("stop_interval", default=10.0, min=0.01, help="Seconds between two questions."),
    cfg.IntOpt("volume_max_retries", default=360, min=1, help="The same of a volume that moves."),
    cfg.FloatOpt("volume_interval", default=10.0, min=0.01, help="Seconds between two questions."),
    cfg.IntOpt(
        "graph_max_retries",
        default=15,
        min=1,
        help="How often a migration is judged again by the graph that refuses it: the graph hears "
        "of what has just ended a little later than the cloud.",
    ),
    cfg.FloatOpt("graph_interval", default=1.0, min=0.01, help="Seconds between two judgements."),
    cfg.FloatOpt(
        "shutdown_timeout",
        default=30.0,
        min=0.0,
        help="Seconds that running actions are given after SIGTERM; then their plan is handed "
        "back, and whoever takes it joins what is under way in the cloud.",
    ),
    cfg.StrOpt("health_host", default="127.0.0.1", help="Address of /healthcheck and /metrics."),
    cfg.PortOpt("health_port", default=8645, help="Port of both; 0: a free one."),
)

TASKFLOW_GROUP = cfg.OptGroup(
    "watcher_workflow_engines.taskflow", title="The workflow engine taskflow"
)

TASKFLOW_OPTIONS = (
    cfg.IntOpt(
        "max_workers",
        default=max(2, os.cpu_count() or 2),
        sample_default="<number of processors>",
        min=1,
        help="Actions of one plan that run at a time, beside the limits in its graph.",
    ),
    cfg.Opt(
        "action_execution_rule",
        type=types.Dict(types.String(choices=["ALWAYS", "ANY"]), bounds=False),
        default={},
        help="Strategies with the rule of their plans, e.g. `actuator:ANY`. ALWAYS: an action runs "
        "after its parents. ANY: it is an alternative to them, and runs only when none succeeded.",
    ),
)
