"""Runs in the client's environment: commands in, one JSON list a line; results out, likewise.

One process for many commands, as each would take seconds to start; each command runs in a child of
its own, for the client keeps the version of its first request for all that follow.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import warnings


def run(program: str, arguments: list[str]) -> dict[str, object]:
    """Run `openstack` or `watcher` with arguments; return its exit status and what it wrote."""
    if program == "openstack":
        from openstackclient.shell import main
    else:
        from watcherclient.shell import main
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = ended.code
    return {"status": int(status or 0), "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    import watcherclient.osc.plugin
    import watcherclient.shell  # noqa: F401 - what is imported here need not be in each child

    for line in sys.stdin:
        program, *arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            print(json.dumps(run(program, arguments)), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
