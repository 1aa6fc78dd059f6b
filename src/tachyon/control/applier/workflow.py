"""A plan's graph on taskflow's parallel engine.

Each action is a task that provides its uuid and requires those of its parents. A task never fails
for taskflow: what becomes of an action is a state in the database, and what follows from a failure
is decided where it is read (`execution`).

For each task that ends, taskflow looks at all tasks before it, which takes minutes for thousands.
So a long plan is run as several flows, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from taskflow import engines, task
from taskflow.patterns import graph_flow

#: Most actions of one flow.
BLOCK = 100


class _Step(task.Task):
    def __init__(self, uuid: str, parents: Sequence[str], perform: Callable[[str], None]) -> None:
        super().__init__(name=uuid, provides=uuid, requires=list(parents))
        self._perform = perform

    def execute(self, **_parents: object) -> bool:
        """Perform the action."""
        self._perform(self.name)
        return True


def run(
    name: str,
    parents: Mapping[str, Sequence[str]],
    perform: Callable[[str], None],
    max_workers: int,
) -> None:
    """Call `perform` for each action, after all its parents, up to `max_workers` at a time.

    Args:
        name: of the flow.
        parents: by action, its parents among the actions; parents come first.
        perform: is given an action's uuid; must not raise.
        max_workers: threads.
    """
    rest = iter(parents.items())
    with ThreadPoolExecutor(max_workers=max_workers) as executor:
        while block := dict(islice(rest, BLOCK)):
            flow = graph_flow.Flow(name)
            for uuid, above in block.items():
                flow.add(_Step(uuid, [p for p in above if p in block], perform))
            engines.load(flow, engine="parallel", executor=executor).run()


def reversed_graph(parents: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the same graph with every edge turned round, in the opposite order."""
    children: dict[str, list[str]] = {uuid: [] for uuid in reversed(list(parents))}
    for uuid, above in parents.items():
        for parent in above:
            children[parent].append(uuid)
    return children
