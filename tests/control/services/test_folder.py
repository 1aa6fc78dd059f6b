"""Where the all-in-one keeps what it knows."""

from __future__ import annotations

from pathlib import Path

from tachyon import conf as options
from tachyon.control.all_in_one import in_folder


def test_everything_lies_in_the_folder_unless_the_options_say_where(tmp_path: Path) -> None:
    """Two of them in two folders share nothing; a database that was named stays."""
    conf = options.load()
    in_folder(conf, tmp_path)
    assert conf.database.connection == f"sqlite:///{tmp_path / 'control.db'}"
    assert conf.graph.url == f"sqlite:///{tmp_path / 'graph.db'}"
    conf = options.load()
    conf.set_override("connection", "sqlite:///mine.db", group="database")
    in_folder(conf, tmp_path)
    assert conf.database.connection == "sqlite:///mine.db"
