"""Who stays because it is at the work that its owner describes, by workload characters.

Instances' metadata may hold a workload character (`tachyon.optimize.grammar`): performance units
with weights, "used to create a threshold to optimally run the workload" (specification "Define
grammar for workload characterization"). An instance whose units hold to that threshold, by
importance, is not moved: a migration would take the most from it just then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.grammar import characters_of
from tachyon.optimize.grammar.instances import MEASURED
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import MetricNeed, of_view
from tachyon.optimize.strategies.options import Schema

_PARAMETER = "character_threshold"

#: The parameter of strategies that heed characters.
PARAMETERS: Mapping[str, Schema] = {
    _PARAMETER: {
        "description": "Instances whose workload character (metadata workload_character) is "
        "fulfilled to this share or more, by the importance of its units, stay where they are; "
        "0: characters are not looked at.",
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0,
    }
}

#: Instances with a mistake in their text that are named.
_NAMED = 5


def needs(given: Mapping[str, Any]) -> tuple[MetricNeed, ...]:
    """Return what characters may ask about, by the parameters of a run; all of it optional."""
    if not given[_PARAMETER]:
        return ()
    period = given.get("period", 300)
    return tuple(
        MetricNeed(
            metric=metric,
            resource_type="instance",
            key=_key(metric),
            period=period,
            granularity=given.get("granularity", 300),
            optional=True,
        )
        for metric in sorted(set(MEASURED.values()))
    )


def at_work(session: Session, context: Context, given: Mapping[str, Any]) -> Bool | None:
    """Return which instances stay (N); None where characters are not looked at.

    What is not measured decides nothing; an instance of which nothing is known may be moved. Texts
    with a mistake are told in the context's warnings.
    """
    threshold = given.get(_PARAMETER, 0)
    if not threshold:
        return None
    view = session.view
    characters = characters_of(view)
    told = [
        f"workload character of instance {uuid}: {mistake}"
        for uuid, mistake in list(characters.mistakes.items())[:_NAMED]
    ]
    if len(characters.mistakes) > _NAMED:
        left = len(characters.mistakes) - _NAMED
        told.append(f"workload characters of {left} more instances have mistakes")
    # A strategy may ask more than once.
    context.warnings += [one for one in told if one not in context.warnings]
    columns = of_view(view)
    measured = {}
    for need in needs(given):
        asked = context.measurements
        values = None if asked is None else asked.get(need, view)
        plain = MetricNeed(metric=need.metric, resource_type="instance")
        measured[need.metric] = columns.get(plain, view) if values is None else values
    fulfilled = characters.fulfilment(view, measured)
    stays: Bool = np.nan_to_num(fulfilled, nan=-1.0) >= threshold
    return stays


def _key(metric: str) -> str:
    return f"{metric} of characters"
