"""Random feasible moves on a cluster, the same for Tachyon and the peer."""

from __future__ import annotations

import numpy as np

from tachyon.errors import TachyonError
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view import View


def feasible_moves(view: View, count: int, seed: int = 0) -> list[Move]:
    """Return moves of different consumers that can be recorded in this order."""
    rng = np.random.default_rng(seed)
    session = Session(view)
    hosts = np.flatnonzero(view.provider_mask(types=["compute"]))
    placed = view.consumer_order[view.consumers.home[view.consumer_order] >= 0]
    instance = view.codes.type.find("instance")
    placed = placed[view.consumers.type[placed] == instance]
    moves: list[Move] = []
    for row in rng.permutation(placed).tolist():
        uuid = view.consumers.uuid[row]
        target = view.providers.uuid[int(rng.choice(hosts))]
        move = Move(consumer_uuid=uuid, to_provider=target, from_provider=session.host(uuid))
        try:
            session.record(move)
        except TachyonError:
            continue
        moves.append(move)
        if len(moves) == count:
            break
    return moves
