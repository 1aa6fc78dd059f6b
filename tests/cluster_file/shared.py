"""Where the tests of this folder find data."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Small inputs that belong to the project.
DATA = ROOT / "tests" / "data"
#: Public data sets that do not: they are looked for beside the checkout.
SHARED = ROOT.parent / "shared" / "data"


def shared(name: str) -> Path:
    """Return the path of shared data, or skip the test that asks for it."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs the shared data set {name}, expected in ../shared/data")
    return path
