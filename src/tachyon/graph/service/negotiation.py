"""What goes over HTTP and in which form: media types, bodies, queries, paths, preconditions."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote_plus, unquote_to_bytes

import falcon

from tachyon.errors import InvalidInput
from tachyon.graph.service.problems import BodyTooLarge, NotAcceptable, UnsupportedMediaType

Media = Literal["json", "msgpack"]

JSON = "application/json"
MSGPACK = "application/msgpack"
MEDIA_TYPES: dict[Media, str] = {"json": JSON, "msgpack": MSGPACK}

_ENTITY_TAG = re.compile(r'^(?:W/)?"?([0-9]{1,18})"?$')
_CHUNK = 2**20


@lru_cache(maxsize=256)
def answer_form(accept: str) -> Media:
    """Return the form of the answer that an Accept header asks for; JSON when it does not mind."""
    if accept in ("", "*/*", JSON):
        return "json"
    if accept == MSGPACK:
        return "msgpack"
    try:
        best = falcon.mediatypes.best_match((JSON, MSGPACK, "application/x-msgpack"), accept)
    except ValueError:
        best = ""
    if not best:
        raise NotAcceptable(f"answers are {JSON} or {MSGPACK}", accept=accept[:255])
    return "json" if best == JSON else "msgpack"


@lru_cache(maxsize=256)
def body_form(content_type: str) -> Media:
    """Return the form of a body by its Content-Type; JSON when there is none."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset")]
    if all(charset in ("utf-8", "utf8") for charset in charsets):
        if name in (JSON, ""):
            return "json"
        if name in (MSGPACK, "application/x-msgpack"):
            return "msgpack"
    raise UnsupportedMediaType(
        f"bodies are {JSON} in UTF-8, or {MSGPACK}", content_type=content_type[:255]
    )


def read_body(environ: dict[str, Any], most: int) -> bytes:
    """Return the body of a request, empty when it has none.

    Raises:
        BodyTooLarge: it is longer than `most` bytes.
        UnsupportedMediaType: it is compressed.
        InvalidInput: it ended early.
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("compressed bodies are not read")
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    text = environ.get("CONTENT_LENGTH") or "0"
    if not chunked and not (text.isascii() and text.isdigit()):
        raise InvalidInput.at([("header.Content-Length", "must be a whole number")])
    length = None if chunked else int(text)
    if length == 0:
        return b""
    if length is not None and length > most:
        raise _too_large(most)
    try:
        return _read(environ["wsgi.input"], length, most)
    except (OSError, ValueError) as error:
        raise InvalidInput.at([("", f"the body could not be read: {error}")]) from error


def _read(stream: Any, length: int | None, most: int) -> bytes:
    if length is not None and length <= _CHUNK:
        body: bytes = stream.read(length)
    else:
        parts: list[bytes] = []
        size = 0
        while length is None or size < length:
            part = stream.read(_CHUNK if length is None else min(_CHUNK, length - size))
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size > most:
                raise _too_large(most)
        body = b"".join(parts)
    if length is not None and len(body) != length:
        raise InvalidInput.at([("", f"the body ended after {len(body)} of {length} bytes")])
    return body


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"a body holds at most {most} bytes here", limit=most)


def parse_query(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a query string in order, percent-decoded.

    Raises:
        InvalidInput: they are not UTF-8.
    """
    if not text:
        return []
    try:
        raw = text.encode("latin-1").decode("ascii")
        return [
            (_decoded(name), _decoded(value))
            for name, _, value in (part.partition("=") for part in raw.split("&") if part)
        ]
    except UnicodeError as error:
        raise InvalidInput.at([("query", "is not percent-encoded UTF-8")]) from error


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def requote_path(environ: dict[str, Any]) -> None:
    """Set PATH_INFO so that a quoted slash in a name does not divide it.

    Routes are matched on it segment by segment; `/` and `%` inside a segment stay quoted, and
    `unquote_name` undoes that.

    Raises:
        InvalidInput: the path is not UTF-8.
    """
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    mount = environ.get("SCRIPT_NAME", "")
    if not raw.startswith("/") or not raw.startswith(mount):
        path = environ.get("PATH_INFO", "")
        if "%" in path:
            environ["PATH_INFO"] = path.replace("%", "%25")
        _check_utf8(environ["PATH_INFO"].encode("latin-1"))
        return
    path = raw.partition("?")[0][len(mount) :]
    if "%" not in path and path.isascii():
        environ["PATH_INFO"] = path
        return
    segments = [
        unquote_to_bytes(segment.encode("latin-1")).replace(b"%", b"%25").replace(b"/", b"%2F")
        for segment in path.split("/")
    ]
    whole = b"/".join(segments)
    _check_utf8(whole)
    environ["PATH_INFO"] = whole.decode("latin-1")


def _check_utf8(path: bytes) -> None:
    try:
        path.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput.at([("path", "is not UTF-8")]) from error


def unquote_name(name: str) -> str:
    """Return the name in a segment that `requote_path` has left."""
    return name.replace("%2F", "/").replace("%25", "%") if "%" in name else name


def expected_generation(environ: dict[str, Any]) -> int | None:
    """Return the generation that a precondition names: 0 for "must not exist", None without one.

    Raises:
        InvalidInput: the precondition names anything else.
    """
    match, none_match = environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH")
    if match is None and none_match is None:
        return None
    if none_match is not None:
        if match is not None or none_match.strip() != "*":
            raise InvalidInput.at([("header.If-None-Match", "must be *, and alone")])
        return 0
    found = _ENTITY_TAG.match((match or "").strip())
    if found is None:
        raise InvalidInput.at([("header.If-Match", "must be one generation")])
    return int(found[1])


def is_known(environ: dict[str, Any], etag: int) -> bool:
    """Tell whether If-None-Match names a generation: the caller has what it asks for."""
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known is None:
        return False
    tags = (_ENTITY_TAG.match(tag.strip()) for tag in known.split(","))
    return any(tag is not None and int(tag[1]) == etag for tag in tags)
