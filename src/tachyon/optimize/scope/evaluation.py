"""From a scope to the masks of a session; called once when an audit starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import frozen
from tachyon.optimize.scope import baremetal, compute, storage
from tachyon.optimize.scope.mask import ScopeMask
from tachyon.optimize.scope.schema import Rule, check

Kind = Literal["compute", "storage", "baremetal"]

KINDS: Mapping[Kind, Callable[[Sequence[Rule], Session], ScopeMask]] = {
    "compute": compute.evaluate,
    "storage": storage.evaluate,
    "baremetal": baremetal.evaluate,
}


def evaluate(scope: Any, kind: Kind, session: Session) -> ScopeMask:
    """Return which rows of a session's view an audit is about.

    Args:
        scope: the audit's, in any form that `check` takes; None and `[]` stand for everything.
        kind: the model that is asked about; rules for other kinds do not matter to it.
        session: where the cluster is as it is or might be; placements are those of the session.

    Raises:
        ScopeInvalid: the scope is malformed. What it names and the cluster does not have is no
            error but a warning of the mask.
    """
    blocks = [entry[kind] for entry in check(scope) if entry.get(kind)]
    mask = KINDS[kind](blocks[0] if blocks else (), session)
    if len(blocks) > 1:
        mask.warnings.append(f"only the first {kind} block counts, {len(blocks) - 1} more ignored")
    return _frozen(mask)


def evaluate_all(scope: Any, session: Session) -> ScopeMask:
    """Return the rows of all kinds that an audit is about; see `evaluate`."""
    masks = [evaluate(scope, kind, session) for kind in KINDS]
    return _frozen(
        ScopeMask(
            providers=np.logical_or.reduce([mask.providers for mask in masks]),
            consumers=np.logical_or.reduce([mask.consumers for mask in masks]),
            excluded=np.logical_or.reduce([mask.excluded for mask in masks]),
            warnings=[warning for mask in masks for warning in mask.warnings],
        )
    )


def _frozen(mask: ScopeMask) -> ScopeMask:
    for array in (mask.providers, mask.consumers, mask.excluded):
        frozen(array)
    return mask
