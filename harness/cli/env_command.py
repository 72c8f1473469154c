"""`harness env`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import HarnessError, UsageError
from ..report.formats import fixed, words
from . import complete, options
from .answer import plain, write
from .console import notice, result
from .progress import Work

if TYPE_CHECKING:
    from ..environments import Environment

all_of_them = click.option("--all", "everything", is_flag=True, help="All of them.")
names_argument = click.argument("names", metavar="NAME...", nargs=-1, shell_complete=complete.environments)


@click.group("env")
def command() -> None:
    """Environments: other versions and other frameworks, each in a world of its own.

    An environment is one small TOML file: backend, python, requirements, variables, notes. Shipped ones lie in
    backends/environments; your own go into a folder of HARNESS_ENVIRONMENTS, or into `environments` in your configuration
    folder. A NAME is a file's name without .toml, or an arm such as jax@0.10.2, caffe2 or "jax[jax==0.10.0]".

    \b
    Examples:
      python -m harness env list
      python -m harness env create caffe2
      python -m harness run experiments/xor.toml --arm numpy --arm caffe2
    """


@command.command("list")
@options.forms
def list_command(form: str | None, table: str | None) -> None:
    """List environments: what is created, what could be.

    \b
    Example:
      python -m harness env list
    """
    from ..environments.created import created
    from ..environments.environment import created_folder
    from ..environments.files import environment_files, read_environment
    here, current = created(), set()
    rows: list[dict[str, Any]] = []
    for name, path in sorted(environment_files().items()):
        try:
            found = read_environment(path)
        except HarnessError as problem:
            rows.append({"environment": name, "state": f"wrong: {problem.message}"})
            continue
        rows.append(row(found, here))
        current.add(found.folder)
    for item in here:
        if item.folder not in current:
            state = "for one arm" if item.for_one_arm else "outdated"
            rows.append({"environment": item.name, "python": item.python, "state": state, "size": item.megabytes})
    columns = {**dict.fromkeys(("environment", "backend", "python", "state"), words), "size": fixed(0, " MB"), "requirements": words}
    write(plain("harness.environments/1", {"environments": rows}, columns, folder=str(created_folder())), form, table)
    notice(f"created ones lie in {created_folder()}")


def row(environment: Environment, here: list[Any]) -> dict[str, Any]:
    """One environment in the list."""
    made = next((item for item in here if item.folder == environment.folder), None)
    state = (
        "created" if made else "not created" if environment.requirements else "ready" if environment.ready else "no interpreter"
    )
    return {
        "environment": environment.name, "backend": environment.backend, "python": made.python if made else environment.python,
        "state": state, "size": made.megabytes if made else None, "requirements": " ".join(environment.requirements),
        "notes": " ".join(environment.notes.split()),
    }  # fmt: skip


@command.command("create")
@names_argument
@all_of_them
@click.option("--installer", type=click.Choice(["uv", "pip"]), help="uv where it is installed, else venv and pip.")
@options.backends
@options.quiet
def create_command(names: tuple[str, ...], everything: bool, installer: str | None, files: tuple[str, ...], quiet: bool) -> None:
    """Create environments. One that is there already is left as it is; a changed file makes a new one.

    \b
    Examples:
      python -m harness env create caffe2
      python -m harness env create --all
    """
    import time

    from ..environments.create import create

    options.add_backends(files)
    failures = 0
    for environment in chosen(names, everything, lambda found: bool(found.requirements)):
        if environment.created:
            result(f"{environment.name}: is there")
            continue
        start = time.perf_counter()
        try:
            with Work(environment.name, quiet) as work:
                create(environment, installer or "", work)
        except UsageError:
            raise
        except HarnessError as problem:
            failures += 1
            notice(f"error: {problem}")
            continue
        result(f"{environment.name}: created in {time.perf_counter() - start:.1f} s")
    sys.exit(3 if failures else 0)


@command.command("remove")
@names_argument
@all_of_them
@click.option("--outdated", is_flag=True, help="Those whose file has changed or gone.")
def remove_command(names: tuple[str, ...], everything: bool, outdated: bool) -> None:
    """Remove what was created under a name; the file stays.

    \b
    Examples:
      python -m harness env remove caffe2
      python -m harness env remove --outdated
    """
    from ..environments.created import created, remove
    from ..environments.files import environment_files, read_environment

    here = created()
    if outdated:
        current = {read_environment(path).folder for path in environment_files().values()}
        doomed = [item for item in here if item.folder not in current and not item.for_one_arm]
    elif everything:
        doomed = here
    else:
        wanted = {named(name).name for name in needed(names)}
        doomed = [item for item in here if item.name in wanted]
        for name in sorted(wanted - {item.name for item in doomed}):
            notice(f"{name}: is not created")
    for item in doomed:
        remove(item.folder)
        result(f"{item.name}: removed ({item.folder.name})")


@command.command("doctor", short_help="Say whether environments work.")
@names_argument
@all_of_them
@options.backends
@options.forms
@options.quiet
def doctor_command(
    names: tuple[str, ...], everything: bool, files: tuple[str, ...], form: str | None, table: str | None, quiet: bool
) -> None:
    """Say whether environments work: start each one's arms and hold a few steps of XOR against the reference.

    Exit code 3 when an environment has an arm that fails, or none that works.

    \b
    Example:
      python -m harness env doctor --all
    """
    from .doctor_command import tried

    options.add_backends(files)
    rows = []
    with Work("trying", quiet) as work:
        for environment in chosen(names, everything, lambda found: found.ready):
            for arm in arms_of(environment):
                work(arm)
                rows.append({"environment": environment.name, "arm": arm, **tried(arm)})
    write(plain("harness.environments/1", {"arms": rows}, dict.fromkeys(("environment", "arm", "state"), words)), form, table)
    works = {row["environment"] for row in rows if row["state"] == "works"}
    failing = any(row["state"].startswith("fails") or row["environment"] not in works for row in rows)
    sys.exit(3 if failing else 0)


def arms_of(environment: Environment) -> list[str]:
    """The arms that an environment is for; numpy where it names no backend."""
    from ..registry import backends

    if "[" in environment.name:
        return [environment.name]
    found = backends().get(environment.backend or "numpy")
    modes = found.modes if found is not None else {"": {}}
    return [f"{environment.backend or 'numpy'}{':' + mode if mode else ''}@{environment.name}" for mode in modes]


def chosen(names: tuple[str, ...], everything: bool, fits: Any) -> list[Environment]:
    """The environments that are meant."""
    from ..environments.files import environment_files, read_environment

    if everything:
        return [found for path in sorted(environment_files().values()) if fits(found := read_environment(path))]
    return [named(name) for name in needed(names)]


def needed(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that were given.

    Raises:
        UsageError: none.
    """
    if not names:
        raise UsageError("which environment?", "name one, or --all; harness env list shows them")
    return names


def named(name: str) -> Environment:
    """An environment by its name, or by an arm's.

    Raises:
        UsageError: there is none.
    """
    from ..environments import environment, environment_files, environment_of
    from ..registry import parse

    if name in environment_files():
        return environment(name)
    if "@" in name or "[" in name:
        found = environment_of(parse(name))
        if found is not None:
            return found
    return environment(name)
