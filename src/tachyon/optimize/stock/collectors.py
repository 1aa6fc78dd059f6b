"""Stock Watcher's collectors, filling Tachyon's graph instead of the engine's memory.

The engine asks a collector for its model, for a scope, for a synchronisation now and then, and for
notification endpoints; these answer from the graph. What reads the cloud are Tachyon's own
collectors. Several engines share a graph: whoever finds a model that is older than the period
synchronises it, for all.
"""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from oslo_config import cfg
from watcher.common import exception
from watcher.decision_engine.model.collector import base, cinder, ironic, nova

from tachyon.errors import TachyonError
from tachyon.graph.client import GraphClient
from tachyon.openstack.collectors import plugins
from tachyon.openstack.collectors.baremetal import BaremetalCollector
from tachyon.openstack.collectors.compute import ComputeCollector
from tachyon.openstack.collectors.contract import Collector
from tachyon.openstack.collectors.storage import StorageCollector
from tachyon.openstack.collectors.synchronisation import Synchronised, account, synchronise
from tachyon.openstack.connection import Connection
from tachyon.openstack.notifications.applying import Applier
from tachyon.optimize.model.root import ClusterModel
from tachyon.optimize.scope import Kind
from tachyon.optimize.stock import cloud, graph, models, notifications
from tachyon.optimize.stock.events import Events
from tachyon.optimize.stock.scope import TachyonScope
from tachyon.optimize.stock.sessions import AuditClient

LOG = logging.getLogger(__name__)

#: Part of the period after which a model is no longer fresh. Less than all of it: otherwise the
#: clock of a scheduler that is a moment early would let every other synchronisation pass.
_FRESH = 0.9


class ModelBuilder(base.BaseModelBuilder):
    """Reads one model of the cloud into the graph."""

    collector: ClassVar[type[Collector]]

    def __init__(self, osc: Any, tachyon_client: GraphClient) -> None:
        """Describe a builder.

        Args:
            osc: Watcher's clients; not used, as the connection has credentials of its own.
            tachyon_client: the graph to fill.
        """
        self.osc = osc
        self.client = tachyon_client

    def call_retry_reset(self, exc: Exception) -> None:
        """Do nothing: the connection retries by itself."""

    def connect(self) -> Connection:
        """Return the connection to the cloud."""
        return cloud.connect(cfg.CONF)

    def execute(self, model_scope: Any) -> Synchronised | None:
        """Read the model; None when the cloud lacks the services that it is about.

        Args:
            model_scope: of an audit; does not matter. The graph holds everything, and an audit's
                scope limits what its own session shows.

        Raises:
            CloudError, StoreUnavailable: the graph stays as it was.
        """
        collector = self.collector()
        with self.connect() as connection:
            if not collector.applies(connection):
                return None
            return synchronise(collector, connection, self.client)


class TachyonNovaModelBuilder(ModelBuilder):
    """Reads the compute model: Nova, with Placement."""

    collector = ComputeCollector


class TachyonCinderModelBuilder(ModelBuilder):
    """Reads the storage model: Cinder."""

    collector = StorageCollector


class TachyonIronicModelBuilder(ModelBuilder):
    """Reads the baremetal model: Ironic."""

    collector = BaremetalCollector


class TachyonCollector(base.BaseClusterDataModelCollector):
    """What the collectors of all kinds have in common."""

    kind: ClassVar[Kind]
    builder: ClassVar[type[ModelBuilder]]
    model: ClassVar[type[ClusterModel]]

    @property
    def client(self) -> GraphClient:
        """The graph."""
        return graph.client(cfg.CONF)

    @cached_property
    def events(self) -> Events:
        """Where the notification endpoints leave their events."""
        return Events(
            lambda: Applier(self.client, cloud.connect(cfg.CONF), plugins.handlers([self.kind]))
        )

    @property
    def cluster_data_model(self) -> Any:
        """The model of the graph as it is; the cloud is read first when nobody ever has."""
        if self._synchronised_at() is None:
            self.execute()
        return self._model()

    def get_latest_cluster_data_model(self) -> Any:
        """Return the model in a session of its own: what an audit changes, nobody else sees."""
        return copy.deepcopy(self.cluster_data_model)

    def get_audit_scope_handler(self, audit_scope: Any) -> TachyonScope:
        """Return what limits a session's model to a scope; the collector does not remember it."""
        return TachyonScope(audit_scope, self.config, self.kind)

    def execute(self) -> Any:
        """Return the model, read from the cloud unless that was done within the period.

        Raises:
            ClusterDataModelCollectionError: it could not be read. The graph stays as it was.
        """
        # One thread of the engine reads; those that waited for it find the model fresh.
        with self.sync_lock:
            if cfg.CONF.tachyon.collect and not self._is_fresh():
                try:
                    self.builder(self.osc, self.client).execute([])
                except TachyonError as error:
                    LOG.error("the %s model could not be read: %s", self.kind, error.message)
                    raise exception.ClusterDataModelCollectionError(cdm=self.kind) from error
        return self._model()

    def synchronize(self) -> None:
        """Read the cloud when it is time; a failure leaves the last known state in service."""
        try:
            self.execute()
        except (exception.ClusterDataModelCollectionError, TachyonError) as error:
            LOG.warning("the %s model stays as it was: %s", self.kind, error)

    def _model(self) -> ClusterModel:
        return self.model(self._audits)

    @cached_property
    def _audits(self) -> AuditClient:
        conf = cfg.CONF
        return AuditClient(self.client, f"{self.kind} on {conf.host}", conf.tachyon.session_ttl)

    def _synchronised_at(self) -> datetime | None:
        found = account(self.client.view(), self.kind)
        told = found.extra.get("synchronised_at") if found is not None else None
        return None if told is None else datetime.fromisoformat(told)

    def _is_fresh(self) -> bool:
        at = self._synchronised_at()
        age = timedelta(seconds=self.config.period * _FRESH)
        return at is not None and datetime.now(UTC) - at < age


class TachyonNovaCollector(TachyonCollector, nova.NovaClusterDataModelCollector):
    """The compute model."""

    kind = "compute"
    builder = TachyonNovaModelBuilder
    model = models.ModelRoot

    @property
    def notification_endpoints(self) -> list[Any]:
        """What listens to Nova."""
        return [notifications.TachyonVersionedNotification(self)] if _listens() else []


class TachyonCinderCollector(TachyonCollector, cinder.CinderClusterDataModelCollector):
    """The storage model."""

    kind = "storage"
    builder = TachyonCinderModelBuilder
    model = models.StorageModelRoot

    @property
    def notification_endpoints(self) -> list[Any]:
        """What listens to Cinder."""
        return [notifications.TachyonCinderNotification(self)] if _listens() else []


class TachyonIronicCollector(TachyonCollector, ironic.BaremetalClusterDataModelCollector):
    """The baremetal model."""

    kind = "baremetal"
    builder = TachyonIronicModelBuilder
    model = models.BaremetalModelRoot

    @property
    def notification_endpoints(self) -> list[Any]:
        """What listens to Ironic, which Watcher's own collector does not."""
        return [notifications.TachyonIronicNotification(self)] if _listens() else []


def _listens() -> bool:
    return bool(cfg.CONF.tachyon.collect)
