"""Random draws and placement, vectorised; every function is deterministic in its generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: How far apart the weights of the most and the least liked bin are at skew 1 (a power of e).
_SKEW_SPAN = 8.0
_ROUNDS_MAX = 64


def uuids(count: int, rng: np.random.Generator) -> list[str]:
    """Return random uuids of version 4."""
    raw = np.frombuffer(rng.bytes(16 * count), dtype=np.uint8).reshape(count, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    text = raw.tobytes().hex()
    return [
        f"{text[i : i + 8]}-{text[i + 8 : i + 12]}-{text[i + 12 : i + 16]}-"
        f"{text[i + 16 : i + 20]}-{text[i + 20 : i + 32]}"
        for i in range(0, 32 * count, 32)
    ]


def choose(shares: Sequence[float] | Floats, count: int, rng: np.random.Generator) -> Ints:
    """Return `count` indexes into `shares`, each as often as its share says."""
    bounds = np.cumsum(np.asarray(shares, dtype=float))
    drawn = np.searchsorted(bounds, rng.random(count) * bounds[-1], side="right")
    chosen: Ints = np.minimum(drawn, len(shares) - 1).astype(np.int64)
    return chosen


def rank_within(groups: Ints) -> Ints:
    """Return for each element how many elements before it are of the same group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])[: len(ordered)]
    lengths = np.diff(np.r_[starts, len(ordered)])
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return ranks


def place(
    demands: Ints, room: Ints, open_bins: NDArray[np.bool_], skew: float, rng: np.random.Generator
) -> Ints | None:
    """Place items into bins without ever exceeding one.

    Args:
        demands: shape (items, classes): what each item takes.
        room: shape (bins, classes): what each bin can take in all.
        open_bins: shape (bins,): which bins may be used.
        skew: 0 shares items out by the size of the bins; 1 fills some and leaves others.
        rng: of the random numbers.

    Returns:
        The bin of each item, or None where some item fits nowhere any more.
    """
    share = (room / np.maximum(room.sum(axis=0), 1)).mean(axis=1)
    weights = share * np.exp(-_SKEW_SPAN * skew * rng.random(len(room))) * open_bins
    free = room.copy()
    places = np.full(len(demands), -1, dtype=np.int64)
    left = rng.permutation(len(demands))
    liked = weights.copy()
    for _ in range(_ROUNDS_MAX):
        bounds = np.cumsum(liked)
        if not len(left) or bounds[-1] <= 0:
            break
        # Stratified: with equal weights, every bin gets its share of items to within one.
        points = (np.arange(len(left)) + rng.random()) / len(left) * bounds[-1]
        wanted = np.minimum(np.searchsorted(bounds, points, side="right"), len(room) - 1)
        taken = np.cumsum(demands[left], axis=0)
        starts = np.searchsorted(wanted, wanted, side="left")
        before = np.where(starts[:, None] > 0, taken[starts - 1], 0)
        fits = np.all(taken - before <= free[wanted], axis=1) & (liked[wanted] > 0)
        np.subtract.at(free, wanted[fits], demands[left[fits]])
        places[left[fits]] = wanted[fits]
        liked[wanted[~fits]] = 0
        left = left[~fits]
    return places if _first_fit(left, places, demands, free, weights) else None


def _first_fit(left: Ints, places: Ints, demands: Ints, free: Ints, weights: Floats) -> bool:
    """Place what is left, large items first, each into the likeliest bin that has room."""
    bins = np.argsort(-weights, kind="stable")
    bins = bins[weights[bins] > 0]
    for item in left[np.argsort(-demands[left].sum(axis=1), kind="stable")]:
        fitting = np.flatnonzero(np.all(free[bins] >= demands[item], axis=1))
        if not len(fitting):
            return False
        chosen = bins[fitting[0]]
        free[chosen] -= demands[item]
        places[item] = chosen
    return True
