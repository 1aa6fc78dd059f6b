"""Questions to the plug-in inside stock Watcher. A program of Watcher's environment.

    python -m tests.interop.probe WATCHER.CONF QUESTION [ARGUMENT…]

Prints what the function of that name returns, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def collector(name: str) -> Any:
    """Return a collector as the engine finds it."""
    from watcher.decision_engine.model.collector import manager

    return manager.CollectorManager().get_cluster_model_collector(name)


def describe(model: Any) -> dict[str, list[str]]:
    """Return the host names of a model, and the instances on each."""
    return {
        node.hostname: [i.uuid for i in model.get_node_instances(node)]
        for node in model.get_all_compute_nodes().values()
    }


def scoped(found: Any, scope: Any) -> Any:
    """Acquire a model as a strategy does."""
    handler = found.get_audit_scope_handler(scope)
    return handler.get_scoped_model(found.get_latest_cluster_data_model())


def compute() -> Any:
    """The compute model as it is."""
    return describe(collector("compute").cluster_data_model)


def storage() -> Any:
    """The storage model: volumes by pool, pools by host."""
    model = collector("storage").cluster_data_model
    return {
        host: {
            pool.name: [v.uuid for v in model.get_pool_volumes(pool)]
            for pool in model.get_node_pools(node)
        }
        for host, node in model.get_all_storage_nodes().items()
    }


def baremetal() -> Any:
    """The baremetal model: power by node."""
    model = collector("baremetal").cluster_data_model
    return {uuid: n.power_state for uuid, n in model.get_all_ironic_nodes().items()}


def audits(*scopes: str) -> Any:
    """What audits of several scopes see, their calls interleaved."""
    found = collector("compute")
    texts = [json.loads(scope) for scope in scopes]
    handlers = [found.get_audit_scope_handler(scope) for scope in texts]
    models = [found.get_latest_cluster_data_model() for _ in texts]
    seen = [h.get_scoped_model(m) for h, m in zip(handlers, models, strict=True)]
    return [describe(model) for model in seen]


def migrations() -> Any:
    """Move the first instance in one audit's model; tell where it is for that, others, after."""
    found = collector("compute")
    mine, other = scoped(found, []), scoped(found, [])
    nodes = list(mine.get_all_compute_nodes().values())
    source = next(n for n in nodes if mine.get_node_instances(n))
    target = next(n for n in nodes if n.uuid != source.uuid)
    instance = mine.get_node_instances(source)[0]
    assert mine.migrate_instance(instance, source, target)
    places = [m.get_node_by_instance_uuid(instance.uuid).uuid for m in (mine, other)]
    later = scoped(found, [])
    return [source.uuid, target.uuid, *places, later.get_node_by_instance_uuid(instance.uuid).uuid]


def synchronised_twice() -> Any:
    """The model before and after a synchronisation that is due, whatever became of it."""
    found = collector("compute")
    before = describe(found.cluster_data_model)
    found.config.period = 0
    found.synchronize()
    return [before, describe(found.cluster_data_model)]


def two_at_once() -> Any:
    """The models of two threads that ask at the same time for one that nobody has read yet."""
    found = collector("compute")
    with ThreadPoolExecutor(2) as pool:
        return [describe(m) for m in pool.map(lambda _: scoped(found, []), range(2))]


def endpoints() -> Any:
    """How many endpoints listen, by collector."""
    names = ("compute", "storage", "baremetal")
    return {name: len(collector(name).notification_endpoints) for name in names}


def state_call() -> Any:
    """The model after a scoped audit and the scope handler that the strategy state asks for."""
    found = collector("compute")
    scoped(found, [{"compute": [{"availability_zones": [{"name": "az-1"}]}]}])
    found.get_audit_scope_handler(None)
    return describe(scoped(found, []))


def events(*files: str) -> Any:
    """The compute model after notifications, handed over as the listener does."""
    found = collector("compute")
    (endpoint,) = found.notification_endpoints
    before = describe(found.cluster_data_model)
    for name in files:
        message = json.loads(Path(name).read_text("utf-8"))
        endpoint.info(
            {},
            message["publisher_id"],
            message["event_type"],
            message["payload"],
            message["metadata"],
        )
    found.events.join()
    return [before, describe(found.cluster_data_model)]


def data_model() -> Any:
    """The rows of Watcher's data model API."""
    from watcher.decision_engine.messaging.data_model_endpoint import DataModelEndpoint

    return DataModelEndpoint(None).get_data_model_info(None)["context"]


def strategy_state(name: str) -> Any:
    """What Watcher's strategy state call tells of a strategy."""
    from watcher.decision_engine.strategy.strategies import base

    return base.StrategyEndpoint(None).get_strategy_info(None, name)


def audit(host: str, scope: str) -> Any:
    """Create a continuous audit that the engine of a name carries out every second."""
    from watcher import objects
    from watcher.common import context

    admin = context.make_context(is_admin=True)
    strategy = objects.Strategy.get_by_name(admin, "node_resource_consolidation")
    made = objects.Audit(
        admin,
        name=f"audit of {host}",
        audit_type=objects.audit.AuditType.CONTINUOUS.value,
        state=objects.audit.State.PENDING,
        goal_id=strategy.goal_id,
        strategy_id=strategy.id,
        parameters={"host_choice": "specify"},
        scope=json.loads(scope),
        interval="1",
        hostname=host,
    )
    made.create()
    return made.uuid


def main() -> None:
    """Answer the question on the command line."""
    config, question, *arguments = sys.argv[1:]
    importlib.import_module("watcher.cmd.eventlet")
    from tachyon.optimize.stock import replacement

    replacement.install()
    from watcher import conf
    from watcher.common import service

    service.prepare_service(["probe", "--config-file", config], conf.CONF)
    print(json.dumps(globals()[question](*arguments), default=str))


if __name__ == "__main__":
    main()
