"""For the processes of one tempest run: tests that are skipped for a known bug do run.

Python looks for a module of this name when it starts and takes the first on its path. The
testbed's, which boots servers without networks, is the next one, and is run as well.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

try:
    from tempest.lib import decorators
except ImportError:  # another program, with the same environment
    pass
else:
    decorators.skip_because = lambda *_, **__: lambda test: test

for folder in sys.path[1:]:
    other = Path(folder) / "sitecustomize.py"
    if other.is_file() and not other.samefile(__file__):
        runpy.run_path(str(other))
        break
