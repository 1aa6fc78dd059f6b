"""Ironic's events about nodes: the node that an event names is read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import baremetal as mapping
from tachyon.openstack.notifications.contract import Handler, Outcome, Rereader
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.work import Work


class NodeHandler(Handler):
    """Handles `baremetal.node.*`."""

    model = "baremetal"
    pattern = r"baremetal\.node\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a node."""
        if event.phase == "start":
            return Outcome.IGNORED
        if work.is_old("baremetal", event.at):
            return Outcome.OLD
        work.read_again(NODES, event.text("uuid"), event.at)
        return Outcome.READ_AGAIN


class NodeRereader(Rereader):
    """Reads nodes."""

    order = 20

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read nodes again; one that Ironic does not know is removed."""
        answers = cloud.gather_all(lambda uuid: queries.node(cloud, uuid), wanted)
        for uuid, answer in zip(wanted, answers, strict=True):
            if answer is None:
                work.remove_provider(uuid)
                continue
            node, known = mapping.node(answer), work.provider(uuid)
            if known is None or replace(known, generation=0) != node:
                work.put_provider(node)


NODES = NodeRereader()
