"""Errors that only HTTP knows; they join the hierarchy of `tachyon.errors`, codes and all."""

from __future__ import annotations

from tachyon.errors import InvalidInput, LimitExceeded, NotFound, TachyonError


class RouteNotFound(NotFound):
    """No document or operation has that path."""

    code = "route_not_found"


class MethodNotAllowed(InvalidInput):
    """The path exists, but not with that method; `details["allowed"]` lists those it has."""

    code = "method_not_allowed"
    status = 405


class NotAcceptable(InvalidInput):
    """The answer is JSON or MessagePack, and the caller accepts neither."""

    code = "not_acceptable"
    status = 406


class BodyTooLarge(LimitExceeded):
    """The body is larger than this operation reads."""

    code = "body_too_large"
    status = 413


class UnsupportedMediaType(InvalidInput):
    """The body is neither JSON nor MessagePack, or it is compressed."""

    code = "unsupported_media_type"
    status = 415


class InternalError(TachyonError):
    """A bug of the service; its log has the traceback."""

    code = "internal_error"
