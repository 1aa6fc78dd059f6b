"""The scope of the baremetal model: all of Ironic's nodes but those that are excluded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.optimize.scope.mask import ScopeMask
from tachyon.optimize.scope.rules import Rules, homes_in, of_type, with_parts
from tachyon.optimize.scope.schema import Rule


def evaluate(rules: Sequence[Rule], session: Session) -> ScopeMask:
    """Return what is in scope."""
    view = session.view
    nodes = session.mask(types=["baremetal"])
    found = Rules(rules, session, nodes)
    inside = nodes & ~found.providers(found.excluded("ironic_nodes"), nodes, "baremetal node")
    consumers = of_type(view, "instance") & homes_in(session, inside, unplaced=False)
    return ScopeMask(
        with_parts(view, inside, "baremetal"), consumers, np.zeros_like(consumers), found.warnings
    )
