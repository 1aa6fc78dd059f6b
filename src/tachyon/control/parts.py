"""What the services of the control plane are made of: database, bus, graph and cloud.

A service opens what it is not given, and closes that alone; so the all-in-one's services share one
of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from tachyon.control.api.server import connect_graph
from tachyon.control.notifications import Notifier
from tachyon.control.objects import Database, Objects, migrations
from tachyon.control.rpc import open_transport
from tachyon.errors import ConfigurationError
from tachyon.graph.client import GraphClient
from tachyon.openstack.connection import Connection, connect


class Parts:
    """The parts of one service, or of several in one process.

    Args:
        conf: the options of `tachyon.conf`.
        objects, transport, graph, cloud: what somebody else has opened and will close.
        needs_cloud: open a connection to the cloud, where the options name one.

    Raises:
        ConfigurationError: the options do not fit together, or the database's schema is not this
            release's.
        StoreUnavailable: database or graph cannot be reached.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        *,
        objects: Objects | None = None,
        transport: Any = None,
        graph: GraphClient | None = None,
        cloud: Connection | None = None,
        needs_cloud: bool = True,
    ) -> None:
        self.conf = conf
        self.notifier = Notifier.of(conf)
        self._closing: list[Callable[[], None]] = []
        try:
            self.objects = objects or self._open_objects()
            self.transport = transport or self._open_transport()
            self.graph = graph or self._own(connect_graph(conf))
            self.cloud = cloud or (self._open_cloud() if needs_cloud else None)
        except BaseException:
            self.close()
            raise

    def _own(self, part: Any) -> Any:
        self._closing.append(part.close)
        return part

    def _open_objects(self) -> Objects:
        database = Database.of(self.conf)
        self._closing.append(database.close)
        migrations.check(database)
        objects = Objects(database)
        objects.observe(self.notifier.changed)
        return objects

    def _open_transport(self) -> Any:
        transport = open_transport(self.conf)
        self._closing.append(transport.cleanup)
        return transport

    def _open_cloud(self) -> Connection | None:
        try:
            return self._own(connect(self.conf))  # type: ignore[no-any-return]
        except ConfigurationError:
            if self.conf.keystone.cloud or self.conf.keystone.auth_type:
                raise
            return None  # no cloud is named: audits of the graph work all the same

    def close(self) -> None:
        """Close what was opened here, the last first."""
        while self._closing:
            self._closing.pop()()
