"""The bus: one transport for calls, errors that keep their class across it."""

from __future__ import annotations

import importlib
from typing import Any

import oslo_messaging
from kombu.exceptions import OperationalError
from oslo_config import cfg

from tachyon import errors
from tachyon.errors import ServiceUnavailable, TachyonError

#: Watcher's exchange and version, so that its operators find their queues again.
EXCHANGE, VERSION = "watcher", "1.0"
#: How often a message is tried again. Once, as a connection may have gone stale meanwhile; the
#: library's own default is for ever, and whoever sends would wait as long.
RETRIES = 1

#: What sending raises when the bus is away; the last is the driver's own, and not translated.
_BUS_ERRORS = (oslo_messaging.MessagingException, OSError, OperationalError)


def open_transport(conf: cfg.ConfigOpts, url: str | None = None) -> Any:
    """Return the transport to a URL, or to the configuration's `transport_url`.

    In one process `fake://` connects all services, without a broker.
    """
    oslo_messaging.set_transport_defaults(EXCHANGE)
    _register_extras(conf)
    return oslo_messaging.get_rpc_transport(conf, url=url)


def _register_extras(conf: cfg.ConfigOpts) -> None:
    """Register options that the library reads of every configuration.

    It registers them with its own global one alone, and lists them nowhere.
    """
    for name in ("tracing", "metrics"):
        try:
            module = importlib.import_module(f"oslo_messaging._{name}.client")
        except ImportError:  # a release without it
            continue
        group = f"oslo_messaging_{name}"
        conf.register_opts(getattr(module, group), group=group)


def serve(transport: Any, topic: str, host: str, endpoint: object) -> Any:
    """Return a server, not yet started, whose calls go to the endpoint's methods.

    Endpoints take keyword arguments alone; a `TachyonError` they raise reaches the caller as what
    it is.
    """
    target = oslo_messaging.Target(topic=topic, server=host, version=VERSION)
    return oslo_messaging.get_rpc_server(
        transport,
        target,
        [_Endpoint(endpoint)],
        executor="threading",
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    )


class _Endpoint:
    """Calls methods without the context that the library hands over first."""

    target = oslo_messaging.Target(version=VERSION)

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def ping(self, _context: dict[str, Any]) -> None:
        """Do nothing: the sender learns from it that the bus is there."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(_context: dict[str, Any], **arguments: Any) -> Any:
            try:
                return method(**arguments)
            except TachyonError as error:
                # As an answer: the library would log it as a failure of the service.
                return {"tachyon_error": [type(error).__name__, error.message, error.details]}

        return call


class Client:
    """Casts (nobody waits) and calls (an answer is awaited) to one topic.

    Args:
        transport: from `open_transport`.
        topic: of the services that are meant; any one of them takes a message.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, transport: Any, topic: str, timeout: float) -> None:
        target = oslo_messaging.Target(topic=topic, version=VERSION)
        self._client = oslo_messaging.get_rpc_client(
            transport, target, timeout=timeout, retry=RETRIES
        )
        self._topic = topic

    def cast(self, method: str, *, fanout: bool = False, **arguments: Any) -> None:
        """Send a message to one service, or to all of them (`fanout`).

        Raises:
            ServiceUnavailable: the bus does not take it: after a second where nobody listens,
                after some more where somebody does and never answers.
        """
        client = self._client.prepare(fanout=True) if fanout else self._client
        try:
            client.cast({}, method, **arguments)
        except _BUS_ERRORS as error:
            raise ServiceUnavailable(f"the message bus does not answer: {error}") from error

    def call(self, method: str, **arguments: Any) -> Any:
        """Return the answer.

        Raises:
            TachyonError: the one that the other side raised.
            ServiceUnavailable: nobody answered in time, the other side failed, or the bus is away.
        """
        # The library waits for ever for the connection that an answer comes by, but not for the
        # one that a cast goes by.
        self.cast("ping")
        try:
            answer = self._client.call({}, method, **arguments)
        except oslo_messaging.MessagingTimeout as error:
            raise ServiceUnavailable(f"nobody answers at {self._topic}") from error
        except _BUS_ERRORS as error:
            raise ServiceUnavailable(f"the message bus does not answer: {error}") from error
        except Exception as error:
            # The library raises what the other side raised, of whatever class that was.
            raise ServiceUnavailable(f"{self._topic} failed; see the log there") from error
        if isinstance(answer, dict) and "tachyon_error" in answer:
            raise _error(*answer["tachyon_error"])
        return answer


def _error(name: str, message: str, details: dict[str, Any]) -> TachyonError:
    cls = getattr(errors, name, TachyonError)
    error: TachyonError = cls.__new__(cls)
    TachyonError.__init__(error, message, **details)
    return error
