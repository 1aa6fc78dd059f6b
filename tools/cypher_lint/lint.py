"""Have Neo4j's own parser check every Cypher text that the Neo4j store sends.

A store that other tests run on a stand-in, or not at all, still never ships a statement that
Neo4j would refuse. Run by ``make lint``. The checker is an npm package; it is installed from
``package-lock.json`` into the user's cache directory the first time.

Before it judges the statements, the checker has to prove itself on ``samples.json``: one that
finds nothing at all would otherwise look like a clean bill of health.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

HERE = Path(__file__).resolve().parent


class Finding(TypedDict):
    """One thing that the checker has to say about a statement."""

    name: str
    severity: str
    line: int
    column: int
    message: str


def main() -> int:
    """Return 0 when every statement is well-formed, 1 when any is not."""
    # Not optional: without the module there is nothing to check, which is a failure.
    from tachyon.graph.store.neo4j.statements import STATEMENTS

    modules = install()
    prove_the_checker(modules)
    findings = check(STATEMENTS, modules)
    for found in findings:
        print(
            f"cypher: {found['severity']} in {found['name']}, "
            f"line {found['line']}, column {found['column']}: {found['message']}"
        )
        if found["severity"] == "error":
            print(f"    {STATEMENTS[found['name']].splitlines()[found['line'] - 1].strip()}")
    wrong = {found["name"] for found in findings if found["severity"] == "error"}
    print(f"cypher: {len(STATEMENTS)} statements checked, {len(wrong)} with errors")
    return 1 if wrong or not STATEMENTS else 0


def prove_the_checker(modules: Path) -> None:
    """Exit with a message unless the checker tells good statements from bad ones."""
    samples: dict[str, list[str]] = json.loads((HERE / "samples.json").read_text())
    good, bad = set(samples["good"]), set(samples["bad"])
    texts = {text: text for text in good | bad}
    refused = {found["name"] for found in check(texts, modules) if found["severity"] == "error"}
    if refused != bad:
        sys.exit(
            f"cypher: the checker itself is wrong about samples: refuses {sorted(refused & good)}, "
            f"accepts {sorted(bad - refused)}"
        )


def check(statements: Mapping[str, str], modules: Path) -> list[Finding]:
    """Return what the checker says about statements, by name."""
    lines = (json.dumps({"name": name, "cypher": text}) + "\n" for name, text in statements.items())
    done = subprocess.run(
        ["node", HERE / "check.cjs"],
        input="".join(lines),
        env=os.environ | {"NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"cypher: the checker failed with {done.returncode}:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def install() -> Path:
    """Return the directory of the npm modules; install them the first time."""
    lock = HERE / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tachyon"
    ready = cache / f"cypher-lint-{digest}"
    if not ready.is_dir():
        if shutil.which("npm") is None:
            sys.exit("cypher: npm is needed to install Neo4j's Cypher checker; please install")
        cache.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="cypher-lint-", dir=cache))
        try:
            for file in ("package.json", "package-lock.json"):
                shutil.copy(HERE / file, partial)
            # The package's own claim on Node.js is newer than what it needs: a warning at most.
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=partial, check=True, stdin=subprocess.DEVNULL)
            if not ready.is_dir():  # another process may have been quicker
                partial.rename(ready)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return ready / "node_modules"


if __name__ == "__main__":
    sys.exit(main())
