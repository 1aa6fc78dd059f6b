"""The client's commands, as an operator types them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.interop_control.environment import interpreter


class Result(Struct):
    """What a command came to."""

    status: int
    out: str
    err: str


class Client:
    """`openstack optimize …` and `watcher …` as a user of a Keystone."""

    def __init__(
        self,
        auth_url: str,
        user: str,
        version: str = "1.5",
        *,
        password: str = "secret",
        project: str = "p",
    ) -> None:
        self.version = version
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._process = subprocess.Popen(
            [interpreter(), Path(__file__).with_name("client_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **environ,
                "OS_AUTH_URL": auth_url,
                "OS_USERNAME": user,
                "OS_PASSWORD": password,
                "OS_PROJECT_NAME": project,
                "OS_USER_DOMAIN_NAME": "Default",
                "OS_PROJECT_DOMAIN_NAME": "Default",
                "OS_IDENTITY_API_VERSION": "3",
            },
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def run(self, program: str, *arguments: str) -> Result:
        """Run a program; return what it came to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([program, *arguments]) + "\n")
        self._process.stdin.flush()
        return Result(**json.loads(self._process.stdout.readline()))

    def optimize(self, *words: str, version: str | None = None) -> Result:
        """Run `openstack optimize …`."""
        chosen = version or self.version
        return self.run("openstack", "--os-infra-optim-api-version", chosen, "optimize", *words)

    def ok(self, *words: str, version: str | None = None) -> Any:
        """Run a command that must succeed; return what it shows, as JSON where it can."""
        shows = words[1] in ("list", "show", "create", "state", "update", "start", "cancel")
        quiet = words[:2] in (("audittemplate", "update"),)
        asked = (*words, "-f", "json") if shows and not quiet else words
        done = self.optimize(*asked, version=version)
        assert done.status == 0, (words, done.out, done.err)
        return json.loads(done.out) if asked != words and done.out.strip() else done.out

    def fails(self, *words: str, version: str | None = None) -> str:
        """Run a command that must fail; return what it says."""
        done = self.optimize(*words, version=version)
        assert done.status != 0, (words, done.out)
        return done.err
