"""Nova's events about servers.

What happens to a server in place (power, pause, lock, names, tasks …) is taken from the event.
Where it is and what it holds is read again: events of a move come from several hosts, which send
their own, sometimes outdated, idea of it; and only Placement knows what is held.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from tachyon.errors import CloudError
from tachyon.graph.entities import Allocations, Consumer
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.hosts import Hosts
from tachyon.openstack.collectors.instances import (
    Lookups,
    Migration,
    Placed,
    place,
    unknown_consumer,
)
from tachyon.openstack.collectors.marks import EVENT, Mark, mark_of
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import compute as mapping
from tachyon.openstack.mapping.answers import MISSHAPEN, Answer, misshapen, moment
from tachyon.openstack.notifications.contract import Handler, Outcome, Rereader
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.hosts import HOSTS
from tachyon.openstack.notifications.records import read_missing_flavors
from tachyon.openstack.notifications.statuses import status_of
from tachyon.openstack.notifications.work import Later, Work

#: Events after which something may be held elsewhere though the server is where it was.
_MOVES = re.compile(
    r"instance\.(live_migration_\w+|resize\w*|evacuate|rebuild\w*|shelve_offload|unshelve)"
    r"(\.(end|error))?"
)
_TOLD_IN_VAIN = frozenset({"instance.exists"})


class InstanceHandler(Handler):
    """Handles `instance.*`."""

    model = "compute"
    pattern = r"instance\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a server."""
        if event.type in _TOLD_IN_VAIN:
            return Outcome.IGNORED
        payload = event.payload
        uuid = event.text("uuid")
        known = work.consumer(uuid)
        if event.type == "instance.delete.end" or payload["state"] == "deleted":
            return _remove(uuid, work)
        told = Mark(event.at, _updated(payload))
        since = work.known_since("compute", known.extra if known else None)
        older, newer = _compare(told, since)
        if older:
            return Outcome.OLD
        if known is None and payload["state"] == "building":
            # Nobody can do anything with it yet; its end will tell.
            return Outcome.IGNORED
        if (
            known is None
            or not newer
            or payload["state"] in mapping.GONE_STATES
            or _MOVES.fullmatch(event.type)
            or _is_elsewhere(known, payload, work)
        ):
            work.read_again(INSTANCES, uuid, event.at)
            return Outcome.READ_AGAIN
        work.put_consumer(_in_place(known, payload, told))
        return Outcome.APPLIED


def _updated(payload: Mapping[str, Any]) -> datetime | None:
    told = payload.get("updated_at") or payload.get("created_at")
    return moment(told) if told else None


def _compare(told: Mark, since: Mark | None) -> tuple[bool, bool]:
    """Tell whether an event is older than what is known, and whether it is newer.

    Two orders have a say: when it was sent, and the state of the record that its sender had in
    hand. Where they contradict each other it is neither.
    """
    if since is None:
        return False, True
    if told.updated is None or since.updated is None:
        return told.at <= since.at, told.at > since.at
    older = told.at <= since.at and told.updated <= since.updated
    newer = told.at > since.at and told.updated >= since.updated
    return older, newer


def _is_elsewhere(known: Consumer, payload: Mapping[str, Any], work: Work) -> bool:
    """Tell whether an event has a server on another host, or of another size, than the graph."""
    if payload["state"] == "building":
        return False
    flavor = payload["flavor"]
    # A flavor that was deleted meanwhile is known by its name only.
    if known.flavor_id not in {flavor["flavorid"], flavor["name"]}:
        return True
    hosts = {
        root.name
        for uuid in known.allocations
        if (root := work.root(uuid)) is not None and root.type == "compute"
    }
    name = payload["host"]
    return (hosts != {name}) if name is not None else bool(hosts)


def _in_place(known: Consumer, payload: Mapping[str, Any], told: Mark) -> Consumer:
    extra = {name: value for name, value in known.extra.items() if name != "task_state"}
    if payload["task_state"]:
        extra["task_state"] = payload["task_state"]
    before = mark_of(known.extra)
    if (
        before is not None
        and before.updated
        and (not told.updated or before.updated > told.updated)
    ):
        told = Mark(told.at, before.updated)
    return replace(
        known,
        name=payload["display_name"] or "",
        state=payload["state"],
        status=status_of(payload["state"], payload["task_state"]),
        locked=payload.get("locked", known.locked),
        project_id=payload["tenant_id"],
        metadata=payload["metadata"] or {},
        extra={**extra, EVENT: told.as_extra()},
    )


def _remove(uuid: str, work: Work) -> Outcome:
    """Remove a server for good: its uuid never comes back, whatever else is told of it later."""
    for migration in _migrations_of(uuid, work):
        work.remove_consumer(migration)
    work.remove_consumer(uuid)
    return Outcome.APPLIED


def _migrations_of(server: str, work: Work) -> list[str]:
    """Return the consumers that hold something for a server's migrations."""
    return [m.uuid for m in work.migrations() if m.extra.get("instance") == server]


class InstanceRereader(Rereader):
    """Reads servers, what they hold, and what their migrations hold."""

    order = 40

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read servers again; one that Nova does not know is removed."""
        answers = _ask(cloud, list(wanted))
        servers = [server for server, _, _ in answers.values() if server is not None]
        hosts = {server.get("OS-EXT-SRV-ATTR:host") for server in servers}
        unknown = [name for name in sorted(h for h in hosts if h) if work.host_of(name) is None]
        if unknown:
            HOSTS.read(cloud, {name: max(wanted.values()) for name in unknown}, work)
        flavor_ids = read_missing_flavors(
            cloud, (s.get("flavor", {}).get("original_name") for s in servers), work
        )
        lookups = Lookups(hosts=Hosts.of(work.providers()), flavor_ids=flavor_ids, groups={})
        for uuid, (server, held, migrations) in answers.items():
            if server is None or server.get("OS-EXT-STS:vm_state") in mapping.GONE_STATES:
                _remove(uuid, work)
                if storable := lookups.hosts.storable(held):
                    # Deleted softly: it may be restored, and keeps its room until then.
                    work.put_consumer(unknown_consumer(uuid, storable))
                continue
            try:
                holding = [m for m in migrations if m.held]
                placed = place(server, held, holding, lookups, _mark(wanted[uuid], uuid, work))
            except MISSHAPEN as error:
                # A stub, as from a cell that does not answer: what is known stays.
                work.failed.append(CloudError(f"server {uuid} {misshapen(error)}"))
                continue
            self._stage(placed, server, work)
            # A synchronisation that came upon it at its end did not know whose it was.
            for migration in migrations:
                if not migration.held:
                    work.remove_consumer(migration.uuid)

    def _stage(self, placed: Placed, server: Answer, work: Work) -> None:
        instance = placed.instance
        known = work.consumer(instance.uuid)
        if known is not None and instance.server_group is None:
            # Membership is for life, and old versions of the API do not show it.
            instance = replace(instance, server_group=known.server_group)
        kept = {migration.uuid for migration in placed.migrations}
        for uuid in _migrations_of(instance.uuid, work):
            if uuid not in kept:
                work.remove_consumer(uuid)
        for migration in placed.migrations:
            work.put_consumer(migration)
        work.put_consumer(instance)
        settled = instance.state == "resized" or server.get("OS-EXT-STS:task_state")
        if not settled and (placed.migrations or placed.disagreements):
            work.later.add(Later(self, instance.uuid))


def _mark(at: datetime, uuid: str, work: Work) -> dict[str, Any]:
    known = work.consumer(uuid)
    before = mark_of(known.extra) if known is not None else None
    if before is None:
        return {EVENT: Mark(at).as_extra()}
    return {EVENT: Mark(max(at, before.at), before.updated).as_extra()}


def _ask(
    cloud: Connection, uuids: list[str]
) -> dict[str, tuple[Answer | None, Allocations, list[Migration]]]:
    """Return servers, what they hold, and of each the latest migration with what it holds."""
    questions: tuple[Callable[[Connection, str], Any], ...] = (
        queries.server,
        queries.allocations_of,
        queries.migrations_of,
    )
    found = cloud.gather_all(
        lambda asked: asked[0](cloud, asked[1]), itertools.product(questions, uuids)
    )
    count = len(uuids)
    servers, allocations, migrations = (found[i * count : (i + 1) * count] for i in range(3))
    # Of a server's migrations only the latest can hold anything.
    latest = {
        uuid: max(of_server, key=lambda m: (m["created_at"], m["id"]))["uuid"]
        for uuid, of_server in zip(uuids, migrations, strict=True)
        if of_server
    }
    moving = cloud.gather_all(lambda uuid: queries.allocations_of(cloud, uuid), latest.values())
    held = {
        server: [Migration(uuid, server, _resources(answer))]
        for (server, uuid), answer in zip(latest.items(), moving, strict=True)
    }
    return {
        uuid: (server, _resources(own), held.get(uuid, []))
        for uuid, server, own in zip(uuids, servers, allocations, strict=True)
    }


def _resources(allocations: Answer) -> Allocations:
    return {provider: allocation["resources"] for provider, allocation in allocations.items()}


INSTANCES = InstanceRereader()
