"""Options of simulation sessions: their number, size and time to live."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("sessions", title="Simulation sessions")

OPTIONS = (
    cfg.StrOpt(
        "persistence",
        choices=[
            ("memory", "in the process that made it: microseconds a delta, gone with the process"),
            ("store", "in the store: every process serves it, and it survives restarts"),
        ],
        help="Where a session is kept when its creator does not say. Unset: in memory while one "
        "process serves, in the store when several do.",
    ),
    cfg.IntOpt(
        "limit",
        default=1000,
        min=1,
        help="Active sessions, of each persistence. An idle session weighs a few kilobytes and "
        "may keep an old view of the graph alive.",
    ),
    cfg.IntOpt(
        "deltas",
        default=100_000,
        min=1,
        help="Deltas of one session: every consumer of a large cloud moved once.",
    ),
    cfg.IntOpt(
        "candidates",
        default=100_000,
        min=1,
        help="Deltas in all candidates of one evaluation: about a second of work when they are "
        "lists of deltas.",
    ),
    cfg.IntOpt(
        "cached",
        default=256,
        min=1,
        help="Stored sessions that a process keeps at hand instead of replaying their deltas.",
    ),
    cfg.FloatOpt(
        "ttl",
        default=3600.0,
        min=1.0,
        help="Seconds that a session lives when its creator does not say: an audit and a look "
        "at its plan.",
    ),
    cfg.FloatOpt(
        "max_ttl",
        default=7 * 86_400.0,
        min=1.0,
        help="Seconds that a session may be given at most, as it holds back the change log.",
    ),
    cfg.FloatOpt(
        "retention",
        default=86_400.0,
        min=0.0,
        help="Seconds for which closed sessions can still be looked up.",
    ),
)
