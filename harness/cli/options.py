"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import complete

results = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of all results.",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="No progress.")
timings = click.option("--timings/--no-timings", default=True, show_default=True, help="Whether steps are timed too.")

#: heading -> the options below it, by their parameters
GROUPS = {
    "Arms": ("arms", "arm", "files", "targets"),
    "What is drawn": ("over", "directions", "through", "grid", "rows", "every", "x", "y"),
    "The experiment, for this once": ("sets", "dtype", "device", "threads", "seed"),
    "What is done": ("timing", "probes", "native", "sweeps", "steps", "as_schema"),
    "What is written": ("results", "output", "opened", "force", "form", "table", "quiet"),
}


class Grouped(click.Command):
    """A command of many options: its help shows them in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The groups that there are; what is in none comes last."""
        headings = {name: heading for heading, names in GROUPS.items() for name in names}
        records: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                records.setdefault(headings.get(parameter.name or "", "Options"), []).append(record)
        for heading in (*GROUPS, "Options"):
            if heading in records:
                with formatter.section(heading):
                    formatter.write_dl(records[heading])


#: what `--format` takes everywhere, and where there is something to say to a pull request
FORMS = ("md", "csv", "latex", "json")
COMMENTED = (*FORMS, "github")


def forms(command: Callable[..., Any]) -> Callable[..., Any]:
    """In which form the answer is written: `form` and `table`, for harness.cli.answer."""
    return of_forms(command, FORMS, "")


def forms_and_comment(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and a comment for a pull request."""
    return of_forms(command, COMMENTED, "; github: a comment for a pull request")


def of_forms(command: Callable[..., Any], choices: tuple[str, ...], more: str) -> Callable[..., Any]:
    """The options of some forms."""
    own = click.option(
        "--format", "form", type=click.Choice(choices),
        help=f"md: tables as in a pipe; csv: one table, all columns, exact; latex: for booktabs{more}.",
    )  # fmt: skip
    short = click.option("--json", "form", flag_value="json", help="One JSON document: everything. Short for --format json.")
    one = click.option("--table", metavar="NAME", help="Only this table; a wrong name is told the right ones.")
    return own(short(one(command)))


def timing(command: Callable[..., Any]) -> Callable[..., Any]:
    """How much is timed."""
    chosen = click.option(
        "--timing", type=click.Choice(["none", "smoke", "standard", "careful"]), default="smoke", show_default=True,
        help="How much is timed: smoke is indicative; standard ranks what is proved (minutes); careful ranks small differences too.",
    )  # fmt: skip
    short = click.option("--no-timings", "timing", flag_value="none", help="Short for --timing none.")
    return chosen(short(command))


probes = click.option(
    "--probes/--no-probes", default=True, show_default=True, help="Whether steps that training does not bring are tried too."
)
native = click.option("--native", is_flag=True, help="Also try each framework's own defaults: what does each of them move?")
arms = click.option(
    "-a",
    "--arm",
    "arms",
    multiple=True,
    metavar="ARM",
    shell_complete=complete.arms,
    help='What is compared instead: backend[:mode][@environment] or "backend[requirements]"; repeat it or use commas.',
)
backends = click.option(
    "-b",
    "--backend",
    "files",
    multiple=True,
    metavar="FILE",
    help="An adapter in a file of your own, known by the file's name; repeatable.",
)


def add_backends(files: tuple[str, ...]) -> None:
    """Make adapters in files known."""
    from ..registry import add_file

    for file in files:
        add_file(Path(file))


def split_arms(values: tuple[str, ...]) -> list[str]:
    """`--arm torch,jax --arm numpy` as a list."""
    from ..registry import split

    return [name for value in values for name in split(value)]


def changes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that change an experiment for one run."""
    for option in (
        click.option(
            "--set", "sets", multiple=True, metavar="KEY=VALUE", shell_complete=complete.keys,
            help="Change the experiment, e.g. train.epochs=1; repeatable.",
        ),
        click.option("--seed", type=int, help="Short for --set compare.seed=."),
        click.option("--threads", type=int, help="Short for --set compare.threads=."),
        click.option("--device", help="Short for --set compare.device=: cpu or gpu."),
        click.option("--dtype", help="Short for --set compare.dtype=: float32 or float64."),
    ):
        command = option(command)
    return command


def changed(sets: tuple[str, ...], **short: object) -> list[str]:
    """All changes as `KEY=VALUE`."""
    return [*sets, *(f"compare.{name}={value}" for name, value in short.items() if value is not None)]
