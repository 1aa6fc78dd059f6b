"""Options of the decision engines: how many audits, how often, and for how long plans last."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("watcher_decision_engine", title="The decision engine")

OPTIONS = (
    cfg.StrOpt(
        "conductor_topic",
        default="watcher.decision.control",
        help="Topic of the bus on which decision engines are called.",
    ),
    cfg.IntOpt(
        "max_audit_workers",
        default=2,
        min=1,
        help="Audits that one engine runs at a time.",
    ),
    cfg.FloatOpt(
        "continuous_audit_interval",
        default=10.0,
        min=0.05,
        help="Seconds between two looks for audits that are due. Calls over the bus make an engine "
        "look at once; this is how late it is when one was lost.",
    ),
    cfg.FloatOpt(
        "check_periodic_interval",
        default=60.0,
        min=0.05,
        help="Seconds between two reviews of recommended plans, which supersede those that are too "
        "old, overtaken by another plan, or no longer possible.",
    ),
    cfg.FloatOpt(
        "action_plan_expiry",
        default=24.0,
        min=0.0,
        help="Hours after which a recommended plan is superseded; 0: never.",
    ),
    cfg.BoolOpt(
        "end_failed_audits",
        default=False,
        help="Whether a failed round ends a CONTINUOUS or EVENT audit, as in Watcher. Otherwise it "
        "goes on with the next round, and says what failed.",
    ),
    cfg.StrOpt(
        "strategy_selection",
        default="first",
        choices=[
            ("first", "the goal's first strategy, as Watcher does"),
            ("best", "all strategies of the goal that take the audit's parameters, side by side"),
        ],
        help="What an audit runs that names a goal and no strategy. Of several plans the one is "
        "kept that serves the goal best.",
    ),
    cfg.FloatOpt(
        "session_ttl",
        default=86_400.0,
        min=1.0,
        help="Seconds for which the simulation session of a plan can be looked into. It holds back "
        "the change log of the graph.",
    ),
    cfg.FloatOpt(
        "shutdown_timeout",
        default=30.0,
        min=0.0,
        help="Seconds that running audits are given after SIGTERM; then they are handed back.",
    ),
    cfg.StrOpt("health_host", default="127.0.0.1", help="Address of /healthcheck and /metrics."),
    cfg.PortOpt("health_port", default=8644, help="Port of both; 0: a free one."),
)
