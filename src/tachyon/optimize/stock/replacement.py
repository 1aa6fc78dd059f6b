"""Puts Tachyon's classes where stock Watcher looks for its own. No file of Watcher is changed.

All of Watcher's code reaches models through the module `model_root`, elements through the package
`element` and collectors through entry points that name an attribute of a module, so setting these
attributes is enough. It must be done before collectors are imported: their base class makes a
model when it is.
"""

from __future__ import annotations

from oslo_config import cfg
from watcher.decision_engine.model import element, model_root
from watcher.decision_engine.model.element import instance, node, volume

from tachyon.optimize.model import elements
from tachyon.optimize.model.root import ClusterModel
from tachyon.optimize.stock import models, options

#: Where each class of elements is defined in Watcher.
_HOMES = {
    "ComputeNode": node,
    "Instance": instance,
    "IronicNode": node,
    "Pool": node,
    "StorageNode": node,
    "Volume": volume,
}


def install() -> None:
    """Replace models, elements and collectors, and register the group [tachyon]."""
    options.register(cfg.CONF)
    replace_models(models.ModelRoot, models.StorageModelRoot, models.BaremetalModelRoot)
    replace_collectors()


def replace_models(
    compute: type[ClusterModel], storage: type[ClusterModel], baremetal: type[ClusterModel]
) -> None:
    """Replace the three models, and the elements that they consist of."""
    model_root.ModelRoot = compute
    model_root.StorageModelRoot = storage
    model_root.BaremetalModelRoot = baremetal
    for name, home in _HOMES.items():
        replaced = getattr(elements, name)
        setattr(element, name, replaced)
        setattr(home, name, replaced)


def replace_collectors() -> None:
    """Replace the collectors of all kinds."""
    from watcher.decision_engine.model.collector import cinder, ironic, nova

    from tachyon.optimize.stock import collectors

    nova.NovaClusterDataModelCollector = collectors.TachyonNovaCollector
    cinder.CinderClusterDataModelCollector = collectors.TachyonCinderCollector
    ironic.BaremetalClusterDataModelCollector = collectors.TachyonIronicCollector
