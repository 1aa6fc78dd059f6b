"""What an audit scope comes to: masks over the rows of a session's view."""

from __future__ import annotations

from dataclasses import dataclass, field

from tachyon.graph.view.columns import Bool


@dataclass(frozen=True, slots=True)
class ScopeMask:
    """The rows that an audit is about; every array is read-only.

    Attributes:
        providers: P; hosts in scope, and what belongs to them.
        consumers: N; instances or volumes in scope: those that a scoped model shows.
        excluded: N; those that the scope says to leave alone (Watcher's `watcher_exclude`).
            Excluded instances stay in scope, as they take up room; excluded volumes do not, for
            nothing in Watcher's storage model can mark them.
        warnings: what the scope names and the cluster does not have, a sentence each.
    """

    providers: Bool
    consumers: Bool
    excluded: Bool
    warnings: list[str] = field(default_factory=list)
