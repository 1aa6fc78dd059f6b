"""Pages of long lists: rows after a marker, as many as asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tachyon.errors import InvalidInput, NotFound
from tachyon.graph.service.bodies import Page
from tachyon.graph.service.model import Model
from tachyon.graph.view.columns import I64, Bool


def page(
    model: Model, query: Page, order: I64, mask: Bool, row_of: Callable[[str], int]
) -> tuple[list[int], bool]:
    """Return the rows of a page, and whether another follows.

    Args:
        model: gives the default length of a page.
        query: marker and limit.
        order: all rows in the order of the list.
        mask: by row, which are in the list.
        row_of: the row of a marker.

    Raises:
        InvalidInput: the marker names nothing (any more).
    """
    if query.marker is not None:
        try:
            marker = row_of(query.marker)
        except NotFound as error:
            raise InvalidInput.at([("query.marker", error.message)]) from error
        order = order[int(np.flatnonzero(order == marker)[0]) + 1 :]
    found = order[mask[order]]
    limit = query.limit or model.options.page
    return found[:limit].tolist(), found.size > limit
