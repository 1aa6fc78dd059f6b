"""Volumes: Cinder's, as consumers of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import Allocations, Attachment, Consumer, Flavor
from tachyon.optimize.model.elements import Volume
from tachyon.optimize.model.records import oddities
from tachyon.optimize.model.records.compute_node import plain

#: How Cinder writes times.
_TIME = "%Y-%m-%dT%H:%M:%S.%f"
_EXTRA = ("multiattach", "snapshot_id", "volume_type")


def told(consumer: Consumer, pool: str | None, kind: Flavor | None) -> dict[str, Any]:
    """Return what a consumer's own fields say of a volume; `pool` is where it lies."""
    extra = consumer.extra
    values: dict[str, Any] = {
        "size": size(consumer),
        "attachments": [
            {"server_id": a.consumer_uuid, "attachment_id": a.attachment_id}
            for a in consumer.attachments
        ],
        "name": consumer.name,
        "metadata": consumer.metadata,
        "uuid": consumer.uuid,
        "human_id": "",
    }
    optional = {
        "status": consumer.status,
        "multiattach": extra.get("multiattach"),
        "project_id": consumer.project_id,
        "bootable": consumer.bootable,
        "volume_type": extra.get("volume_type") or (kind.name if kind is not None else None),
        "created_at": None if consumer.created_at is None else _written(consumer.created_at),
        "host": pool,
    }
    values.update({name: value for name, value in optional.items() if value is not None})
    if "snapshot_id" in extra:
        values["snapshot_id"] = extra["snapshot_id"]
    return values


def size(consumer: Consumer) -> int:
    """Return a volume's size in GB: what it holds, or was said to have when it lies nowhere."""
    held = sum(resources.get("DISK_GB", 0) for resources in consumer.allocations.values())
    return held or int(consumer.extra.get("size") or 0)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)


def _read(text: str | None) -> datetime | None:
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)


def values_of(consumer: Consumer, pool: str | None, kind: Flavor | None) -> dict[str, Any]:
    """Return the fields of a volume."""
    values = told(consumer, pool, kind)
    odd = oddities.of(consumer.extra)
    if odd is not None:
        odd.apply(Volume, values)
    return values


def record(
    values: Mapping[str, Any],
    allocations: Allocations,
    pools: list[str] | None,
    pool: str | None,
    before: Consumer | None = None,
    kind: Flavor | None = None,
) -> Consumer:
    """Return the consumer of a volume.

    Args:
        values: the fields of the element that are set, its uuid among them.
        allocations: what it holds.
        pools: names of its pools when its allocations do not say them, else None.
        pool: where its allocations say that it lies.
        before: the consumer in the graph, whose other fields stay.
        kind: its volume type's record.
    """
    base = before or Consumer(uuid=values["uuid"], type="volume", state="active")
    extra = oddities.without(base.extra)
    for name in _EXTRA:
        if values.get(name) != told(base, pool, kind).get(name) or before is None:
            extra.pop(name, None)
            if name in values:
                extra[name] = values[name]
    created = values.get("created_at")
    keep = base.created_at is not None and created == _written(base.created_at)
    metadata = values.get("metadata")
    made = replace(
        base,
        name=values.get("name", ""),
        status=plain(values.get("status")),
        bootable=values.get("bootable"),
        project_id=values.get("project_id"),
        created_at=base.created_at if keep else _read(created),
        metadata=metadata if isinstance(metadata, dict) else {},
        attachments=_attachments(values.get("attachments", ())),
        allocations=allocations,
        extra=extra,
    )
    meant = {name: plain(value) for name, value in values.items()}
    odd = oddities.differences(told(made, pool, kind), meant, pools)
    return made if odd is None else replace(made, extra={**extra, oddities.KEY: odd})


def _attachments(listed: Any) -> tuple[Attachment, ...]:
    """Return attachments in the graph's form; those of any other form are left out."""
    return tuple(
        Attachment(consumer_uuid=one["server_id"], attachment_id=one.get("attachment_id"))
        for one in listed
        if isinstance(one, dict) and isinstance(one.get("server_id"), str) and one["server_id"]
    )
