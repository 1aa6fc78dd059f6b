"""What the writers of all models share: patches, allocations, and the order of transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from tachyon.errors import TachyonError
from tachyon.graph.deltas import Move
from tachyon.graph.entities import Allocations, Consumer, ResourceProvider
from tachyon.graph.mutations import (
    AnyMutation,
    PatchConsumer,
    PatchProvider,
    PutConsumer,
    PutProvider,
    RemoveConsumer,
    RemoveProvider,
)
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.model.backing.on_graph import Touched
from tachyon.optimize.model.layer import E, Layer, Source
from tachyon.optimize.model.records.oddities import KEY, of

#: Finds a provider as it will be after the transactions.
Find = Callable[[str], ResourceProvider | None]


def put_provider(before: ResourceProvider | None, after: ResourceProvider) -> Iterable[AnyMutation]:
    """Yield the mutation that makes a provider what it shall be, none when it is so."""
    if before is None:
        yield PutProvider(provider=after)
    elif changed := _changed(before, after):
        yield PatchProvider(uuid=after.uuid, **changed)


def put_consumer(before: Consumer | None, after: Consumer) -> Iterable[AnyMutation]:
    """Yield the mutation that makes a consumer what it shall be, none when it is so."""
    if before is None:
        yield PutConsumer(consumer=after)
    elif changed := _changed(before, after):
        yield PatchConsumer(uuid=after.uuid, **changed)


def _changed(before: Any, after: Any) -> dict[str, Any]:
    return {
        name: new
        for name, old, new in zip(
            before.__struct_fields__, astuple(before), astuple(after), strict=True
        )
        if old != new
    }


def allocate(
    wanted: Mapping[str, int],
    hosts: Sequence[str],
    find: Find,
    before: Consumer | None,
    stood: Sequence[str],
    held: Mapping[str, int],
    view: View,
) -> tuple[Allocations, list[str] | None]:
    """Return what a consumer holds so that it stands on hosts, as far as allocations say so.

    Args:
        wanted: amounts by class that the element says.
        hosts: uuids of where it stands in the model.
        find: finds providers.
        before: the consumer in the graph.
        stood: uuids of where that one stands in the graph.
        held: amounts by class that the graph's fields say of it.
        view: of the graph.

    Returns:
        The allocations, and the hosts when these do not say them.
    """
    same = before is not None and dict(wanted) == dict(held)
    if before is not None and same and list(hosts) == list(stood):
        allocations = before.allocations
    else:
        moved = _moved(before, hosts, find, view) if before is not None and same else None
        allocations = moved if moved is not None else _plain(wanted, hosts, find)
    told = list(allocations) if len(hosts) < 2 else None
    if len(hosts) == 1 and allocations:
        told = [_host(view, find, allocations)]
    return allocations, None if told == list(hosts) else list(hosts)


def _plain(wanted: Mapping[str, int], hosts: Sequence[str], find: Find) -> Allocations:
    found: Allocations = {}
    for host in hosts:
        provider = find(host)
        stocked = {} if provider is None else provider.inventories
        resources = {name: amount for name, amount in wanted.items() if amount and name in stocked}
        if resources:
            found[host] = resources
    return found


def _moved(before: Consumer, hosts: Sequence[str], find: Find, view: View) -> Allocations | None:
    """Return what a consumer holds after a move of all it holds on its host, None if none can."""
    if len(hosts) != 1 or not before.allocations:
        return None
    session = Session(view)
    try:
        session.record(Move(consumer_uuid=before.uuid, to_provider=hosts[0], overcommit=True))
    except TachyonError:
        return None
    allocations = session.placement(before.uuid).allocations
    for uuid, resources in allocations.items():
        provider = find(uuid)
        if provider is None or resources.keys() - provider.inventories.keys():
            return None
    return allocations


def _host(view: View, find: Find, allocations: Allocations) -> str:
    """Return where allocations say that a consumer stands."""
    index = view.providers.index
    rows = [row for uuid in allocations if 0 <= (row := index.get(uuid, -1)) < view.provider_rows]
    if len(rows) == len(allocations) and all(view.providers.alive[row] for row in rows):
        return view.providers.uuid[view.tree.home(rows)]
    # A host of this very batch: it has no children and is its own host.
    return next(uuid for uuid in allocations)


class Changes:
    """Gathers what was done to a model, kind by kind, and puts it into transactions.

    What was removed and added again under its key comes into the graph anew, behind all others: it
    is removed by a transaction before.
    """

    def __init__(self, view: View, touched: Touched) -> None:
        self.view = view
        self.touched = touched
        self._known: dict[str, ResourceProvider] = {}
        self._again: list[AnyMutation] = []
        self._puts: list[AnyMutation] = []
        self._removals: list[AnyMutation] = []
        self._consumers: dict[str, Placed] = {}

    def providers(
        self,
        layer: Layer[E],
        source: Source[E],
        cls: type[E],
        record: Callable[[E, ResourceProvider | None, int], ResourceProvider],
    ) -> None:
        """Gather elements that are providers; `record` takes element, provider before, its row."""
        for key in self.touched.keys(cls):
            element = layer.find(key)
            row = self._row(layer, source, key, RemoveProvider(uuid=key, cascade=True), element)
            if element is not None:
                before = self.view.provider_at(row) if row >= 0 else None
                after = self._known[key] = record(element, before, row)
                self._puts.extend(put_provider(before, after))

    def consumers(
        self,
        layer: Layer[E],
        source: Source[E],
        cls: type[E],
        placed: Callable[[E, Consumer | None, int], Placed],
    ) -> None:
        """Gather elements that are consumers; `placed` takes element, consumer before, its row."""
        for key in self.touched.keys(cls):
            element = layer.find(key)
            row = self._row(layer, source, key, RemoveConsumer(uuid=key), element)
            if element is not None:
                before = self.view.consumer_at(row) if row >= 0 else None
                self._consumers[key] = placed(element, before, row)

    def _row(
        self,
        layer: Layer[E],
        source: Source[E],
        key: str,
        removal: AnyMutation,
        element: E | None,
    ) -> int:
        """Return the row of what stays in the graph, −1 for what is new there."""
        row = source.row(key)
        if row >= 0 and layer.is_gone(key):
            (self._removals if element is None else self._again).append(removal)
            return -1
        return row

    def find(self, uuid: str) -> ResourceProvider | None:
        """Return a provider as it will be."""
        found = self._known.get(uuid)
        if found is None:
            row = self.view.providers.index.get(uuid, -1)
            if 0 <= row < self.view.provider_rows:
                found = self.view.providers.record[row]
        return found

    def transactions(self) -> list[list[AnyMutation]]:
        """Return the transactions, none of them empty."""
        start = self.view.generation + 1 + bool(self._again)
        first, *others = in_order(self._consumers, self.touched.placed, self.view, start)
        # Removals come last: what stood on a provider that goes has been taken from it by then.
        together = [self._again, [*self._puts, *first, *self._removals], *others]
        return [mutations for mutations in together if mutations]


class Placed(Struct):
    """A consumer as it is in the graph and as it shall be, with where it stands then and now."""

    before: Consumer | None
    after: Consumer
    stood: Sequence[str]
    stands: Sequence[str]

    @property
    def arrives(self) -> bool:
        """Whether it comes to stand somewhere."""
        before = self.before
        return bool(self.stands) and (
            before is None
            or before.allocations != self.after.allocations
            or list(self.stood) != list(self.stands)
        )


def in_order(
    consumers: Mapping[str, Placed], placed: Iterable[str], view: View, first: int
) -> list[list[AnyMutation]]:
    """Return transactions that put consumers so that they come to their hosts in order.

    The graph orders what stands on a host by transaction, and within one by the order in which it
    came into the graph. So most often one transaction does; another begins where a consumer comes
    to a host behind a younger one.

    Args:
        consumers: by key.
        placed: keys in the order in which they were placed.
        view: of the graph.
        first: the generation that the first transaction makes.
    """
    newest = int(view.consumers.position.max(initial=-1)) + 1
    position = {
        key: newest + at
        if one.before is None
        else view.consumers.position.item(view.consumer_row(key))
        for at, (key, one) in enumerate(consumers.items())
    }
    last: dict[str, int] = {}
    turn: dict[str, int] = {}
    at = 0
    for key in placed:
        one = consumers.get(key)
        if one is None or not one.arrives:
            continue
        if any(last.get(host, -1) > position[key] for host in one.stands):
            at += 1
            last = {}
        turn[key] = at
        last.update(dict.fromkeys(one.stands, position[key]))
    found: list[list[AnyMutation]] = [[] for _ in range(at + 1)]
    for key, one in consumers.items():
        when = turn.get(key, 0)
        before, after = one.before, _since(one, first + when)
        if when and before is None:
            before = Consumer(uuid=after.uuid, type=after.type)
            found[0].extend(put_consumer(None, before))
        found[when].extend(put_consumer(before, after))
    return found


def _since(one: Placed, generation: int) -> Consumer:
    """Return the consumer with the time since when it stands where allocations do not say."""
    odd = one.after.extra.get(KEY)
    if odd is None or odd.hosts is None:
        return one.after
    known = None if one.before is None else of(one.before.extra)
    kept = known is not None and known.hosts is not None and not one.arrives
    odd.since = known.since if known is not None and kept else generation
    return one.after
