"""Read a cluster file, whatever is wrong with it.

The fast path is one typed decode and the checks of references. Only when the decode fails is the
document looked at again, to name the place in the terms of whoever wrote the file.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from tachyon.graph.cluster_file.checking import bad_file, check
from tachyon.graph.cluster_file.content import FORMAT, VERSION, ClusterFile, Document
from tachyon.graph.cluster_file.places import line_and_column, wrong_field
from tachyon.graph.mutations import Cluster

#: Most bytes that a file may have once decompressed: what a 100,000-instance cluster with a day
#: of measurements needs, ten times over. A bound on gzip bombs, not on honest files.
SIZE_MAX = 2 * 2**30

_GZIP_MAGIC = b"\x1f\x8b"
_DECODER = msgspec.json.Decoder(Document)


class _Header(Struct):
    """What decides whether the rest can be understood at all."""

    format: Any = None
    version: Any = None


def read_cluster_file(
    source: str | os.PathLike[str] | BinaryIO | bytes,
    *,
    name: str | None = None,
    size_max: int = SIZE_MAX,
) -> ClusterFile:
    """Read and check a cluster file, gzip-compressed or not.

    Args:
        source: a path, an open binary file, or the bytes themselves.
        name: what to call the source in errors; the path by default.
        size_max: most bytes to accept after decompression.

    Raises:
        ClusterFileError: the file is no cluster file; the message names the place.
    """
    name = name or _name_of(source)
    data = unpacked(source, name=name, size_max=size_max)
    document = _decode(data, name)
    content = ClusterFile(
        cluster=Cluster(**{f: getattr(document, f) for f in Cluster.__struct_fields__}),
        metrics=document.metrics,
        generated_by=document.generated_by,
        extra=document.extra,
    )
    check(content, name)
    return content


def _name_of(source: str | os.PathLike[str] | BinaryIO | bytes) -> str:
    if isinstance(source, bytes):
        return "cluster file"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "cluster file"))


def unpacked(
    source: str | os.PathLike[str] | BinaryIO | bytes, *, name: str, size_max: int = SIZE_MAX
) -> bytes:
    """Return the bytes of a source, decompressed if they start with gzip's magic bytes.

    Raises:
        ClusterFileError: it cannot be read, is cut short, damaged, or larger than `size_max`.
    """
    try:
        if isinstance(source, bytes):
            data = source
        elif isinstance(source, str | os.PathLike):
            with Path(source).open("rb") as opened:
                data = opened.read(size_max + 1)
        else:
            data = source.read(size_max + 1)
        if data.startswith(_GZIP_MAGIC):
            data = _gunzip(data, size_max)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise bad_file(name, [("", f"cannot be read: {reason}")]) from error
    if len(data) > size_max:
        raise bad_file(name, [("", f"has more than {size_max} bytes (decompressed)")])
    return data


def _gunzip(data: bytes, size_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    # Several members may follow each other, as `cat a.gz b.gz` makes them.
    while data and size <= size_max:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        parts.append(member.decompress(data, size_max + 1 - size))
        size += len(parts[-1])
        if size <= size_max and not member.eof:
            raise gzip.BadGzipFile("the gzip data is cut short")
        data = member.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _decode(data: bytes, name: str) -> Document:
    try:
        document = _DECODER.decode(data)
    except msgspec.ValidationError as error:
        _check_header(data, name)
        raise bad_file(name, [wrong_field(data, Document, str(error))]) from error
    except msgspec.DecodeError as error:
        raise bad_file(name, [line_and_column(data, str(error))]) from error
    except UnicodeDecodeError as error:
        raise bad_file(name, [line_and_column(data, "the text is not UTF-8")]) from error
    except RecursionError as error:
        raise bad_file(name, [("", "is nested too deeply")]) from error
    _check_header(data, name, document)
    return document


def _check_header(data: bytes, name: str, document: Document | None = None) -> None:
    header: Document | _Header
    if document is None:
        try:
            header = msgspec.json.decode(data, type=_Header)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # a list, or so: the error that led here says it better
    else:
        header = document
    if header.format != FORMAT:
        raise bad_file(name, [("$.format", f"expected {FORMAT!r}, found {_shown(header.format)}")])
    if header.version != VERSION or isinstance(header.version, bool):
        raise bad_file(
            name,
            [
                (
                    "$.version",
                    f"version {_shown(header.version)} is not known; this release reads {VERSION}",
                )
            ],
        )


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
