"""Options of the control plane's database: those of oslo.db that have a meaning here."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from oslo_config import cfg
from oslo_db.options import database_opts

GROUP = cfg.OptGroup("database", title="The control plane's database")

#: Options that oslo.db's engine takes. Read-only replicas have none: every decision is a
#: compare-and-set, and a replica that lags would answer with what has been decided differently.
_TAKEN = (
    "connection",
    "sqlite_synchronous",
    "mysql_sql_mode",
    "mysql_wsrep_sync_wait",
    "connection_recycle_time",
    "max_pool_size",
    "max_overflow",
    "pool_timeout",
    "max_retries",
    "retry_interval",
    "connection_debug",
    "connection_trace",
    "connection_parameters",
)


def _options() -> Sequence[cfg.Opt]:
    found = [copy.deepcopy(opt) for opt in database_opts if opt.dest in _TAKEN]
    cfg.set_defaults(found, connection="sqlite:///tachyon-control.db")
    return tuple(found)


OPTIONS = _options()
