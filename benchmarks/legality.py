"""Replay plans, ours and the peer's, with the tests' independent checker: what would not go well.

The checker knows Nova's and Placement's rules: capacity, states, traits, server groups, locked and
excluded instances. The peer's actions name hosts only; what an instance holds moves as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tachyon.graph.cluster_file import ClusterFile
from tachyon.optimize.planners.actions import Plan
from tests.optimize.checker import Replay

#: An instance whose host Nova chooses may come back; that is Nova's choice, and no error.
_NO_ERROR = "the scheduler may choose"


def of_plan(content: ClusterFile, plan: Plan) -> int:
    """Return how many actions of a plan break a rule, in the order in which it lists them."""
    return _illegal(Replay(content), msgspec.to_builtins(plan.actions))


def of_stock(content: ClusterFile, actions: list[dict[str, Any]]) -> int:
    """Return how many actions of the peer's solution break a rule, in its order."""
    replay = Replay(content)
    return _illegal(replay, (_adapted(replay, k, one) for k, one in enumerate(actions)))


def _illegal(replay: Replay, actions: Iterable[dict[str, Any]]) -> int:
    found = 0
    for number, action in enumerate(actions):
        before = len(replay.problems)
        replay._begin(number, action)
        replay._end(action)
        found += any(_NO_ERROR not in problem for problem in replay.problems[before:])
    return found


def _adapted(replay: Replay, number: int, action: dict[str, Any]) -> dict[str, Any]:
    """Return an action of the peer as the checker reads actions."""
    given: dict[str, Any] = dict(action["input_parameters"])
    uuid = given.pop("resource_id", None)
    adapted: dict[str, Any] = {
        "uuid": str(number),
        "parents": [],
        "action_type": action["action_type"],
        "resource_id": uuid,
        "input_parameters": given,
        "movement": None,
    }
    if action["action_type"] in {"migrate", "volume_migrate"} and given.get("destination_node"):
        # Some of the peer's strategies name hosts by uuid.
        uuids = {p.name: p.uuid for p in replay.providers.values()}
        source = str(given.get("source_node") or replay.place[uuid])
        target = str(given["destination_node"])
        adapted["movement"] = _movement(
            replay, uuid, uuids.get(source, source), uuids.get(target, target)
        )
    return adapted


def _movement(replay: Replay, uuid: str, source: str, target: str) -> dict[str, Any]:
    """Return what moves: parts of the source's tree go to like parts of the target's."""
    allocations: dict[str, dict[str, int]] = {}
    resources: dict[str, int] = {}
    for provider, held in replay.allocations[uuid].items():
        if replay.root(provider).uuid != source:
            allocations[provider] = held
            continue
        kind = replay.providers[provider].type
        like = [
            p.uuid for p in replay.trees[target] if p.type == kind and {*held} <= {*p.inventories}
        ]
        allocations.setdefault((like or [target])[0], {}).update(held)
        for name, amount in held.items():
            resources[name] = resources.get(name, 0) + amount
    return {
        "source": source,
        "destination": target,
        "allocations": allocations,
        "resources": resources,
    }
