"""Room that is kept up to date move by move is the room that a fresh look finds."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.optimize.folding import fold
from tachyon.optimize.strategies import fitting
from tachyon.optimize.strategies.descent import _Evenness
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.packing import Load, Packer
from tests.optimize.clusters import cluster, host, small, view_of, vm

#: Place the n-th movable instance by best fit or by a rank, go back to a mark, or set one.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["best", "ranked"]), st.integers(0, 10_000)),
        st.tuples(st.just("mark"), st.just(0)),
        st.tuples(st.just("back"), st.integers(0, 10_000)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("shape", ["groups", "zones", "nested", "measured"])
@given(steps=STEPS)
@settings(max_examples=15)
def test_room_is_that_of_a_fresh_look(shape: str, steps: list[tuple[str, int]]) -> None:
    view = view_of(cluster(shape, 4))
    session = Session(view)
    eligibility = Eligibility(session)
    demand = np.linspace(0.0, 1.0, view.consumer_rows)
    full = np.full(view.provider_rows, 5.0)

    def room(of: Session) -> Load:
        homes = of.homes()
        used = np.zeros(view.provider_rows)
        np.add.at(used, homes[homes >= 0], demand[homes >= 0])
        return Load(demand=demand, room=full - used, capacity=full)

    packer = Packer(eligibility, {}, [room(session)], vacate=True)
    movable = np.flatnonzero(eligibility.movable)
    marks = [0]
    for what, number in steps:
        if what == "mark":
            marks.append(packer.mark())
        elif what == "back":
            del marks[1 + number % len(marks) :]
            packer.back_to(marks[-1])
        else:
            row = int(movable[number % movable.size])
            rank = None if what == "best" else np.arange(packer.rows.size, dtype=float)
            before = session.state.home(row)
            target = packer.place(row, rank)
            assert target != before
            assert session.state.home(row) == (target if target >= 0 else before)
        fresh = Packer(Eligibility(session), {}, [room(session)], hosts=eligibility.targets)
        assert np.allclose(packer.free, fresh.free)
        assert np.allclose(packer.fullness(), fresh.fullness())
        assert packer.mark() == session.delta_count


def straightforward(
    packer: Packer, session: Session, row: int, rank: np.typing.NDArray[np.float64] | None
) -> int:
    """Place a consumer as `Packer.place` says, host by host on a fresh look."""
    eligibility, folded = Eligibility(session), fold(session)
    view, home = session.view, session.state.home(row)
    refused, disliked = eligibility.refused_now(row), eligibility.disliked_now(row)
    allowed = eligibility.allowed(int(eligibility.kind[row]))
    found: list[tuple[bool, float, int, int]] = []
    for at, target in enumerate(packer.rows.tolist()):
        fits, waste = packer.open[at] and allowed[target] and target != home, 0.0
        for column in range(len(view.classes)):
            amount = int(folded.view.consumers.demand[row, column])
            capacity = folded.view.capacity[target, column]
            share = packer.limits.get(
                view.classes[column], 1.0 if column < view.resource_columns else np.inf
            )
            if amount == 0 and view.classes[column] not in packer.limits:
                continue
            left = np.floor(capacity * share) - folded.used_matrix()[target, column] - amount
            fits = fits and left >= 0
            waste += (left * (1.0 / packer.norm[column])) ** 2 if amount and share < np.inf else 0.0
        worth = waste if rank is None else rank[at]
        if fits and worth < np.inf and (refused is None or not refused[target]):
            found.append((disliked is not None and bool(disliked[target]), worth, at, target))
    liked = [one for one in found if not one[0]] or found
    for _, _, _, target in sorted(liked):
        move = Move(
            consumer_uuid=session.state.consumer_uuid(row), to_provider=view.providers.uuid[target]
        )
        with contextlib.suppress(Conflict):
            session.record(move)
            return target
    return -1


#: Place one by best fit or a rank, all of some, close a host or open it.
PLACINGS = st.lists(
    st.tuples(
        st.sampled_from(["one", "all", "all", "close", "open"]),
        st.booleans(),
        st.lists(st.integers(0, 10_000), min_size=1, max_size=6),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    "shape", ["tight", "groups", "zones", "nested", "measured", "nested and measured", "storage"]
)
@given(placings=PLACINGS, few=st.booleans())
@settings(max_examples=12)
def test_consumers_go_where_the_straightforward_way_takes_them(
    shape: str, placings: list[tuple[str, bool, list[int]]], few: bool
) -> None:
    view = view_of(cluster(shape, 5))
    session, plain = Session(view), Session(view)
    limits = {"VCPU": 0.9} | {metric.name: 0.8 for metric in view.metrics}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "CLASSES", 2 if few else 256)
        packer = Packer(Eligibility(session), limits, vacate=True)
        movable = np.flatnonzero(packer.eligibility.movable)
        order = np.random.default_rng(1).permutation(packer.rows.size).astype(float)
        for what, ranked, numbers in placings:
            rank = order if ranked else None
            rows = list(dict.fromkeys(movable[[n % movable.size for n in numbers]].tolist()))
            if what in ("close", "open"):
                packer.set_open(int(packer.rows[numbers[0] % order.size]), wanted=what == "open")
            elif what == "one":
                assert packer.place(rows[0], rank) == straightforward(packer, plain, rows[0], rank)
            else:
                wanted: list[int] = []
                for row in rows:
                    wanted.append(straightforward(packer, plain, row, rank))
                    if wanted[-1] < 0:
                        plain.undo(len(wanted) - 1)
                        wanted = []
                        break
                assert packer.place_all(rows, rank) == wanted
            assert session.deltas == plain.deltas
            assert np.array_equal(session.used_matrix(), plain.used_matrix())


def test_a_host_that_is_admitted_takes_instances_until_it_is_shut() -> None:
    off = host("off", status="disabled", disabled_reason="watcher_disabled")
    session = Session(view_of(small([host("a"), off], [vm("x", "a")])))
    view = session.view
    eligibility = Eligibility(session)
    row, target = view.consumer_row("x"), view.provider_row("off")
    assert eligibility.reusable[target]
    packer = Packer(eligibility, {}, hosts=eligibility.targets | eligibility.reusable)
    assert packer.place(row) == -1
    packer.admit(target)
    assert packer.place(row) == target
    packer.back_to(0)
    packer.shut(target)
    assert packer.place(row) == -1


@given(moves=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=20))
@settings(max_examples=25)
def test_evenness_that_is_kept_is_that_of_all_loads(moves: list[tuple[int, int]]) -> None:
    view = view_of(cluster("skewed", 4))
    folded = fold(Session(view))
    hosts = folded.mask(types=["compute"])
    columns = np.array([view.column("VCPU"), view.column("MEMORY_MB")])
    kept = _Evenness(folded, hosts, columns, np.array([0.0, 0.0]))
    used = folded.used_matrix().copy()
    rows = np.flatnonzero(hosts)
    for number, to in moves:
        row = number % view.consumer_rows
        source, target = int(view.consumers.home[row]), int(rows[to % rows.size])
        demand = folded.view.consumers.demand[row]
        kept.shift(source, target, demand)
        used[source] -= demand
        used[target] += demand
    for at, column in enumerate(columns.tolist()):
        load = used[rows, column] / folded.view.capacity[rows, column]
        variance = kept._squares[at] / rows.size - (kept._sum[at] / rows.size) ** 2
        assert variance == pytest.approx(load.var(), abs=1e-9)
