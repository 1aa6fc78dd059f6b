"""Filters of destinations by name: plug-ins of the entry point group `tachyon.filters`.

The filters themselves are facts of the graph (`tachyon.graph.simulation.filters`), or come from
elsewhere; an operator's option names those that hold for a strategy.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from stevedore import ExtensionManager

from tachyon.errors import PluginNotFound
from tachyon.graph.simulation.filters import DEFAULT, Chain, HostFilter

GROUP = "tachyon.filters"


def chain(names: Iterable[str] | None = None) -> Chain:
    """Return the filters of some names, in that order; None stands for the default ones.

    Raises:
        PluginNotFound: no filter of a name is installed.
    """
    if names is None:
        return DEFAULT
    known = installed()
    wanted = list(names)
    for name in wanted:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise PluginNotFound(f"no filter {name} is installed; there are: {listed}", name=name)
    return [known[name] for name in wanted]


@cache
def installed() -> dict[str, HostFilter]:
    """Return every filter that is installed, by name. One that cannot be loaded is left out."""
    standard = {one.name: one for one in DEFAULT}
    manager = ExtensionManager(GROUP, on_load_failure_callback=lambda *_: None)
    # Those that hold by default are single objects, so that a chain of them is known as such.
    return {e.name: standard.get(e.name) or e.plugin() for e in manager}
