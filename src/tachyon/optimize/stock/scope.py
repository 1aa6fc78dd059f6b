"""The scope handler that the collectors give to audits: it limits a session's model by masks."""

from __future__ import annotations

import logging
from typing import Any

from watcher.decision_engine.scope import base

from tachyon.optimize.model.root import ClusterModel
from tachyon.optimize.scope import Kind, evaluate

LOG = logging.getLogger(__name__)


class TachyonScope(base.BaseScope):
    """One audit's scope, for one kind of model.

    Other than Watcher's handlers it neither copies the model nor asks Nova or Cinder: aggregates,
    zones and volume types are in the graph.
    """

    def __init__(self, scope: Any, config: Any, kind: Kind) -> None:
        super().__init__(scope, config)
        self.kind = kind

    def get_scoped_model(self, cluster_model: ClusterModel | None) -> ClusterModel | None:
        """Return the model without what is out of scope; None for none, or a stale one.

        Raises:
            ScopeInvalid: the scope does not have the form of one.
        """
        if not cluster_model:
            return None
        if not self.scope:
            return cluster_model
        mask = evaluate(self.scope, self.kind, cluster_model.session)
        for warning in mask.warnings:
            LOG.warning("audit scope: %s", warning)
        return cluster_model.scoped(mask)
