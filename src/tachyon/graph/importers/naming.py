"""Names for what a data set only numbers."""

from __future__ import annotations


def numbered(kind: str, row: int, count: int) -> str:
    """Return the name of row `row` of `count`; names sort in the order of their rows."""
    return f"{kind}-{row:0{max(3, len(str(count - 1)))}d}"
