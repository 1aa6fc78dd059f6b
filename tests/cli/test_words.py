"""Numbers and lists in the form in which people read them."""

from __future__ import annotations

import pytest

from tachyon.cli.words import runs


@pytest.mark.parametrize(
    ("numbers", "said"),
    [([], ""), ([5], "5"), ([2, 1], "1–2"), ([9, 1, 2, 3, 7, 10], "1–3, 7, 9–10")],
)
def test_numbers_in_a_row_are_said_by_their_ends(numbers: list[int], said: str) -> None:
    """A plan's action may come after a hundred others."""
    assert runs(numbers) == said
