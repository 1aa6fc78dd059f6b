"""Write cluster files: the same content gives the same bytes, and a reader never sees half a file.

Entries are sorted by their keys and stand one to a line, so that two files can be compared with
`diff`; fields that have their default value are left out.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import field

from tachyon.graph import entities
from tachyon.graph.cluster_file.checking import LISTS, bad_file, check
from tachyon.graph.cluster_file.content import FORMAT, VERSION, ClusterFile, MetricSeries


class _Sparse:
    """Mixed into a record so that encoding it leaves out what has its default value.

    msgspec leaves out a value that *is* the default, so equal values are made the same object.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        record = cast(msgspec.Struct, self)
        for name, default in _defaults(type(record)):
            value = getattr(record, name)
            if value is not default and value == default:
                msgspec.structs.force_setattr(record, name, default)


@cache
def _defaults(record: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    return [
        (f.name, f.default)
        for f in msgspec.structs.fields(record)
        if f.default is not msgspec.NODEFAULT and f.default is not None
    ]


class _Inventory(_Sparse, entities.Inventory, frozen=True, omit_defaults=True):
    pass


class _Provider(_Sparse, entities.ResourceProvider, frozen=True, kw_only=True, omit_defaults=True):
    inventories: dict[entities.Symbol, _Inventory] = field(  # type: ignore[assignment]
        default_factory=dict
    )


class _Attachment(_Sparse, entities.Attachment, frozen=True, omit_defaults=True):
    pass


class _Consumer(_Sparse, entities.Consumer, frozen=True, kw_only=True, omit_defaults=True):
    attachments: tuple[_Attachment, ...] = ()


class _Flavor(_Sparse, entities.Flavor, frozen=True, omit_defaults=True):
    pass


class _Project(_Sparse, entities.Project, frozen=True, omit_defaults=True):
    pass


class _ServerGroup(_Sparse, entities.ServerGroup, frozen=True, omit_defaults=True):
    pass


class _HostAggregate(_Sparse, entities.HostAggregate, frozen=True, omit_defaults=True):
    pass


class _AvailabilityZone(_Sparse, entities.AvailabilityZone, frozen=True, omit_defaults=True):
    pass


class _MetricSeries(MetricSeries, omit_defaults=True):
    pass


#: The types that leave out defaults, by the list in the file; its lists come in this order.
_WRITTEN: dict[str, Any] = {
    "availability_zones": _AvailabilityZone,
    "host_aggregates": _HostAggregate,
    "projects": _Project,
    "flavors": _Flavor,
    "server_groups": _ServerGroup,
    "providers": _Provider,
    "consumers": _Consumer,
}
_KEYS = dict(LISTS)
_ENCODER = msgspec.json.Encoder(order="deterministic")


def encode_cluster_file(content: ClusterFile) -> bytes:
    """Return the content as JSON text, deterministically.

    Raises:
        ClusterFileError: the content breaks a rule of the format, so it could not be read again.
    """
    name = "cluster file"
    check(content, name)
    parts = [
        b'{"format": ' + _ENCODER.encode(FORMAT),
        b'"version": ' + _ENCODER.encode(VERSION),
    ]
    if content.generated_by is not None:
        parts.append(b'"generated_by": ' + _ENCODER.encode(content.generated_by))
    try:
        for plural, written in _WRITTEN.items():
            key = _KEYS[plural]
            entries = getattr(content.cluster, plural)
            parts += _listed(plural, entries, written, attrgetter(key))
        parts += _listed("metrics", content.metrics, _MetricSeries, attrgetter("kind", "name"))
        if content.extra:
            parts.append(b'"extra": ' + _ENCODER.encode(content.extra))
    except msgspec.ValidationError as error:
        raise bad_file(name, [("", str(error))]) from error
    except (UnicodeEncodeError, TypeError, RecursionError) as error:
        raise bad_file(name, [("", f"cannot be written: {error}")]) from error
    return b",\n".join(parts) + b"}\n"


def _listed(
    plural: str, entries: list[Any], written: Any, key: Callable[[Any], Any]
) -> list[bytes]:
    """Return the member of the document that holds a list, or nothing for an empty one."""
    if not entries:
        return []
    try:
        # Converting checks every field as reading will.
        lean = msgspec.convert(sorted(entries, key=key), list[written], from_attributes=True)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{plural}, sorted by key: {error}") from error
    return [f'"{plural}": [\n'.encode() + b",\n".join(map(_ENCODER.encode, lean)) + b"\n]"]


def write_cluster_file(path: str | os.PathLike[str], content: ClusterFile) -> None:
    """Write a cluster file, gzip-compressed if its name ends in `.gz`.

    The file appears at once and whole: it is written beside its place and renamed.

    Raises:
        ClusterFileError: the content breaks a rule of the format, or the file cannot be written;
            what was there before is unchanged.
    """
    data = encode_cluster_file(content)
    target = Path(path).resolve()
    if target.suffix == ".gz":
        # No time stamp: the same content gives the same bytes.
        data = gzip.compress(data, compresslevel=6, mtime=0)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise bad_file(os.fspath(path), [("", f"cannot be written: {error.strerror}")]) from error
