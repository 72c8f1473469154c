"""Create an environment: beside its place, then renamed, so that it is whole or not there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import HarnessError
from ..registry import Backend, backends
from .created import sweep
from .environment import MARK, VERSION, Environment, created_folder, interpreter_of, this_python
from .failure import NO_PYTHON, explain, one_line
from .installer import Step, find_uv, with_pip, with_uv
from .launch import inherited
from .pythons import find_python
from .requirements import check_requirements, distribution

Progress = Callable[[str], None]
#: imports what an environment is for, and prints its Python and packages
CHECK = """
import importlib, importlib.metadata, json, platform, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
found = sorted({f"{item.metadata['Name']}=={item.version}" for item in importlib.metadata.distributions()})
print(json.dumps({"python": platform.python_version(), "packages": found}))
"""


def create(environment: Environment, installer: str = "", progress: Progress = print) -> Path:
    """Create an environment, unless it is there.

    Args:
        environment: what is to be created.
        installer: `uv` or `pip`; uv where there is one when empty.
        progress: told what is being done, a line at a time.

    Returns:
        Its folder.

    Raises:
        UsageError: one of its requirements is none.
        HarnessError: it cannot be had here; the text says why in one line. Nothing is left behind but the installer's log.
    """
    if environment.created:
        return environment.folder
    if not environment.requirements:
        raise HarnessError(f"{environment.name} has no requirements: there is nothing to create")
    check_requirements(f"{environment.name}.toml", (*environment.requirements, *environment.build))
    sweep()
    place = environment.folder
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    log = created_folder() / "logs" / f"{place.name}.txt"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", encoding="utf-8")
        for step in steps(environment, installer, beside):
            call(environment, step, log, progress)
        facts = check(environment, beside, log, progress)
        (beside / MARK).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        if not environment.created:  # else another process was faster
            shutil.rmtree(place, ignore_errors=True)  # what an interrupted removal has left
            beside.rename(place)
    except OSError as problem:
        raise HarnessError(f"{environment.name}: {problem.strerror or problem}", str(problem.filename or "")) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        beside.with_suffix(".constraints").unlink(missing_ok=True)
    return place


def steps(environment: Environment, installer: str, folder: Path) -> Iterator[Step]:
    """The commands that make it.

    Raises:
        HarnessError: there is no such installer or Python here.
    """
    uv = None if installer == "pip" else find_uv()
    if installer == "uv" and uv is None:
        raise HarnessError("uv is not installed: pip install uv")
    constraints = None
    if environment.build:
        constraints = folder.with_suffix(".constraints")
        constraints.write_text("\n".join(environment.build) + "\n", encoding="utf-8")
    named = any(distribution(text) == "numpy" for text in environment.requirements)
    requirements = [*environment.requirements, *([] if named else ["numpy"])]  # a worker cannot do without
    python = interpreter(environment, uv)
    return with_uv(uv, python, folder, requirements, constraints) if uv else with_pip(python, folder, requirements, constraints)


def interpreter(environment: Environment, uv: str | None) -> str:
    """What it is made from: a path, or a version that uv can download.

    Raises:
        HarnessError: there is none.
    """
    wanted = environment.python or this_python()
    if not VERSION.fullmatch(wanted):
        path = Path(wanted).expanduser()
        if not path.is_file():
            raise HarnessError(f"{environment.name}: no interpreter at {wanted}")
        return str(path)
    found = find_python(wanted, uv)
    if found is None and uv is None:
        raise HarnessError(
            f"{environment.name}: it needs Python {wanted}, and there is none here",
            f"pyenv install {wanted}, or pip install uv, which downloads it",
        )
    return found or wanted


def call(environment: Environment, step: Step, log: Path, progress: Progress) -> None:
    """Run one command, with all that it started ended when it is interrupted.

    Raises:
        HarnessError: it failed.
    """
    group = {} if os.name == "nt" else {"start_new_session": True}
    with (
        log.open("a", encoding="utf-8") as kept,
        subprocess.Popen(
            step.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**inherited(), **environment.variables, **step.variables}, **group,  # type: ignore[call-overload]
        ) as process,
    ):  # fmt: skip
        try:
            for line in process.stdout:
                kept.write(line)
                if line.strip():
                    progress(one_line(line))
        except BaseException:
            end(process)
            raise
    if process.returncode:
        raise failed(environment, log)


def end(process: subprocess.Popen[str]) -> None:
    """End a command and what it started."""
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def failed(environment: Environment, log: Path) -> HarnessError:
    """Why a command failed."""
    printed = log.read_text("utf-8", "replace")
    reason = explain(printed)
    if reason == NO_PYTHON:
        reason = f"it needs Python {environment.python}: {reason}"
    return HarnessError(f"{environment.name}: {reason}", f"all that was printed: {log}")


def check(environment: Environment, folder: Path, log: Path, progress: Progress) -> dict[str, object]:
    """Import what the environment is for, in one of its backend's modes; what is written down of it.

    Raises:
        HarnessError: it cannot be imported.
    """
    known = backends().get(environment.backend) or Backend("numpy", "", {"numpy": ""})
    failures = []
    for mode in known.modes:
        names = list(dict.fromkeys(["numpy", *known.needs(mode)]))
        progress(f"importing {', '.join(names)}")
        done = subprocess.run(
            [str(interpreter_of(folder)), "-c", CHECK, *names], capture_output=True, text=True, errors="replace", check=False,
            env={**inherited(), **known.variables(mode), **environment.variables},
        )  # fmt: skip
        if done.returncode == 0:
            return description(environment, folder, json.loads(done.stdout.splitlines()[-1]))
        failures.append((names, done))
    names, done = failures[0]
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
    raise HarnessError(
        f"{environment.name}: installed, but import {', '.join(names[1:] or names)} fails: {one_line(lines[-1])}",
        f"all that was printed: {log}",
    )


def description(environment: Environment, folder: Path, facts: dict[str, object]) -> dict[str, object]:
    """What is written into a created environment."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        "name": environment.name, "key": environment.key, "backend": environment.backend,
        "requirements": list(environment.requirements), "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "megabytes": round(size / 1e6, 1), **facts,
    }  # fmt: skip
