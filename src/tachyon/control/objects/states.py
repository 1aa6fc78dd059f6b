"""State machines: which state may follow which, and who may bring it about.

Every write of a state goes through one of these and through a compare-and-set in the database
(`Collection.transition`), whoever writes it: API, engine or applier.
"""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.errors import TransitionNotAllowed

DELETED = "DELETED"


class StateMachine:
    """The moves between the states of one kind of objects.

    Args:
        initial: what an object begins in.
        moves: by state, the states that may follow, whoever brings them about.
        by_user: those of them that a user may ask for through the API.
    """

    def __init__(
        self,
        initial: str,
        moves: Mapping[str, frozenset[str]],
        by_user: Mapping[str, frozenset[str]],
    ) -> None:
        self.initial = initial
        self.moves = moves
        self.by_user = by_user
        self.states = frozenset(moves) | frozenset().union(*moves.values())

    def check(self, old: str, new: str, *, by_user: bool = False) -> None:
        """Raise `TransitionNotAllowed` for a move that is not in the table."""
        moves = self.by_user if by_user else self.moves
        if new not in moves.get(old, ()):
            raise TransitionNotAllowed(old, new)

    def sources(self, new: str) -> frozenset[str]:
        """Return the states that may be followed by a state."""
        return frozenset(old for old, after in self.moves.items() if new in after)


def moves(**table: str) -> dict[str, frozenset[str]]:
    """Return a table of moves from state names and the names that may follow, in one string."""
    return {old: frozenset(new.split()) for old, new in table.items()}
