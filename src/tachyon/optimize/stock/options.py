"""Options of the plug-in, in the group `[tachyon]` of Watcher's own configuration file."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

GROUP = cfg.OptGroup("tachyon", title="Tachyon, where the cluster's graph is")

OPTIONS = (
    cfg.StrOpt(
        "url",
        default="http://127.0.0.1:8642",
        secret=True,
        help="The Tachyon service, or the URL of a store (sqlite:///…, postgresql://…, bolt://…) "
        "for a graph without a service. All decision engines of a cloud name the same one. "
        "Secret, because it may carry a password.",
    ),
    cfg.StrOpt(
        "auth",
        default="noauth",
        choices=[
            ("noauth", "the service asks for no token"),
            ("keystone", "tokens of the user that Watcher's own clients are"),
        ],
        help="How the engine proves to the service who it is; must fit [service] auth there.",
    ),
    cfg.BoolOpt(
        "collect",
        default=True,
        help="Whether this engine reads the cloud when the graph is not fresh, and applies "
        "notifications. Switch it off where `tachyon collector` runs.",
    ),
    cfg.FloatOpt(
        "session_ttl",
        default=600.0,
        min=10.0,
        help="Seconds that the what-if session of an audit lives on if its engine dies. Sessions "
        "in use are extended, however long an audit takes.",
    ),
)


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options; harmless when they are registered already."""
    # A group keeps the values of its options, so each configuration needs one of its own.
    conf.register_group(cfg.OptGroup(GROUP.name, GROUP.title))
    conf.register_opts(OPTIONS, group=GROUP.name)


def list_opts() -> list[tuple[cfg.OptGroup, Sequence[cfg.Opt]]]:
    """Return every option, for oslo-config-generator."""
    return [(GROUP, OPTIONS)]
