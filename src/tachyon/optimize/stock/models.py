"""Tachyon's cluster models under the names and with the exceptions of Watcher's own."""

from __future__ import annotations

from dataclasses import fields

import networkx
from oslo_config import cfg
from watcher.common import exception

from tachyon.optimize.model.baremetal import TachyonBaremetalModel
from tachyon.optimize.model.compute import TachyonClusterModel
from tachyon.optimize.model.exceptions import Exceptions
from tachyon.optimize.model.storage import TachyonStorageModel

#: Watcher's own classes, so that its `except` clauses catch what the models raise.
WATCHERS = Exceptions(
    NetworkXError=networkx.NetworkXError,
    **{
        field.name: getattr(exception, field.name)
        for field in fields(Exceptions)
        if field.name != "NetworkXError"
    },
)


class ModelRoot(TachyonClusterModel):
    """The compute model."""

    exceptions = WATCHERS

    @property
    def extended_attributes_enabled(self) -> bool:
        """Whether extra specs and pinned zones are shown: as `[compute_model]` says, or as set."""
        told = self.__dict__.get("_extended")
        return bool(cfg.CONF.compute_model.enable_extended_attributes if told is None else told)

    @extended_attributes_enabled.setter
    def extended_attributes_enabled(self, value: bool) -> None:
        self.__dict__["_extended"] = value


class StorageModelRoot(TachyonStorageModel):
    """The storage model."""

    exceptions = WATCHERS


class BaremetalModelRoot(TachyonBaremetalModel):
    """The baremetal model."""

    exceptions = WATCHERS
