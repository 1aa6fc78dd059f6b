"""The scope of the compute model: hosts by aggregate and zone, instances to leave alone."""

from __future__ import annotations

from collections.abc import Sequence

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.scope.mask import ScopeMask
from tachyon.optimize.scope.rules import Rules, homes_in, of_type, with_parts
from tachyon.optimize.scope.schema import Rule


def evaluate(rules: Sequence[Rule], session: Session) -> ScopeMask:
    """Return what is in scope; sharing providers always are, for hosts draw on them."""
    view = session.view
    hosts = session.mask(types=["compute"])
    found = Rules(rules, session, hosts)
    inside = found.included(
        {"host_aggregates": found.in_aggregates, "availability_zones": found.in_zones}
    )
    inside &= ~found.named(found.excluded("compute_nodes"), hosts, "compute node")
    if aggregates := found.excluded("host_aggregates"):
        inside &= ~found.in_aggregates(aggregates)
    instances = of_type(view, "instance")
    excluded: Bool = (
        found.consumers(found.excluded("instances"), instances, "instance")
        | found.with_metadata(found.excluded("instance_metadata"), instances)
        | found.of_projects(found.excluded("projects"), instances)
    )
    providers = with_parts(view, inside, "compute") | session.mask(types=["sharing"])
    consumers = instances & homes_in(session, inside)
    return ScopeMask(providers, consumers, excluded & consumers, found.warnings)
