"""Nova's events about what hosts and servers refer to: aggregates, server groups, flavors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import cast

from tachyon.graph.entities import Entity, Flavor, Kind
from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import compute as mapping
from tachyon.openstack.mapping.answers import Answer
from tachyon.openstack.notifications.contract import Handler, Outcome, Rereader
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.work import Work


class AggregateHandler(Handler):
    """Handles `aggregate.*`: all aggregates and zones are read, in two requests."""

    model = "compute"
    pattern = r"aggregate\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about an aggregate."""
        if event.phase == "start":
            return Outcome.IGNORED
        return _demand(work, AGGREGATES, "", event)


class ServerGroupHandler(Handler):
    """Handles `server_group.*`."""

    model = "compute"
    pattern = r"server_group\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a server group."""
        return _demand(work, SERVER_GROUPS, event.text("uuid"), event)


class FlavorHandler(Handler):
    """Handles `flavor.*`."""

    model = "compute"
    pattern = r"flavor\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a flavor."""
        return _demand(work, FLAVORS, event.text("flavorid"), event)


def _demand(work: Work, rereader: Rereader, key: str, event: Event) -> Outcome:
    if work.is_old("compute", event.at):
        return Outcome.OLD
    work.read_again(rereader, key, event.at)
    return Outcome.READ_AGAIN


class AggregateRereader(Rereader):
    """Reads all aggregates, and the zones of all hosts, which follow from them."""

    order = 10

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read aggregates again."""
        answers = queries.aggregates(cloud)
        zones = {s["host"]: s.get("zone") for s in queries.compute_services(cloud)}
        found = {a["name"]: mapping.aggregate(a) for a in answers}
        for name in work.records("host_aggregate").keys() - found.keys():
            work.put_record("host_aggregate", name, None)
        for name, aggregate in found.items():
            _put_changed(work, "host_aggregate", name, aggregate)
        of_hosts = mapping.aggregates_of_hosts(answers)
        for host in [p for p in work.providers() if p.type == "compute"]:
            aggregates = tuple(of_hosts.get(host.name, ()))
            zone = zones.get(host.name, host.availability_zone)
            if (aggregates, zone) != (host.aggregates, host.availability_zone):
                work.patch_provider(host.uuid, aggregates=aggregates, availability_zone=zone)


class RecordRereader(Rereader):
    """Reads records of one kind by their key; those that are gone are removed."""

    order = 10

    def __init__(
        self,
        kind: Kind,
        ask: Callable[[Connection, str], Answer | None],
        build: Callable[[Answer], Entity],
    ) -> None:
        self._kind = kind
        self._ask = ask
        self._build = build

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read records again."""
        answers = cloud.gather_all(lambda key: self._ask(cloud, key), wanted)
        for key, answer in zip(wanted, answers, strict=True):
            if answer is None:
                work.put_record(self._kind, key, None)
            else:
                _put_changed(work, self._kind, key, self._build(answer))


def _put_changed(work: Work, kind: Kind, key: str, record: Entity) -> None:
    if work.records(kind).get(key) != record:
        work.put_record(kind, key, record)


def read_missing_flavors(
    cloud: Connection, names: Iterable[str | None], work: Work
) -> dict[str, str]:
    """Return the ids of flavors by name; all are read when one of `names` is not known."""
    known = cast(dict[str, Flavor], work.records("flavor"))
    ids = {flavor.name: id for id, flavor in known.items() if flavor.vcpus}
    if any(name not in ids for name in names if name):
        for answer in queries.flavors(cloud):
            flavor = mapping.flavor(answer)
            ids[flavor.name] = flavor.id
            _put_changed(work, "flavor", flavor.id, flavor)
    return ids


AGGREGATES = AggregateRereader()
SERVER_GROUPS = RecordRereader("server_group", queries.server_group, mapping.server_group)
FLAVORS = RecordRereader("flavor", queries.flavor, mapping.flavor)
