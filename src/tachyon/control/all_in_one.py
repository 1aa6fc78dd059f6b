"""Every service of the control plane in one process: one database, one graph, one bus within.

For a laptop, a small cloud, and tests.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from oslo_config import cfg

from tachyon.control.api.server import running
from tachyon.control.applier.service import applier
from tachyon.control.engine.service import decision_engine
from tachyon.control.objects import Database, migrations
from tachyon.control.parts import Parts
from tachyon.control.rpc import open_transport
from tachyon.openstack.collectors.process import CollectorService

#: Where the value of an option comes from that nobody set.
_DEFAULTS = (cfg.Locations.opt_default, cfg.Locations.set_default)

#: The bus of one process.
BUS = "fake://"


class AllInOne:
    """The services together: `with AllInOne(conf) as services`.

    `url` is the API's. The bus that the options name is not used.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.url = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start everything; the API last, so that whoever finds it finds the rest.

        Raises:
            ConfigurationError: the options do not fit together, or a port is taken.
            StoreUnavailable: database or graph cannot be reached.
        """
        with ExitStack() as stack:
            upgrade(self.conf)
            transport = open_transport(self.conf, BUS)
            stack.callback(transport.cleanup)
            shared = Parts(self.conf, transport=transport)
            stack.callback(shared.close)
            if shared.cloud is not None:
                stack.enter_context(
                    CollectorService(self.conf, cloud=shared.cloud, graph=shared.graph)
                )
            for service in (decision_engine, applier):
                stack.enter_context(service(self._sharing(shared), health=False))
            self.url = stack.enter_context(
                running(
                    self.conf,
                    objects=shared.objects,
                    transport=shared.transport,
                    graph=shared.graph,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _sharing(self, parts: Parts) -> Parts:
        return Parts(
            self.conf,
            objects=parts.objects,
            transport=parts.transport,
            graph=parts.graph,
            cloud=parts.cloud,
            needs_cloud=False,
        )


def upgrade(conf: cfg.ConfigOpts) -> None:
    """Bring the database's tables up to date; where all is one, nobody else does."""
    database = Database.of(conf)
    try:
        migrations.upgrade(database)
    finally:
        database.close()


def in_folder(conf: cfg.ConfigOpts, folder: Path) -> None:
    """Keep database and graph in a folder, as SQLite files, unless the options say where.

    Each option that has its default is set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for group, option, name in (
        ("database", "connection", "control.db"),
        ("graph", "url", "graph.db"),
    ):
        if conf.get_location(option, group).location in _DEFAULTS:
            conf.set_override(option, f"sqlite:///{folder / name}", group=group)
