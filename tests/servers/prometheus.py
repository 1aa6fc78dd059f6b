"""Prometheus from Debian's packages, filled with series of the past by promtool."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.servers.packages import apt_install, installation_lock
from tests.servers.process import HOST, Server, ServerError

#: One sample: metric name, labels, seconds since 1970, value.
Sample = tuple[str, Sequence[tuple[str, str]], float, float]


class Prometheus(Server):
    """One Prometheus server that scrapes nothing.

    Args:
        samples: what it holds, in OpenMetrics order: all of a metric together.
    """

    name = "prometheus"
    users = ("prometheus", "nobody")

    def __init__(self, samples: Iterable[Sample]) -> None:
        super().__init__()
        self._samples = samples

    def install(self) -> None:
        with installation_lock():
            if not _is_installed():
                apt_install("prometheus")
            if not _is_installed():
                raise ServerError(
                    "Prometheus is installed, but prometheus or promtool is not found"
                )

    def initialise(self) -> None:
        (self.directory / "prometheus.yml").write_text("global: {}\n")
        exposition = self.directory / "samples.txt"
        with exposition.open("w", encoding="ascii") as file:
            known = ""
            for name, labels, moment, value in self._samples:
                if name != known:
                    # A counter's samples end in _total; what does not is told as a gauge.
                    file.write(f"# TYPE {name.removesuffix('_total')} {_kind(name)}\n")
                    known = name
                shown = ",".join(f'{label}="{text}"' for label, text in labels)
                file.write(f"{name}{{{shown}}} {value!r} {moment:.3f}\n")
            file.write("# EOF\n")
        self._data.mkdir()
        if (user := self._user()) is not None:
            shutil.chown(self._data, user.pw_uid, user.pw_gid)
        self._run(
            [
                _program("promtool"),
                *("tsdb", "create-blocks-from", "openmetrics", "--quiet"),
                *(str(exposition), str(self._data)),
            ]
        )
        exposition.unlink()

    def command(self) -> list[str]:
        return [
            _program("prometheus"),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address={HOST}:{self.port}",
        ]

    def ping(self) -> None:
        with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
            pass

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def _data(self) -> Path:
        return self.directory / "data"


def _kind(name: str) -> str:
    return "counter" if name.endswith("_total") else "gauge"


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])


def _is_installed() -> bool:
    return all(shutil.which(name, path=_search_path()) for name in ("prometheus", "promtool"))


def _program(name: str) -> str:
    found = shutil.which(name, path=_search_path())
    if found is None:
        raise ServerError(f"{name} is not installed")
    return found
