"""Neo4j Community from Maven's jars: no container, no system service, no account to create.

The jars are fetched once into the cache directory and a class of thirty lines
(``neo4j_server/BoltServer.java``) opens Bolt on them, which is Neo4j's own documented way to embed
it. Line 5.26 is the long-term one and the last that runs on Java 17.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import neo4j

from tests.servers.packages import apt_install, cache_directory, installation_lock
from tests.servers.process import HOST, Server, ServerError, run

NEO4J_VERSION = "5.26.30"
JAVA_VERSIONS = (17, 21)

_SOURCES = Path(__file__).parent / "neo4j_server"
_JVM_OPTIONS = (
    "-Xmx3g",  # a first synchronisation of 5,000 hosts and 100,000 instances in one transaction
    "-XX:+UseParallelGC",  # two cores: quicker to start than G1, and nobody measures pauses
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
)


class Neo4j(Server):
    """One Neo4j server with its single database ``neo4j``.

    Args:
        password: Of the user ``neo4j``. Without one, authentication is off.
        warm_up: Let the JVM compile hot code to the full. For measurements: it doubles the time
            and the processor that a start takes, and a short-lived server never gets it back.
    """

    name = "neo4j"
    start_timeout = 180.0

    def __init__(self, password: str | None = None, *, warm_up: bool = False) -> None:
        super().__init__()
        self.password = password
        self.warm_up = warm_up
        self._java = ""
        self._jars = Path()
        self._classes = Path()

    def install(self) -> None:
        with installation_lock():
            self._java = str(_java_home() / "bin" / "java")
            self._jars = _fetch_jars()
            self._classes = _compile_launcher(self._jars)

    def initialise(self) -> None:
        """Nothing to do: the server makes its own files."""

    def command(self) -> list[str]:
        return [
            self._java,
            *_JVM_OPTIONS,
            *(() if self.warm_up else ("-XX:TieredStopAtLevel=1",)),
            *("-cp", f"{self._jars}/*:{self._classes}"),
            "BoltServer",
            str(self.directory / "home"),
            str(self.port),
        ]

    def environment(self) -> dict[str, str]:
        return {"NEO4J_TEST_PASSWORD": self.password} if self.password else {}

    def ping(self) -> None:
        # Auto-commit: a managed transaction would wait and retry by itself for half a minute.
        with (
            neo4j.GraphDatabase.driver(
                f"bolt://{HOST}:{self.port}", auth=self.auth, connection_timeout=5
            ) as driver,
            driver.session(database="neo4j") as session,
        ):
            session.run("RETURN 1").consume()

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password for the driver, or None where authentication is off."""
        return ("neo4j", self.password) if self.password else None

    @property
    def url(self) -> str:
        user = f"neo4j:{self.password}@" if self.password else ""
        return f"bolt://{user}{HOST}:{self.port}"


def _java_home() -> Path:
    """Return the home of a JDK that this line of Neo4j supports; install one if need be."""
    if (home := _find_java_home()) is None:
        apt_install("openjdk-17-jdk-headless")
        home = _find_java_home()
    if home is None:
        raise ServerError(f"Neo4j {NEO4J_VERSION} needs a JDK of version 17 or 21; none is found")
    return home


def _find_java_home() -> Path | None:
    candidates = [Path(home) for home in [os.environ.get("JAVA_HOME")] if home]
    if compiler := shutil.which("javac"):
        candidates.append(Path(compiler).resolve().parent.parent)
    candidates += sorted(Path("/usr/lib/jvm").glob("*"))
    for home in candidates:
        if (home / "bin" / "javac").exists() and _java_version(home) in JAVA_VERSIONS:
            return home
    return None


def _java_version(home: Path) -> int:
    answer = subprocess.run(
        [home / "bin" / "javac", "-version"], capture_output=True, text=True, check=False
    )
    number = re.search(r"javac (\d+)", answer.stdout + answer.stderr)
    return int(number[1]) if number else 0


def _fetch_jars() -> Path:
    """Return the directory of the server's jars; download them the first time."""
    jars = cache_directory() / f"neo4j-{NEO4J_VERSION}" / "lib"
    if jars.is_dir():
        return jars
    if shutil.which("mvn") is None:
        apt_install("maven")
    jars.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when complete: an interrupted download is never taken for the whole.
    partial = Path(tempfile.mkdtemp(prefix="lib-", dir=jars.parent))
    try:
        run(
            [
                "mvn",
                *("--batch-mode", "--quiet", f"--file={_SOURCES / 'pom.xml'}"),
                "dependency:copy-dependencies",
                f"-Dneo4j.version={NEO4J_VERSION}",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={partial}",
            ]
        )
        partial.rename(jars)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return jars


def _compile_launcher(jars: Path) -> Path:
    """Return the directory of the compiled launcher, kept beside the jars by its contents."""
    source = _SOURCES / "BoltServer.java"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    classes = jars.parent / f"launcher-{digest}"
    if classes.is_dir():
        return classes
    partial = Path(tempfile.mkdtemp(prefix="launcher-", dir=jars.parent))
    try:
        compiler = str(_java_home() / "bin" / "javac")
        run([compiler, "-cp", f"{jars}/*", "-d", str(partial), str(source)])
        partial.rename(classes)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return classes
