"""Options of the model service: where it listens, whom it trusts, what it bounds."""

from __future__ import annotations

from oslo_config import cfg

MIB = 2**20

GROUP = cfg.OptGroup("service", title="The model service (Tachyon API v1)")

OPTIONS = (
    cfg.StrOpt(
        "store_url",
        default="sqlite:///tachyon.db",
        secret=True,
        help="Where the graph is kept. SQLite needs no set-up; postgresql://, mariadb:// and "
        "bolt:// name a server. Secret, because it may carry a password.",
    ),
    cfg.StrOpt(
        "host",
        default="127.0.0.1",
        help="Address to listen on. Loopback, so that nothing is open to a network by accident.",
    ),
    cfg.PortOpt("port", default=8642, help="TCP port to listen on; 0 takes a free one."),
    cfg.IntOpt(
        "workers",
        default=1,
        min=1,
        max=256,
        help="Processes that share the port. One keeps sessions in memory; more of them keep "
        "sessions in the store, where each process finds them.",
    ),
    cfg.IntOpt(
        "threads",
        default=16,
        min=1,
        max=1024,
        help="Threads of each process, so requests served at the same time. Numpy releases the "
        "interpreter only now and then: more threads buy waiting clients, not speed.",
    ),
    cfg.IntOpt(
        "connections",
        default=1000,
        min=1,
        help="Idle kept-alive connections of each process; what comes above is closed after its "
        "request.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=30.0,
        min=1.0,
        help="Seconds to wait for the rest of a request, and to keep an idle connection. A "
        "client that stalls holds a thread for no longer than this.",
    ),
    cfg.FloatOpt(
        "shutdown_timeout",
        default=10.0,
        min=0.0,
        help="Seconds that requests under way are given after SIGTERM.",
    ),
    cfg.IntOpt(
        "max_body",
        default=16 * MIB,
        min=1024,
        help="Bytes of a request body. Ten thousand mutations or candidates fit well into it.",
    ),
    cfg.IntOpt(
        "max_bulk_body",
        default=512 * MIB,
        min=1024,
        help="Bytes of the body of a synchronisation: a cluster of 100,000 consumers as JSON "
        "takes about 60 MiB.",
    ),
    cfg.IntOpt(
        "page",
        default=1000,
        min=1,
        max=100_000,
        help="Entities in one page of a list when the client does not say.",
    ),
    cfg.FloatOpt(
        "max_wait",
        default=60.0,
        min=0.0,
        help="Seconds that a request for changes may wait for some. Proxies cut a silent "
        "connection at about a minute.",
    ),
    cfg.IntOpt(
        "waiters",
        default=8,
        min=0,
        help="Requests of one process that may wait for changes at the same time, as each holds "
        "a thread; what comes above is answered at once.",
    ),
    cfg.StrOpt(
        "auth",
        default="noauth",
        choices=[
            ("noauth", "everybody may do everything; on loopback only"),
            ("keystone", "tokens by keystonemiddleware, rights by oslo.policy"),
        ],
        help="How callers prove who they are.",
    ),
    cfg.StrOpt(
        "policy_file",
        help="YAML file that overrides the rules graph:read, graph:simulate, graph:write and "
        "graph:administer.",
    ),
    cfg.FloatOpt(
        "sweep_interval",
        default=30.0,
        min=0.1,
        help="Seconds between two sweeps that expire sessions and trim the change log.",
    ),
    cfg.IntOpt(
        "keep_generations",
        default=100_000,
        min=1,
        help="Transactions that the change log keeps. A client that has fallen further behind "
        "loads the whole graph again.",
    ),
)
