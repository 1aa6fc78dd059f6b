"""The entry point of the `tachyon` command, and how it ends.

Exit codes: 0 done; 1 it could not be done (a conflict, a store that does not answer, a defect);
2 the command, its input or a name in it is wrong; 130 interrupted. An error is one line on stderr.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence

import click

from tachyon.cli.all_in_one import all_in_one
from tachyon.cli.api import api
from tachyon.cli.applier import applier
from tachyon.cli.audit import audit
from tachyon.cli.capture import capture
from tachyon.cli.clusters import export_command, generate_command, import_command
from tachyon.cli.collector import collector
from tachyon.cli.db import db
from tachyon.cli.decision_engine import decision_engine
from tachyon.cli.doctor import doctor
from tachyon.cli.emulate import emulate
from tachyon.cli.graph import graph
from tachyon.cli.plugins import plugins
from tachyon.cli.simulate import simulate
from tachyon.cli.status import status
from tachyon.cli.sync import sync
from tachyon.errors import InvalidInput, NotFound, TachyonError

FAILED, WRONG, INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tachyon")
@click.option("--verbose", is_flag=True, help="Say more, and show where a failure comes from.")
@click.pass_context
def cli(context: click.Context, verbose: bool) -> None:
    """Optimise OpenStack clouds: audits, what-if simulations and the cluster graph."""
    context.obj = {"verbose": verbose}
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, stream=sys.stderr)


for command in (
    audit,
    simulate,
    import_command,
    export_command,
    generate_command,
    collector,
    capture,
    doctor,
    emulate,
    graph,
    plugins,
    api,
    db,
    status,
    all_in_one,
    decision_engine,
    applier,
    sync,
):
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; errors are told, never raised."""
    verbose = "--verbose" in arguments
    try:
        result = cli.main(args=list(arguments), prog_name="tachyon", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        _tell("interrupted")
        return INTERRUPTED
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing more can be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except TachyonError as error:
        if verbose:
            traceback.print_exc()
        _tell(f"error: {error.message}")
        return WRONG if isinstance(error, InvalidInput | NotFound) else FAILED
    except OSError as error:
        if verbose:
            traceback.print_exc()
        _tell(f"error: {error.filename or 'system'}: {error.strerror or error}")
        return FAILED
    except Exception as error:
        if verbose:
            traceback.print_exc()
        _tell(f"internal error: {type(error).__name__}: {error} (--verbose shows where)")
        return FAILED
    return result if isinstance(result, int) else 0


def _tell(text: str) -> None:
    print("tachyon: " + " ".join(text.split()), file=sys.stderr)


def main() -> None:
    """Run the command of this process."""
    sys.exit(run(sys.argv[1:]))
