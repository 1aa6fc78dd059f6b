"""A what-if session: a base view and an ordered list of deltas.

The same class runs inside the service and inside a strategy's worker. It never copies the graph;
what it holds and what it costs grow with its deltas. Life cycle (time to live, persistence,
status) is the registry's business (`registry`).
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import NotFound, NothingToUndo, TachyonError
from tachyon.graph.deltas import Delta, Move
from tachyon.graph.entities import Allocations, ResourceProvider
from tachyon.graph.simulation import recording
from tachyon.graph.simulation.destinations import Destinations, destinations
from tachyon.graph.simulation.evaluation import Evaluation, evaluate_each, evaluate_moves
from tachyon.graph.simulation.filters import DEFAULT, Chain
from tachyon.graph.simulation.metrics import ClassMetrics, class_metrics
from tachyon.graph.simulation.state import Effect, VirtualState
from tachyon.graph.view.columns import I32, I64, Bool, frozen
from tachyon.graph.view.view import View


class Placement(Struct, frozen=True):
    """Where a consumer is in a session: the uuid of its host (None: nowhere), and what it holds."""

    host: str | None
    allocations: Allocations


class Usage(Struct, frozen=True):
    """What is used of one class on one provider, in the class's unit."""

    used: float
    capacity: float

    @property
    def free(self) -> float:
        """What is left; negative on an overcommitted provider."""
        return self.capacity - self.used


class Session:
    """A view with deltas on top. Not safe to use from several threads at once."""

    __slots__ = ("_arrivals", "_deltas", "_effects", "id", "state", "view")

    def __init__(self, view: View, session_id: str | None = None) -> None:
        self.id = session_id or str(uuids.uuid4())
        self.view = view
        self.state = VirtualState(view)
        self._deltas: list[Delta] = []
        self._effects: list[tuple[Effect, ...]] = []
        self._arrivals: tuple[int, dict[int, int]] | None = None

    @property
    def base_generation(self) -> int:
        """The generation of the graph on which the session stands."""
        return self.view.generation

    @property
    def deltas(self) -> tuple[Delta, ...]:
        """The deltas in effect, oldest first."""
        return tuple(self._deltas)

    @property
    def delta_count(self) -> int:
        """How many deltas are in effect."""
        return len(self._deltas)

    def record(self, delta: Delta) -> None:
        """Record one delta.

        Raises:
            ProviderNotFound, ConsumerNotFound, NotPlacedThere, InventoryMissing, UnitViolation,
            CapacityExceeded, InvalidInput: as `recording.apply` says; nothing is recorded then.
        """
        self._effects.append(recording.apply(self.state, delta))
        self._deltas.append(delta)
        self._arrivals = None

    def record_many(self, deltas: Iterable[Delta]) -> None:
        """Record deltas in order, all of them or none.

        An error carries the `position` of the delta that was refused in its details.
        """
        with self._all_or_none():
            for delta in deltas:
                self.record(delta)

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        before = len(self._deltas)
        try:
            yield
        except TachyonError as error:
            position = len(self._deltas) - before
            self.undo(position)
            error.details["position"] = position
            raise

    def record_moves(self, consumers: Sequence[int], targets: Sequence[int]) -> None:
        """Record moves of consumers to hosts, given as rows, in order, all of them or none.

        As `record_many` of as many `Move`s, and faster.
        """
        uuid, state = self.view.providers.uuid, self.state
        self._arrivals = None
        with self._all_or_none():
            for row, target in zip(consumers, targets, strict=True):
                move = Move(consumer_uuid=state.consumer_uuid(row), to_provider=uuid[target])
                self._effects.append(recording.apply_move(state, move, row, target))
                self._deltas.append(move)

    def undo(self, count: int = 1) -> list[Delta]:
        """Take back the last `count` deltas; returns them, newest first.

        Raises:
            NothingToUndo: there are fewer.
        """
        if count > len(self._deltas):
            raise NothingToUndo(
                f"{count} deltas to undo, the session holds {len(self._deltas)}",
                asked=count,
                held=len(self._deltas),
            )
        undone: list[Delta] = []
        for _ in range(count):
            recording.revert(self.state, self._effects.pop())
            undone.append(self._deltas.pop())
        self._arrivals = None
        return undone

    def fork(self, session_id: str | None = None) -> Session:
        """Return a new session that starts from this one's virtual state, sharing its deltas."""
        other = Session(self.view, session_id)
        other.state = self.state.copy()
        other._deltas = list(self._deltas)
        other._effects = list(self._effects)
        return other

    def base(self) -> Session:
        """Return an empty session on the same view."""
        return Session(self.view)

    def host(self, consumer_uuid: str) -> str | None:
        """Return the uuid of a consumer's host, None when it is placed nowhere."""
        home = self.state.home(self.state.consumer_row(consumer_uuid))
        return None if home < 0 else self.view.providers.uuid[home]

    def placement(self, consumer_uuid: str) -> Placement:
        """Return where a consumer is and what it holds; raises `ConsumerNotFound`."""
        return self._placement(self.state.consumer_row(consumer_uuid))

    def _placement(self, row: int) -> Placement:
        home = self.state.home(row)
        return Placement(
            host=None if home < 0 else self.view.providers.uuid[home],
            allocations=self.view.named_parts(self.state.parts(row)),
        )

    def placements(self, consumers: Iterable[str] | None = None) -> dict[str, Placement]:
        """Return placements by consumer uuid, of all consumers or of those named."""
        state = self.state
        if consumers is not None:
            return {uuid: self.placement(uuid) for uuid in consumers}
        rows = chain(self.view.consumer_order.tolist(), self._new_rows())
        return {state.consumer_uuid(row): self._placement(row) for row in rows}

    def _new_rows(self) -> range:
        first = self.view.consumer_rows
        return range(first, first + len(self.state.new))

    def used(self, provider_uuid: str) -> dict[str, int]:
        """Return a provider's usage by resource class (those it has an inventory of)."""
        row = self.view.provider_row(provider_uuid)
        used = self.state.used_row(row)
        return {name: used[column] for name, column in self.view.stocked(row)}

    def usage(self, provider_uuid: str) -> dict[str, Usage]:
        """Return a provider's usage and capacity by class and metric; raises `ProviderNotFound`."""
        return self._usage(self.view.provider_row(provider_uuid))

    def _usage(self, row: int) -> dict[str, Usage]:
        used = self.state.used_row(row)
        return {
            name: Usage(used[column] if scale == 1 else used[column] / scale, capacity)
            for name, column, scale, capacity in self.view.shown(row)
        }

    def usages(self, providers: Iterable[str] | None = None) -> dict[str, dict[str, Usage]]:
        """Return usages by provider uuid, of all providers or of those named."""
        if providers is not None:
            return {uuid: self.usage(uuid) for uuid in providers}
        uuid = self.view.providers.uuid
        return {uuid[row]: self._usage(row) for row in self.view.provider_order.tolist()}

    def used_matrix(self) -> I64:
        """Return the usage of all providers as the view's P × C matrix, read-only.

        It is the session's own and follows what is recorded; copy it to keep it.
        """
        return frozen(self.state.used().view())

    def homes(self) -> I32:
        """Return by consumer row of the view the provider row of its host (−1: nowhere), read-only.

        It is the session's own and follows what is recorded; copy it to keep it.
        """
        return frozen(self.state.homes().view())

    def consumers_of(self, provider_uuid: str) -> list[str]:
        """Return the consumers that hold something on a provider, in the order of arrival.

        Those that deltas placed come last, in the order of the deltas.
        """
        uuid = self.state.consumer_uuid
        return [uuid(row) for row in self.consumer_rows_of(self.view.provider_row(provider_uuid))]

    def consumer_rows_of(self, provider_row: int) -> list[int]:
        """Return the rows of the consumers that hold something on a provider; see above."""
        state = self.state
        arrivals = self._arrival_order()
        staying = [row for row in self.view.holders.of(provider_row) if row not in arrivals]
        return staying + [
            row for row in arrivals if any(at == provider_row for at, _ in state.parts(row))
        ]

    def arrivals(self) -> list[int]:
        """Return the rows of consumers that deltas placed, in the order of their last delta."""
        return list(self._arrival_order())

    def _arrival_order(self) -> dict[int, int]:
        """Return the consumers that deltas placed, in the order of their last delta."""
        known = self._arrivals
        if known is None or known[0] != len(self._effects):
            order: dict[int, int] = {}
            for position, effects in enumerate(self._effects):
                for kind, row, _ in effects:
                    if kind == "place":
                        order.pop(row, None)
                        order[row] = position
            known = self._arrivals = (len(self._effects), order)
        return known[1]

    def provider(self, uuid: str) -> ResourceProvider:
        """Return a provider's record as it is in the session; raises `ProviderNotFound`."""
        row = self.view.provider_row(uuid)
        return replace(self.view.provider_at(row), **self.state.fields.get(row, {}))

    def mask(
        self,
        *,
        types: Iterable[str] | None = None,
        in_service: bool = False,
        providers: Iterable[str] | None = None,
    ) -> Bool:
        """Return a mask over provider rows: of some types, in service in this session, or named."""
        mask = self.view.provider_mask(types=types, uuids=providers)
        return mask & self.state.in_service() if in_service else mask

    def metrics(self, mask: Bool | None = None) -> dict[str, ClassMetrics]:
        """Return the load metrics of each class, over all providers or those in a mask."""
        return class_metrics(self.view, self.state.used(), mask)

    def destinations(
        self,
        consumer_uuid: str,
        limits: Mapping[str, float] | None = None,
        filters: Chain = DEFAULT,
    ) -> Destinations:
        """Find where a consumer could go; see `destinations.destinations`."""
        return destinations(self.state, self.state.consumer_row(consumer_uuid), limits, filters)

    def evaluate(
        self, candidates: Sequence[Delta | Sequence[Delta]], mask: Bool | None = None
    ) -> Evaluation:
        """Judge candidates (a delta each, or a list of deltas) from this state, recording none.

        Single moves of consumers that stand whole on their host are judged all at once.

        Raises:
            ProviderNotFound, ConsumerNotFound: a candidate names what is unknown.
        """
        rows = self._simple_moves(candidates)
        if rows is not None:
            return evaluate_moves(self.state, rows[0], rows[1], mask)
        return evaluate_each(self.state, [self._attempt(c) for c in candidates], mask)

    def evaluate_moves(self, consumers: I64, targets: I64, mask: Bool | None = None) -> Evaluation:
        """Judge moves given as rows; every consumer must stand whole on its host."""
        return evaluate_moves(self.state, consumers, targets, mask)

    def _simple_moves(
        self, candidates: Sequence[Delta | Sequence[Delta]]
    ) -> tuple[I64, I64] | None:
        state, tree = self.state, self.view.tree
        consumers: list[int] = []
        targets: list[int] = []
        for candidate in candidates:
            if not isinstance(candidate, Move) or candidate.overcommit:
                return None
            row = state.consumer_row(candidate.consumer_uuid)
            target = self.view.provider_row(candidate.to_provider)
            home = state.simple_home(row)
            named = candidate.from_provider
            if (
                home < 0
                or tree.has_children(target)
                or tree.hosts[target] != target
                or (named is not None and self.view.provider_row(named) != home)
            ):
                return None
            consumers.append(row)
            targets.append(target)
        return np.array(consumers, np.int64), np.array(targets, np.int64)

    def _attempt(self, candidate: Delta | Sequence[Delta]) -> Callable[[], bool]:
        deltas = list(candidate) if isinstance(candidate, Sequence) else [candidate]
        recorded = False

        def attempt() -> bool:
            nonlocal recorded
            if recorded:
                self.undo(len(deltas))
                recorded = False
                return True
            try:
                self.record_many(deltas)
            except NotFound:
                raise
            except TachyonError:
                return False
            recorded = True
            return True

        return attempt
