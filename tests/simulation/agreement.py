"""Puts the same questions to a session and to its naive model, and compares the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tachyon.errors import TachyonError
from tachyon.graph.deltas import PROVIDER_FIELDS, Delta
from tachyon.graph.simulation import Comparison, Evaluation, Session
from tachyon.graph.simulation.evaluation import METRICS
from tests.simulation.naive import Refused
from tests.simulation.naive_session import Metrics, NaiveSession

#: Facts that an error's details must hold alike; `errors` are words for people.
FACTS = (
    "provider", "resource_class", "available", "required", "rule", "consumer", "placed_on",
    "position", "asked", "held",
)  # fmt: skip

Outcome = tuple[str, Any]


def outcome(action: Callable[[], object]) -> Outcome:
    """What an action led to: ("ok", its result), or the code of its error with the facts."""
    try:
        return "ok", action()
    except TachyonError as error:
        return error.code, _facts(error.details)
    except Refused as refused:
        return refused.code, _facts(refused.details)


def _facts(details: dict[str, Any]) -> dict[str, Any]:
    facts = {name: details[name] for name in FACTS if name in details}
    if "placed_on" in facts:
        facts["placed_on"] = sorted(facts["placed_on"])
    return facts


def recorded_alike(session: Session, naive: NaiveSession, deltas: Sequence[Delta]) -> Outcome:
    """Record deltas in both, which must lead to the same; returns the outcome."""
    ours = outcome(lambda: session.record_many(deltas))
    assert ours == outcome(lambda: naive.record(deltas))
    return ours


def answers(session: Session) -> dict[str, Any]:
    """Every answer of a session that does not depend on a parameter, as plain values."""
    return {
        "placements": {uuid: (p.host, p.allocations) for uuid, p in session.placements().items()},
        "usages": {
            uuid: {name: (u.used, u.capacity) for name, u in usage.items()}
            for uuid, usage in session.usages().items()
        },
        "fields": {
            uuid: {name: getattr(session.provider(uuid), name) for name in PROVIDER_FIELDS}
            for uuid in session.usages()
        },
        "metrics": _metrics(session.metrics()),
    }


def naive_answers(naive: NaiveSession) -> dict[str, Any]:
    return {
        "placements": naive.placements(),
        "usages": naive.usages(),
        "fields": naive.fields(),
        "metrics": naive.metrics(),
    }


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name in ("placements", "usages", "fields"):
        assert ours[name] == theirs[name], name
    assert_metrics(ours["metrics"], theirs["metrics"])


def _metrics(found: Any) -> Metrics:
    return {
        name: {field: getattr(m, field) for field in m.__struct_fields__}
        for name, m in found.items()
    }


def assert_metrics(ours: Metrics, theirs: Metrics) -> None:
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        if _cancels(expected):
            expected = {**expected, "imbalance": ours[name]["imbalance"]}
        assert ours[name] == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def _cancels(expected: dict[str, float]) -> bool:
    """Whether loads above and below zero cancel, so that max / mean is anybody's guess."""
    return abs(expected["mean"]) < 1e-9 and expected["min"] < 0


def assert_masked_metrics(session: Session, naive: NaiveSession, counted: list[str]) -> None:
    mask = session.mask(providers=counted)
    assert_metrics(_metrics(session.metrics(mask)), naive.metrics(counted))


def assert_consumers(session: Session, naive: NaiveSession) -> None:
    """Consumers of each provider come in the order of arrival."""
    for provider in naive.graph.providers:
        ours = session.consumers_of(provider)
        for group in naive.consumers_of(provider):
            assert set(ours[: len(group)]) == set(group), provider
            ours = ours[len(group) :]
        assert not ours, provider


def assert_destinations(
    session: Session, naive: NaiveSession, consumer: str, limits: dict[str, float] | None = None
) -> None:
    """The same hosts are free to go to, and the others are refused for the same reasons."""
    ours = outcome(lambda: session.destinations(consumer, limits))
    theirs = outcome(lambda: naive.destinations(consumer, limits))
    if theirs[0] != "ok":
        assert ours == theirs
        return
    assert ours[0] == "ok"
    found = ours[1]
    codes = {uuid: {r.code for r in refusals} for uuid, refusals in found.refusals().items()}
    for uuid, reasons in codes.items():
        if "current" in reasons:
            codes[uuid] = {"current"}
    assert codes == {uuid: reasons for uuid, reasons in theirs[1].items() if reasons}
    assert set(found.uuids) == {uuid for uuid, reasons in theirs[1].items() if not reasons}


def assert_evaluation(
    found: Evaluation, expected: list[tuple[bool, Metrics | None]], classes: Sequence[str]
) -> None:
    """The same candidates are feasible, with the same metrics after each.

    Metrics of one that is not may be unknown (NaN), but not wrong.
    """
    assert found.feasible.tolist() == [feasible for feasible, _ in expected]
    for metric in METRICS:
        table = found.metric(metric).tolist()
        for row, (feasible, values) in zip(table, expected, strict=True):
            for value, name in zip(row, classes, strict=True):
                known = value == value
                if feasible or (known and values is not None):
                    assert values is not None
                    if metric == "imbalance" and _cancels(values[name]):
                        continue
                    assert value == pytest.approx(values[name][metric], rel=1e-9, abs=1e-9), (
                        metric,
                        name,
                    )


def differences(found: Comparison) -> tuple[dict[str, Any], dict[str, Any]]:
    def place(placement: Any) -> Any:
        return None if placement is None else (placement.host, placement.allocations)

    return (
        {uuid: (place(d.left), place(d.right)) for uuid, d in found.placements.items()},
        {uuid: (d.left, d.right) for uuid, d in found.providers.items()},
    )
