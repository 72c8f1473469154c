"""The command line: one file a command, each imported when it is used, so that help is instant."""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..errors import HarnessError
from .console import survive_any_encoding

#: by this variable a shell asks what could stand behind a TAB
ASKED = "_HARNESS_COMPLETE"

COMMANDS = {
    "run": "Run an experiment through all its frameworks.",
    "report": "Write a run as one page that opens without a network.",
    "surface": "Draw the loss as a landscape, with every framework's way down.",
    "compare": "Show saved runs, one or several side by side.",
    "reduce": "Cut a difference down to the smallest experiment that shows it.",
    "export": "Write an experiment as plain scripts, one a framework.",
    "reproduce": "Run the committed tables again: do they still hold?",
    "check": "Check experiments without running them.",
    "explain": "Explain any word: a layer, a column, an error, an option ...",
    "list": "List experiments, runs, arms, layers, data sets ...",
    "doctor": "Say which frameworks work here, and what is missing.",
    "env": "Environments: other versions and other frameworks.",
    "new": "Write an experiment, or a backend, to start from.",
    "completion": "Make the shell complete harness with TAB.",
    "conformance": "Try every law that a backend has to obey.",
}


class Commands(click.Group):
    """The commands, by name, without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"harness.cli.{cmd_name}_command").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Say what may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            close = difflib.get_close_matches(args[0], list(COMMANDS), 1)
            if close and "did you mean" not in problem.message.lower():
                raise click.UsageError(f"{problem.message} Did you mean {close[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line each, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    name="harness",
    epilog="Start here: python -m harness run experiments/xor.toml",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="harness")
def harness() -> None:
    """Run one experiment through NumPy, PyTorch, Keras, TensorFlow and JAX, and see whether they agree, what each costs, and
    whether the committed results still hold."""


def main() -> None:
    """The program: every problem ends in one clear line and its exit code."""
    survive_any_encoding()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is done is saved
    try:
        code = harness.main(prog_name="python -m harness", complete_var=ASKED, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        code = interrupted()
    except KeyboardInterrupt:
        code = interrupted()
    except click.ClickException as problem:
        problem.show()
        code = 2
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except HarnessError as problem:
        click.echo(str(problem) if "error[" in str(problem) else f"error: {problem}", err=True)
        code = problem.exit_code
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except OSError as problem:
        click.echo(f"error: {problem.strerror or problem}{': ' + str(problem.filename) if problem.filename else ''}", err=True)
        code = 3
    except Exception as problem:
        code = bug(problem)
    sys.exit(code if isinstance(code, int) else 0)


def interrupted() -> int:
    """Ctrl-C outside a run's own time: before there was anything to save, or after all of it was."""
    click.echo("interrupted", err=True)
    return 130


def bug(problem: Exception) -> int:
    """A bug of ours: the story with HARNESS_DEBUG=1, one line otherwise."""
    if os.environ.get("HARNESS_DEBUG"):
        traceback.print_exc()
    where = traceback.extract_tb(problem.__traceback__)[-1]
    click.echo(
        f"bug in harness: {type(problem).__name__}: {problem} ({Path(where.filename).name}:{where.lineno})\n"
        "  set HARNESS_DEBUG=1 and run it again for the whole story, and report it please",
        err=True,
    )
    return 4
