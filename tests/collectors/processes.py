"""Collectors as processes of their own, started, killed and stopped by tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[2]


class CollectorProcess:
    """`with CollectorProcess(folder, options) as collector`: `tachyon collector`, as users run it.

    `options` are those of the configuration file, by group.
    """

    def __init__(self, folder: Path, options: dict[str, dict[str, Any]]) -> None:
        self._config = folder / "tachyon.conf"
        lines: list[str] = []
        for group, values in options.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
        self._config.write_text("\n".join(lines) + "\n")
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start and wait until the health check answers."""
        run = "from tachyon.cli.main import main; main()"
        command = [sys.executable, "-c", run, "collector", "--port", "0"]
        self._process = subprocess.Popen(
            [*command, "--config-file", str(self._config)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "http://" in line, f"the collector did not start: {self._process.wait()}"
        self.url = line.split()[-1].removesuffix("/healthcheck")

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    def get(self, path: str) -> str:
        """Return what the collector answers to GET."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return str(answer.read().decode())

    def kill(self) -> None:
        """End it without a chance to clean up."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """End it cleanly; return its exit status."""
        os.kill(self.pid, signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        assert self._process is not None
        status = self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status
