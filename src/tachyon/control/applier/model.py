"""The live graph as the applier sees it: whether an action still fits, and what it changed.

Between planning and execution others change the cloud. So each migration is judged anew on the
graph as it is now, by the rules by which it was planned; and what an action has done is written to
the graph at once, for the next action is judged by it before any synchronisation has noticed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from tachyon.control.applier.actions.base import Patience
from tachyon.errors import ActionFailed, Conflict, ConsumerNotFound, TachyonError
from tachyon.graph.deltas import Move
from tachyon.graph.mutations import AnyMutation, PatchConsumer, PatchProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view import View

LOG = logging.getLogger(__name__)


class Graph(Protocol):
    """What the applier needs of a graph's client."""

    def view(self) -> View:
        """Return the graph as it is now."""

    def apply(self, mutations: list[AnyMutation]) -> Any:
        """Change it."""


class Model:
    """The graph for the applier's purposes. Safe to use from several threads."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def judge(
        self,
        action_type: str,
        parameters: dict[str, Any],
        patience: Patience,
        wait: Callable[[float], None],
    ) -> None:
        """Check an action, again if it is refused: the graph may be behind the cloud.

        What a migration held on its source, for one, leaves the graph when Nova's notification of
        the end has been read, which is after the end.

        Raises:
            ActionFailed: it was refused to the last; see `check`.
        """
        for _ in range(patience.times):
            try:
                self.check(action_type, parameters)
            except ActionFailed:
                wait(patience.interval)
            else:
                return
        self.check(action_type, parameters)

    def check(self, action_type: str, parameters: dict[str, Any]) -> None:
        """Refuse a migration whose destination is no longer one.

        What the graph does not know, or knows to be elsewhere, is the cloud's to judge: its view
        of a single instance is the fresher one.

        Raises:
            ActionFailed: names the reasons.
        """
        if action_type != "migrate" or not parameters.get("destination_node"):
            return
        view = self._graph.view()
        target = _host(view, str(parameters["destination_node"]))
        source = _host(view, str(parameters.get("source_node") or ""))
        session = Session(view)
        try:
            here = session.host(str(parameters.get("resource_id")))
        except ConsumerNotFound:
            return
        if target is None or here is None or here != source or here == target:
            return
        found = session.destinations(str(parameters["resource_id"]))
        if target not in found.uuids:
            reasons = found.refusals().get(target, [])
            said = "; ".join(r.message for r in reasons) or "no destination any more"
            raise ActionFailed(f"{parameters['destination_node']}: {said}", reasons=said)

    def done(self, action_type: str, parameters: dict[str, Any]) -> None:
        """Write what an action has done to the graph; a graph that refuses stops nobody."""
        try:
            mutations = self._changes(action_type, parameters)
            if mutations:
                self._graph.apply(mutations)
        except TachyonError as error:
            LOG.warning("the graph was not told of a %s: %s", action_type, error)

    def _changes(self, action_type: str, parameters: dict[str, Any]) -> list[AnyMutation]:
        view = self._graph.view()
        if action_type in ("migrate", "volume_migrate") and parameters.get("destination_node"):
            return _moved(view, str(parameters["resource_id"]), str(parameters["destination_node"]))
        if action_type == "change_nova_service_state":
            host = _host(view, str(parameters.get("resource_name") or parameters["resource_id"]))
            if host is None:
                return []
            status = parameters["state"]
            reason = parameters.get("disabled_reason") if status == "disabled" else None
            return [PatchProvider(uuid=host, status=status, disabled_reason=reason)]
        if action_type == "change_node_power_state":
            uuid = str(parameters["resource_id"])
            if uuid in view.providers.index:
                return [PatchProvider(uuid=uuid, power_state=f"power {parameters['state']}")]
        if action_type in ("stop", "start"):
            uuid = str(parameters["resource_id"])
            if uuid in view.consumers.index:
                stopped = action_type == "stop"
                return [
                    PatchConsumer(
                        uuid=uuid,
                        state="stopped" if stopped else "active",
                        status="SHUTOFF" if stopped else "ACTIVE",
                    )
                ]
        return []


def _moved(view: View, uuid: str, destination: str) -> list[AnyMutation]:
    session = Session(view)
    target = _host(view, destination)
    try:
        if target is None or session.host(uuid) in (None, target):
            return []
        session.record(Move(consumer_uuid=uuid, to_provider=target))
    except (Conflict, ConsumerNotFound):
        return []  # the next synchronisation says how it came about
    return [PatchConsumer(uuid=uuid, allocations=session.placement(uuid).allocations)]


def _host(view: View, name: str) -> str | None:
    """Return the uuid of the compute host or pool of a name."""
    key = "hosts by name"
    if key not in view.memo:
        view.memo[key] = {
            p.name: p.uuid
            for p in view.providers.record
            if p is not None and p.type in ("compute", "pool", "baremetal")
        }
    found: str | None = view.memo[key].get(name)
    return found
