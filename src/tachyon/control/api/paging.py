"""Pages of lists: limits, markers, orders, filters, and the link to the next page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from tachyon.control.api.call import Answer, Call
from tachyon.control.objects import Collection, Record
from tachyon.control.objects.collection import MAX_ID
from tachyon.control.objects.query import Direction
from tachyon.errors import InvalidInput

R = TypeVar("R", bound=Record)

#: Parameters of every list.
PAGING = ("limit", "marker", "sort_key", "sort_dir")


def page(
    call: Call,
    collection: Collection[R],
    plural: str,
    where: Mapping[str, Any],
    render: Callable[[Call, Sequence[R]], list[dict[str, Any]]],
) -> Answer:
    """Return one page of a list.

    Raises:
        InvalidInput: a parameter is wrong.
        RecordNotFound: there is no such marker.
    """
    limit, direction = _limit(call), _direction(call)
    key = call.query.get("sort_key", "id")
    records = collection.find(
        where,
        limit=limit,
        marker=_marker(call, has_uuid=collection.kind.has_uuid),
        sort_key=key,
        sort_dir=direction,
        deleted=call.deleted,
        brief=True,
    )
    body: dict[str, Any] = {plural: render(call, records)}
    if len(records) == limit:
        last: Any = records[-1]
        filters = {k: v for k, v in call.query.items() if k not in PAGING}
        following = urlencode(
            {
                **filters,
                "sort_key": key,
                "sort_dir": direction,
                "limit": limit,
                "marker": last.uuid if collection.kind.has_uuid else last.id,
            }
        )
        detail = "/detail" if call.detail else ""
        body["next"] = f"{call.host_url}/v1/{plural}{detail}?{following}"
    return Answer(body)


def _limit(call: Call) -> int:
    said = call.query.get("limit")
    if said is None:
        return call.services.max_limit
    digits = said.strip()
    if not (digits.isascii() and digits.isdigit()) or int(digits[:20]) == 0:
        raise InvalidInput("Limit must be positive")
    return min(int(digits[:20]), call.services.max_limit)


def _direction(call: Call) -> Direction:
    said = call.query.get("sort_dir", "asc")
    if said == "asc":
        return "asc"
    if said == "desc":
        return "desc"
    raise InvalidInput(f"Invalid sort direction: {said[:255]}. Acceptable values are 'asc', 'desc'")


def _marker(call: Call, *, has_uuid: bool) -> str | int | None:
    said = call.query.get("marker")
    if said is None:
        return None
    if has_uuid:
        try:
            return str(UUID(said))
        except ValueError:
            raise InvalidInput(f"Expected a uuid as marker but received {said[:255]}.") from None
    if said.isascii() and said.isdigit() and len(said) < 20 and int(said) <= MAX_ID:
        return int(said)
    raise InvalidInput(f"Expected a number as marker but received {said[:255]}.")
