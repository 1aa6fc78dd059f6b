"""cheroot as we run it: errors of the protocol in the API's shape, and none of them a 5xx."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec
from cheroot import server as cheroot
from cheroot import wsgi

from tachyon.graph.service.bodies import ErrorDocument, Problem
from tachyon.graph.service.framing import WSGI

LOG = logging.getLogger(__name__)

#: Bytes of the request line and all headers together.
_MAX_HEADERS = 64 * 1024
#: Bytes up to which copying a body behind its headers is cheaper than sending it by itself.
_COPIED = 64 * 1024
#: Bytes for which a slow client is given the time of one time-out.
_PART = 2**20

#: What the library calls failures of its own, although the client asked for what is not there.
_STATUS = {"501": "400 Bad Request", "505": "400 Bad Request"}
_CODES = {"408": "request_timeout", "413": "body_too_large", "414": "path_too_long"}


class _Request(cheroot.HTTPRequest):
    """A request whose protocol errors are documents like all others."""

    def simple_response(self, status: Any, msg: str = "") -> None:
        """Answer a request that never reached the application, and close the connection."""
        line = _STATUS.get(str(status)[:3], str(status))
        number = line[:3]
        fallback = "internal_error" if number >= "500" else "bad_request"
        reason = msg or line[4:]
        body = self.server.error_document(_CODES.get(number, fallback), reason)
        self.close_connection = True
        head = (
            f"{self.server.protocol} {line}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            self.conn.wfile.write(head.encode("latin-1") + body)
        except OSError as error:
            LOG.debug("a client left before its error: %s", error)

    _head = b""

    def respond(self) -> None:
        """Answer the request."""
        super().respond()
        self._flush_head()

    def send_headers(self) -> None:
        """Make the headers ready, after what is left of the request's body has been read.

        Where it never comes the client still gets its answer, and no more requests. The headers
        go out together with the body: half the system calls, and the client wakes up once.
        """
        wire, held = self.conn.wfile, _Held()
        self.conn.wfile = held
        try:
            super().send_headers()
        except OSError:
            self.close_connection = True
            super().send_headers()
        finally:
            self.conn.wfile = wire
        self._head = held.data
        if self.chunked_write:
            self._flush_head()

    def write(self, chunk: bytes) -> None:
        """Send a part of the body, and the headers before the first one."""
        if len(chunk) > _COPIED and not self.chunked_write:
            self._flush_head()
            # Past the library's buffer, which copies all that is left after each part sent.
            whole = memoryview(chunk)
            for start in range(0, len(chunk), _PART):
                self.conn.socket.sendall(whole[start : start + _PART])
            return
        head, self._head = self._head, b""
        super().write(head + chunk if head else chunk)

    def _flush_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.conn.wfile.write(head)


class _Held:
    """Takes what would be written to a connection."""

    data = b""

    def write(self, data: bytes) -> None:
        self.data += data


class _Connection(cheroot.HTTPConnection):
    RequestHandlerClass = _Request


#: Makes the body of an error from its code and its reason.
ErrorDocuments = Callable[[str, str], bytes]


def error_document(code: str, reason: str) -> bytes:
    """Return an error as the Tachyon API sends it."""
    return msgspec.json.encode(ErrorDocument(Problem(code, reason, {})))


class HttpServer(wsgi.Server):
    """A threaded HTTP/1.1 server with kept-alive connections; times in seconds.

    `error_document` makes the bodies of answers to what never became a request.
    """

    ConnectionClass = _Connection

    def __init__(
        self,
        address: tuple[str, int],
        app: WSGI,
        *,
        threads: int,
        connections: int,
        timeout: float,
        shutdown_timeout: float,
        max_body: int,
        error_document: ErrorDocuments = error_document,
    ) -> None:
        super().__init__(
            address,
            app,
            numthreads=threads,
            request_queue_size=512,
            server_name="tachyon",
            reuse_port=True,
        )
        self.error_document = error_document
        self.timeout = timeout
        self.shutdown_timeout = shutdown_timeout
        self.keep_alive_conn_limit = connections
        self.max_request_header_size = _MAX_HEADERS
        self.max_request_body_size = max_body

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Write to our log instead of standard error."""
        LOG.log(level, msg, exc_info=traceback)
