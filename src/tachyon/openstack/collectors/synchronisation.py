"""A full synchronisation of one model: read, put into the graph in one transaction, keep account.

What events changed while the cloud was being read is newer and stays. What a *late* event changed
meanwhile (one sent before the reading began) is older, and is put right in a second step.

The account is a provider of type "collector" in the graph: its state is `down` after a failed
synchronisation; its `extra` says when the model was read, what could not be had, and what services
disagree about. So every process, and whoever reads the graph, sees how fresh a model is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import Conflict, GenerationConflict, TachyonError
from tachyon.graph.client import GraphClient
from tachyon.graph.entities import AvailabilityZone, Entity, ResourceProvider, key_of
from tachyon.graph.mutations import Cluster, Expected, PutConsumer
from tachyon.graph.view import View
from tachyon.openstack.collectors.contract import Collector, Reading
from tachyon.openstack.collectors.marks import is_marked, mark_of
from tachyon.openstack.connection import Connection

LOG = logging.getLogger(__name__)

R = TypeVar("R", bound=Entity)

#: Type of the providers that keep the account of the collectors.
ACCOUNT_TYPE = "collector"
#: Seconds by which the clocks of the cloud's hosts and ours may differ.
CLOCK_TOLERANCE = 5.0
#: How often a transaction is made anew for others who wrote no records: events may come all the
#: time, and seldom is one of a record, which the next synchronisation would put right.
_HARMLESS = 3


class Synchronised(Struct, frozen=True, kw_only=True):
    """The outcome of a synchronisation.

    `changed` counts entities; `seconds` is how long it took, `requests` how many it needed of the
    whole connection meanwhile.
    """

    collector: str
    generation: int
    changed: int
    seconds: float
    requests: int
    reading: Reading


def account_key(collector: str) -> str:
    """Return the uuid of a collector's account in the graph."""
    return f"collector:{collector}"


def account(view: View, collector: str) -> ResourceProvider | None:
    """Return a collector's account, None before its first synchronisation."""
    row = view.providers.index.get(account_key(collector), -1)
    return view.providers.record[row] if 0 <= row < view.provider_rows else None


def read_since(view: View, collector: str) -> datetime | None:
    """Return the moment since which events tell news: the beginning of the last good reading.

    Reckoned with the tolerance of clocks; None before the first.
    """
    found = account(view, collector)
    at = found.extra.get("synchronised_at") if found is not None else None
    return datetime.fromisoformat(at) - timedelta(seconds=CLOCK_TOLERANCE) if at else None


def synchronise(
    collector: Collector,
    cloud: Connection,
    graph: GraphClient,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Synchronised:
    """Synchronise one model.

    Raises:
        CloudError: the cloud could not be read. The graph stays as it was; the account says so.
        StoreUnavailable: the graph could not be reached.
    """
    began, started = now(), time.monotonic()
    known = graph.view()
    before = sum(cloud.requests.values())
    try:
        reading = collector.read(cloud, known)
        applied = _apply(collector, reading, graph, known, _Timing(began, started))
    except TachyonError as error:
        _note_failure(collector, graph, began, error)
        raise
    _settle_late_events(reading, graph, known.generation, began)
    return Synchronised(
        collector=collector.name,
        generation=applied.generation,
        changed=applied.changed,
        seconds=time.monotonic() - started,
        requests=sum(cloud.requests.values()) - before,
        reading=reading,
    )


class _Timing(Struct, frozen=True):
    began: datetime
    started: float


def _apply(
    collector: Collector, reading: Reading, graph: GraphClient, known: View, timing: _Timing
) -> Any:
    """Write what was read, on records as they are at that moment.

    Entities carry generations, by which the store leaves alone what is newer. Records have none:
    the transaction is guarded by that of the graph, and made anew when others wrote meanwhile.
    """
    current, harmless = graph.view(), 0
    while True:
        try:
            return graph.synchronise(
                _cluster(collector, reading, known, current, timing),
                provider_types=collector.provider_types,
                consumer_types=collector.consumer_types,
                records=collector.records,
                since=known.generation,
                generation=current.generation if harmless < _HARMLESS else None,
            )
        except GenerationConflict:
            before, current = current, graph.view()
            harmless += all(before.records[k] == current.records[k] for k in collector.records)


def _cluster(
    collector: Collector, reading: Reading, known: View, current: View, timing: _Timing
) -> Cluster:
    cluster = _with_records(collector, reading.cluster, known, current)
    stale = sorted(set(reading.missing))
    account = _account(
        collector,
        "up",
        synchronised_at=timing.began.isoformat(),
        seconds=round(time.monotonic() - timing.started, 3),
        disagreements=dict(sorted(reading.disagreements.items())),
        missing=len(stale),
        missing_first=stale[:20],
    )
    return replace(cluster, providers=[*cluster.providers, account])


def _account(collector: Collector, state: Any, **extra: Any) -> ResourceProvider:
    key = account_key(collector.name)
    return ResourceProvider(uuid=key, name=key, type=ACCOUNT_TYPE, state=state, extra=extra)


def _note_failure(
    collector: Collector, graph: GraphClient, began: datetime, error: TachyonError
) -> None:
    try:
        last = account(graph.view(), collector.name)
        kept = dict(last.extra) if last is not None else {}
        kept |= {"failed_at": began.isoformat(), "error": error.message[:500]}
        graph.put_provider(_account(collector, "down", **kept))
    except TachyonError as second:
        LOG.warning("the failure of %s cannot be noted: %s", collector.name, second.message)


def _with_records(collector: Collector, read: Cluster, known: View, current: View) -> Cluster:
    """Return the cluster with the records that the graph shall have.

    Records carry no generation, so those that changed while the cloud was being read are told by
    comparing the graph before and after.
    """

    def merged(listed: list[R], before: Mapping[str, Entity], now: Mapping[str, Entity]) -> list[R]:
        mine = {key_of(record): record for record in listed}
        kept: list[Any] = []
        for key in dict.fromkeys([*mine, *now]):
            record = now.get(key)
            changed = record != before.get(key)
            theirs = record is not None and not collector.owns(record) and key not in mine
            chosen = record if changed or theirs else mine.get(key)
            if chosen is not None:
                kept.append(chosen)
        return kept

    records = {
        name: merged(getattr(read, name), known.records[kind], current.records[kind])
        for kind in collector.records
        for name in ("availability_zones" if kind == "availability_zone" else f"{kind}s",)
    }
    cluster = replace(read, **records)
    cluster.availability_zones = _zones(collector, cluster, current)
    return cluster


def _zones(collector: Collector, cluster: Cluster, current: View) -> list[AvailabilityZone]:
    """Return the zones that are described, and those that other models' providers name."""
    named = {zone.name for zone in cluster.availability_zones}
    named |= {
        p.availability_zone
        for p in current.providers.record
        if p is not None and p.availability_zone and p.type not in collector.provider_types
    }
    return [AvailabilityZone(name=name) for name in sorted(named)]


def _settle_late_events(reading: Reading, graph: GraphClient, since: int, began: datetime) -> None:
    """Put right what events sent before the reading changed while it went on."""
    view = graph.view()
    mutations: list[PutConsumer] = []
    expected: dict[str, int] = {}
    horizon = began - timedelta(seconds=CLOCK_TOLERANCE)
    for consumer in reading.cluster.consumers:
        row = view.consumers.index.get(consumer.uuid, -1)
        if row < 0 or not view.consumers.alive[row] or not is_marked(view, row):
            continue
        found = view.consumer_at(row)
        mark = mark_of(found.extra)
        if found.generation > since and mark is not None and mark.at < horizon:
            mutations.append(PutConsumer(consumer=consumer))
            expected[consumer.uuid] = found.generation
    if mutations:
        try:
            graph.apply(mutations, Expected(consumers=expected))
        except Conflict as conflict:
            # What is in the way came later still; the next synchronisation reads again.
            LOG.info("late events stay as they are: %s", conflict.message)
