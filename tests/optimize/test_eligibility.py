"""What strategies work out for all hosts at once is what sessions answer one by one."""

from __future__ import annotations

import numpy as np
import pytest

from tachyon.graph.simulation import Session
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.packing import Packer
from tests.optimize.clusters import SHAPES, cluster, view_of

FLAT = [name for name in SHAPES if "nested" not in name]


@pytest.mark.parametrize("shape", FLAT)
def test_the_packer_allows_exactly_the_destinations_of_the_session(shape: str) -> None:
    view = view_of(cluster(shape, 1))
    session = Session(view)
    limits = {"VCPU": 0.7, **{m.name: 0.5 for m in view.metrics}}
    eligibility = Eligibility(session)
    packer = Packer(eligibility, limits)
    for row in np.flatnonzero(eligibility.movable)[:120].tolist():
        expected = set(session.destinations(view.consumers.uuid[row], limits).rows.tolist())
        found = set(packer.rows[packer.fits(row)].tolist()) - {session.state.home(row)}
        assert found == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_undone_leaves_no_trace(shape: str) -> None:
    view = view_of(cluster(shape, 2))
    session = Session(view)
    eligibility = Eligibility(session)
    packer = Packer(eligibility, {})
    before = packer.free.copy()
    mark = packer.mark()
    placed = 0
    for row in np.flatnonzero(eligibility.movable)[:30].tolist():
        at = int(packer.position[session.state.home(row)])
        packer.open_only(np.ones(session.view.provider_rows, np.bool_))
        if at >= 0:
            packer.set_open(session.state.home(row), wanted=False)
        placed += packer.place(row) >= 0
    assert placed
    assert session.delta_count == placed
    packer.back_to(mark)
    assert session.delta_count == 0
    assert np.array_equal(packer.free, before)
    assert np.array_equal(session.used_matrix(), view.used)
