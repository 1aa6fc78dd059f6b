"""Removing for good what was soft-deleted long ago, with all that hangs on it.

A row goes together with everything below it, or not at all: goal, strategies, templates, audits,
plans, actions. What is alive below something deleted is an orphan; it goes when what it hangs on
has been deleted long enough, however old it is itself, unless orphans are to be left alone. Then
what they hang on stays, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from msgspec import Struct

from tachyon.control.objects.objects import KINDS, Objects
from tachyon.errors import InvalidInput

#: Kinds that hang on each other, and those that stand alone; parents come first.
_TREE = ("goal", "strategy", "audit_template", "audit", "action_plan", "action")
_ALONE = ("scoring_engine", "service", "action_description")
_KINDS = {kind.name: kind for kind in KINDS}
_CHUNK = 500

Node = tuple[str, int]


class Selection(Struct, frozen=True):
    """What a purge would remove: numbers of rows by kind, children before parents."""

    rows: Mapping[str, frozenset[int]]
    #: Rows left out because there would have been too many.
    left: int = 0

    @property
    def total(self) -> int:
        """How many rows."""
        return sum(map(len, self.rows.values()))

    def counts(self) -> dict[str, int]:
        """Return how many rows of each kind, by the kind's title in the plural."""
        return {_plural(kind): len(self.rows.get(kind, ())) for kind in (*_TREE, *_ALONE)}


def _plural(kind: str) -> str:
    words = _KINDS[kind].title.title()
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def select(
    objects: Objects,
    *,
    age_in_days: int = 0,
    goal: str | None = None,
    exclude_orphans: bool = False,
    max_number: int | None = None,
) -> Selection:
    """Return what to remove.

    Args:
        objects: the database.
        age_in_days: days since the deletion; 0: any.
        goal: uuid or name of a deleted goal: only it, and what hangs on it.
        exclude_orphans: leave what is alive alone.
        max_number: most rows; whole trees are left out to keep to it.

    Raises:
        InvalidInput: a number is negative, or the goal is not deleted.
        RecordNotFound: there is no such goal.
    """
    if age_in_days < 0 or (max_number is not None and max_number < 0):
        raise InvalidInput("a purge takes no negative numbers")
    forest = objects.database.read(_Forest)
    threshold = objects.database.clock() - timedelta(days=age_in_days)
    if goal is None:
        roots = forest.deleted_before(threshold)
    else:
        found = objects.goals.get(goal, deleted=True)
        if not found.deleted:
            raise InvalidInput(f"goal {goal} is not deleted; delete it before it is purged")
        roots = [("goal", found.id)]
    trees = forest.trees(roots, live=not exclude_orphans)
    chosen: set[Node] = set()
    left = 0
    for tree in trees:
        if max_number is not None and len(chosen | tree) > max_number:
            left += len(tree - chosen)
        else:
            chosen |= tree
    rows = {
        kind: frozenset(number for name, number in chosen if name == kind)
        for kind in reversed((*_TREE, *_ALONE))
    }
    return Selection(rows, left)


def remove(objects: Objects, selection: Selection) -> None:
    """Remove what was selected, in one transaction."""

    def write(connection: sa.Connection) -> None:
        for kind, numbers in selection.rows.items():
            table = _KINDS[kind].table
            for some in _chunks(numbers):
                if kind == "action_plan":
                    for owned in (k for k in KINDS if k.owner == kind):
                        column = owned.table.c.action_plan_id
                        connection.execute(owned.table.delete().where(column.in_(some)))
                connection.execute(table.delete().where(table.c.id.in_(some)))

    objects.database.write(write)


def _chunks(numbers: Iterable[int]) -> Iterable[list[int]]:
    listed = sorted(numbers)
    return (listed[i : i + _CHUNK] for i in range(0, len(listed), _CHUNK))


class _Forest:
    """All rows with what hangs on them, in memory: numbers and moments only."""

    def __init__(self, connection: sa.Connection) -> None:
        self._deleted: dict[Node, datetime | None] = {}
        self._below: dict[Node, list[Node]] = {}
        for name in (*_TREE, *_ALONE):
            kind = _KINDS[name]
            columns = kind.table.c
            keys = [columns[f"{relation}_id"] for relation in kind.relations]
            statement = sa.select(columns.id, columns.deleted, columns.deleted_at, *keys)
            for number, deleted, moment, *parents in connection.execute(statement):
                node = (name, number)
                if deleted:
                    self._deleted[node] = moment
                for relation, parent in zip(kind.relations, parents, strict=True):
                    if parent is not None:
                        self._below.setdefault((relation, parent), []).append(node)

    def deleted_before(self, threshold: datetime) -> list[Node]:
        """Return rows that were deleted before a moment, parents first."""
        order = {name: place for place, name in enumerate((*_TREE, *_ALONE))}
        found = [
            node for node, moment in self._deleted.items() if moment is None or moment <= threshold
        ]
        return sorted(found, key=lambda node: (order[node[0]], node[1]))

    def trees(self, roots: list[Node], *, live: bool) -> list[set[Node]]:
        """Return each root with all that is below it, where that may go as a whole."""
        found = []
        seen: set[Node] = set()
        for root in roots:
            if root in seen:
                continue
            tree = self._tree(root)
            if not live and not tree <= self._deleted.keys():
                continue
            seen |= tree
            found.append(tree)
        return found

    def _tree(self, root: Node) -> set[Node]:
        tree: set[Node] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            if node not in tree:
                tree.add(node)
                stack.extend(self._below.get(node, ()))
        return tree
