"""`harness doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from . import console, options
from .console import notice, result, words

#: versions that compute wrong results here, with the report
KNOWN_WRONG = {("jaxlib", "0.10.2"): "computes wrong results on CPU: https://github.com/jax-ml/jax/issues/39103"}


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Start every arm and run a few steps of XOR with it.")
@options.as_json
def command(deep: bool, as_json: bool) -> None:
    """Say which frameworks work here, and what is missing and how to get it."""
    rows = arms()
    if deep:
        rows = [{**row, **tried(row)} for row in rows]
    if as_json:
        console.document({"schema": "harness.doctor/1", "machine": machine(), "arms": rows})
    else:
        facts = machine()
        result(
            f"harness {facts['harness']}, Python {facts['python']}, {facts['system']}, {facts['cpu']}, "
            f"{facts['cores']} cores, {facts['memory']}"
        )
        result(f"load {facts['load']}; {facts['measured']}; C++ compiler: {facts['compiler']}")
        result()
        console.table("", rows, {"arm": words, "version": words, "state": words})
    bad = [row for row in rows if row["state"] not in ("ready", "works")]
    if bad:
        notice(f"{len(rows) - len(bad)} of {len(rows)} arms are ready")
    sys.exit(3 if any(row["state"].startswith("fails") for row in rows) else 0)


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
    from ..registry import Arm, backends, not_installed

    distributions = importlib.metadata.packages_distributions()
    found = []
    for backend in backends().values():
        for mode in backend.modes:
            arm = Arm(backend.name, mode)
            lacking = not_installed(arm)
            versions = {name: version(name, distributions) for name in backend.needs(mode) if name not in lacking}
            wrong = [
                text
                for (name, bad), text in KNOWN_WRONG.items()
                if (name in versions or name == f"{backend.name}lib") and version(name, distributions) == bad
            ]
            extra = next((extra for extra in lacking.values() if extra), "")
            state = (
                f"not installed: pip install -e '.[{extra}]'" if lacking else f"wrong version: {wrong[0]}" if wrong else "ready"
            )
            found.append(
                {"arm": arm.name, "version": ", ".join(f"{name} {text}" for name, text in versions.items()), "state": state}
            )
    return found


def version(name: str, distributions: Any) -> str:
    """Version of what is installed under an import name: `tensorflow` may come from `tensorflow-cpu`."""
    for distribution in distributions.get(name, []):
        return importlib.metadata.version(distribution)
    return ""


def tried(row: dict[str, Any]) -> dict[str, Any]:
    """Whether an arm really computes."""
    if row["state"] != "ready":
        return {}
    import tempfile

    from ..execution.run import run

    tree = {
        "name": "doctor",
        "data": {"type": "xor"},
        "model": {"layers": [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 1}]},
        "train": {"loss": "binary_cross_entropy", "optimizer": {"type": "sgd", "learning_rate": 0.5}, "steps": 10},
    }
    notice(f"trying {row['arm']} ...")
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        record = run(tree, arms=[row["arm"]], results=Path(folder), timings=False).arms[0]
    if record.status == "ok":
        return {"state": "works" if record.facts["verdict"] == "agrees" else "fails: its numbers differ"}
    return {"state": record.status if record.status == "unsupported" else f"fails: {record.reason}"}
