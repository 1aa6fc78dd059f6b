"""Which datasources a decision engine starts with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachyon import conf as options
from tachyon.cli.all_in_one import emulated
from tachyon.control.all_in_one import AllInOne, in_folder
from tachyon.errors import ConfigurationError
from tachyon.graph.generator import generate
from tachyon.openstack.emulator import AT_ONCE


@pytest.mark.parametrize("group", ["watcher_datasources", "watcher_strategies.basic"])
@pytest.mark.parametrize(
    ("names", "said"),
    [(["prometheus"], "prometheus"), (["aetos"], "aetos"), (["abacus"], "abacus")],
)
def test_an_engine_does_not_start_with_datasources_that_cannot_be_used(
    tmp_path: Path, names: list[str], said: str, group: str
) -> None:
    """One without its options, one that the cloud does not have, one that nobody installed."""
    conf = options.load()
    in_folder(conf, tmp_path)
    conf.set_override("datasources", names, group=group)
    conf.set_override("enable_authentication", False)
    conf.set_override("port", 0, group="api")
    with (
        emulated(conf, generate(2, 4, seed=1), AT_ONCE),
        pytest.raises(ConfigurationError, match=said),
        AllInOne(conf),
    ):
        pass
