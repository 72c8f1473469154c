"""`harness doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..report.formats import words
from . import options
from .answer import plain, write
from .console import notice
from .progress import Work

if TYPE_CHECKING:
    from ..registry import Arm

#: versions that compute wrong results here, with the report
KNOWN_WRONG = {("jaxlib", "0.10.2"): "computes wrong results on CPU: https://github.com/jax-ml/jax/issues/39103"}


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Start every arm and run a few steps of XOR with it.")
@options.backends
@options.forms
@options.quiet
def command(deep: bool, files: tuple[str, ...], form: str | None, table: str | None, quiet: bool) -> None:
    """Say which frameworks work here, and what is missing and how to get it.

    \b
    Examples:
      python -m harness doctor
      python -m harness doctor --deep
    """
    from ..registry import refused
    options.add_backends(files)
    rows = arms()
    if deep:
        rows = all_tried(rows, quiet)
    facts = machine()
    lead = (
        f"harness {facts['harness']}, Python {facts['python']}, {facts['system']}, {facts['cpu']}, "
        f"{facts['cores']} cores, {facts['memory']}",
        f"load {facts['load']}; {facts['measured']}; C++ compiler: {facts['compiler']}",
    )
    columns = dict.fromkeys(("arm", "version", "state", "arithmetic"), words)
    write(plain("harness.doctor/1", {"arms": rows}, columns, lead, machine=facts), form, table)
    good = [row for row in rows if row["state"].startswith(("ready", "works"))]
    if len(good) < len(rows):
        notice(f"{len(good)} of {len(rows)} arms are ready")
    for line in refused():
        notice(f"left out: {line}")
    sys.exit(3 if any(row["state"].startswith("fails") for row in rows) else 0)


def all_tried(rows: list[dict[str, Any]], quiet: bool) -> list[dict[str, Any]]:
    """Every arm that can start, with what it computes."""
    with Work("trying", quiet) as work:
        found = []
        for number, row in enumerate(rows):
            if row["state"].startswith("ready"):
                work(row["arm"], number, len(rows))
            found.append({**row, **tried(row["arm"])} if row["state"].startswith("ready") else row)
        return found


def machine() -> dict[str, Any]:
    """The machine in words."""
    import psutil

    from .. import __version__
    from ..records.provenance import cpu_name, load

    full = "memory, threads and load are measured"
    partly = (
        "peak memory and busy threads are not measured on Windows"
        if os.name == "nt"
        else "busy threads are not measured on macOS"
    )
    return {
        "harness": __version__, "python": platform.python_version(), "system": platform.system(), "cpu": cpu_name(),
        "cores": psutil.cpu_count(), "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB", "load": load(),
        "measured": full if sys.platform == "linux" else partly,
        "compiler": next((name for name in ("g++", "clang++", "cl") if shutil.which(name)), "none (torch:compile needs one)"),
    }  # fmt: skip


def arms() -> list[dict[str, Any]]:
    """Every arm, its version and whether it can start; nothing is imported."""
    from ..registry import Arm, backends

    distributions = importlib.metadata.packages_distributions()
    return [
        {"arm": arm.name, **about(arm, distributions)}
        for found in backends().values()
        for arm in (Arm(found.name, mode) for mode in found.modes)
    ]


def about(arm: Arm, distributions: Any) -> dict[str, str]:
    """Version and state of one arm."""
    from ..environments import environment_of, why_missing
    from ..registry import backend

    found, own = backend(arm), environment_of(arm)
    if found.problem:
        return {"version": "", "state": f"refused: {found.problem}"}
    missing = why_missing(arm)
    if own is not None:
        return {"version": " ".join(own.requirements[:1]), "state": missing or f"ready in {own.name}"}
    if missing:
        return {"version": "", "state": missing}
    versions = {name: version(name, distributions) for name in found.needs(arm.mode)}
    wrong = [
        text
        for (name, bad), text in KNOWN_WRONG.items()
        if (name in versions or name == f"{found.name}lib") and version(name, distributions) == bad
    ]
    shown = ", ".join(f"{name} {text}" for name, text in versions.items())
    return {"version": shown, "state": f"wrong version: {wrong[0]}" if wrong else "ready"}


def version(name: str, distributions: Any) -> str:
    """Version of what is installed under an import name: `tensorflow` may come from `tensorflow-cpu`."""
    for distribution in distributions.get(name, []):
        return importlib.metadata.version(distribution)
    return ""


def tried(arm: str) -> dict[str, str]:
    """Whether an arm really computes: a few steps of XOR, held against the reference."""
    import tempfile

    from ..execution.run import run

    tree = {
        "name": "doctor",
        "data": {"type": "xor"},
        "model": {"layers": [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 2}]},
        "train": {"loss": "softmax_cross_entropy", "optimizer": {"type": "sgd", "learning_rate": 0.5}, "steps": 10},
    }
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        record = run(tree, arms=[arm], results=Path(folder), timing="none", probes=False).arms[0]
    faults = [*(record.facts.get("faults") or ()), *(record.facts.get("preflight") or {}).get("problems", ())]
    if record.status == "ok" and record.facts["verdict"] == "agrees" and not faults:
        return {"state": "works", "arithmetic": arithmetic(record.facts["preflight"])}
    if record.status in ("unsupported", "missing"):
        return {"state": f"{record.status}: {record.reason}"}
    return {"state": f"fails: {'; '.join(faults or ()) or record.reason or 'its numbers differ'}"}


def arithmetic(found: dict[str, Any]) -> str:
    """What was measured of an arm before its numbers, in words."""
    return f"float32 of {found['bits']} bits, subnormals {found['subnormals']}" if "bits" in found else ""
