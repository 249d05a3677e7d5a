"""The command line, with one file per command, which imports large libraries only when called."""

from __future__ import annotations

import errno
import gc
import inspect
import io
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from tune_robust.cli import (
    audit,
    compare,
    confirm,
    datasets,
    doctor,
    export,
    plan,
    replay,
    report,
    resume,
    search,
    spaces,
    status,
    train,
)
from tune_robust.cli.help_text import help_text
from tune_robust.errors import UserError
from tune_robust.formatting import visible

_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What writing to a full or broken device answers; the library's own files are named with it."""


def _print_version(asked: bool) -> None:
    if asked:
        print(f"tune-robust {version('tune-robust')}")
        raise typer.Exit


def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Find the training configuration that generalises best under wrong labels."""


app = typer.Typer(
    name="tune-robust",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for verb in (
    plan,
    search,
    resume,
    status,
    confirm,
    export,
    audit,
    train,
    report,
    compare,
    replay,
    doctor,
):
    app.command()(getattr(verb, verb.__name__.rpartition(".")[2]))
app.callback()(_options)
app.add_typer(spaces.app, name="spaces")
app.add_typer(datasets.app, name="datasets")
for group in (app, spaces.app, datasets.app):
    for command in group.registered_commands:
        command.help = help_text(inspect.getdoc(command.callback) or "")


def main() -> None:
    """Run the command line; a user's error gives a message and exit code 2, not a traceback."""
    # What the large libraries create stays: by default, looking for garbage in it again and again
    # takes a tenth of the time to import them.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):
        # A terminal with another encoding shows a question mark for unknown characters.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except UserError as error:
        print(f"Error: {visible(str(error))}", file=sys.stderr, flush=True)
        ray = sys.modules.get("ray")
        if ray is not None and ray.is_initialized():
            # One of its processes has died: the end of this process would wait for it.
            os._exit(error.exit_code)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of the output has ended (`| head`).
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.filename is None and error.errno not in _CANNOT_WRITE:
            raise
        where = "standard output" if error.filename is None else visible(str(error.filename))
        print(f"Error: {where}: {error.strerror}.", file=sys.stderr)
        if error.filename is None:  # what is left to be written is not tried again at the exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)
