"""What happens on a real cloud, kept so that it can be told again without one.

A recording is a JSON file: `events` are the notifications in the order in which they came, as
`{"type", "publisher", "at", "payload"}`; `scenes` are the states of the cloud in between, each
with the number of events before it and a cluster file's content. `tests/notifications` tells them
in other orders.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tachyon.graph.cluster_file import encode_cluster_file
from tachyon.openstack.captured.live import read_live
from tachyon.openstack.collectors.compute import ComputeCollector
from tachyon.openstack.collectors.storage import StorageCollector
from tachyon.openstack.connection import Connection
from tachyon.openstack.notifications.events import decode
from tests.servers import testbed


class Recording:
    """Records to a file (.json.gz) while it is open; without a path it does nothing."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lines = Path(tempfile.mkdtemp(prefix="tachyon-recording-")) / "lines"
        self._scenes: list[dict[str, Any]] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._path is not None:
            self._open.enter_context(testbed.recorded(self._lines))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        if self._path is not None:
            told = {"scenes": self._scenes, "events": [_event(line) for line in self._read()]}
            with gzip.open(self._path, "wb") as out:
                out.write(msgspec.json.encode(told))

    def note(self, name: str, cloud: Connection) -> None:
        """Note the state of the cloud after what `name` says."""
        if self._path is not None:
            events = len(self._read())
            content = read_live(cloud, [ComputeCollector(), StorageCollector()])
            cluster = msgspec.json.decode(encode_cluster_file(content))
            self._scenes.append({"name": name, "events": events, "cluster": cluster})

    def _read(self) -> list[str]:
        return self._lines.read_text().splitlines() if self._lines.exists() else []


def _event(line: str) -> dict[str, Any]:
    message = json.loads(line)["message"]
    metadata = {"timestamp": message["timestamp"], "message_id": message["message_id"]}
    event = decode({**message, "metadata": metadata})
    return {
        "type": event.type,
        "publisher": event.publisher,
        "at": event.at.isoformat(),
        "payload": event.payload,
    }
