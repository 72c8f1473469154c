"""`harness export`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from . import complete, options
from .console import notice, result

if TYPE_CHECKING:
    from ..execution.plan import Plan
    from ..export import Weights


@click.command("export", cls=options.Grouped)
@click.argument("start", metavar="EXPERIMENT|RUN", shell_complete=complete.experiments_or_runs)
@click.option(
    "--to",
    "targets",
    multiple=True,
    metavar="TARGET",
    help="numpy, torch, keras, keras:jax, keras:torch, tensorflow, jax or onnx; repeat it or use commas. Those of the arms when not given.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    default=Path("exported"),
    show_default=True,
    help="Where the files go.",
)
@click.option("--steps", type=click.IntRange(1), default=10, show_default=True, help="Steps of the training, at most.")
@click.option(
    "--weights",
    metavar="first|ARM",
    help="Weights of the ONNX file: the first, or what an arm of RUN has learned. When not given, what the reference has learned in RUN, "
    "the first ones of an EXPERIMENT.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@options.backends
@options.changes
@options.results
def command(
    start: str,
    *,
    targets: tuple[str, ...],
    output: Path,
    steps: int,
    weights: str | None,
    force: bool,
    files: tuple[str, ...],
    sets: tuple[str, ...],
    dtype: str | None,
    device: str | None,
    seed: int | None,
    threads: int | None,
    results: Path,
) -> None:
    """Write an experiment as plain scripts, one a framework, that need no harness: what one attaches to a report, or starts from; or its
    model as an ONNX file.

    EXPERIMENT is a TOML file, RUN a saved run, as `compare` takes it. Each script is written as a person would have: nn.Module and
    torch.optim, a Keras model, tf.Variable and GradientTape, jit and optax, NumPy with the backward pass by hand. Beside them lies one file
    of arrays with the first weights and the batches (and dropout masks), so that all scripts compute the same: the loss and gradients
    of the first step, and the losses of those that follow.

    An ONNX file is the model in inference mode, for onnxruntime; the script beside it runs it on the rows of the first step.

    \b
    Examples:
      python -m harness export experiments/digits-mlp.toml --to torch,jax
      python -m harness export experiments/xor.toml --to numpy -o xor
      python -m harness export latest --to onnx --weights torch
      python -m harness export latest --to torch,numpy
    """
    from ..export.bundle import export

    options.add_backends(files)
    run = saved(start, results)
    found = planned(start, run, options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads))
    names = chosen(found, targets)
    learned = learned_weights(found, run, names, weights)
    paths = export(found, names, output, steps, shlex.join(["python", "-m", "harness", "export", start]), force, learned)
    for path in paths:
        notice(f"saved {path}")
    for path in paths:
        if path.suffix == ".py":
            result(shlex.join(["python", str(path)]))


def saved(start: str, results: Path) -> Path | None:
    """The folder of a saved run; None of an experiment's file.

    Raises:
        UsageError: there is no such run.
    """
    if Path(start).is_file() or start.endswith(".toml"):
        return None
    from ..records.runs import find

    return find(start, results)


def planned(start: str, run: Path | None, changes: list[str]) -> Plan:
    """The experiment in a file, or of a saved run.

    Raises:
        UsageError: a saved run is to be changed.
    """
    from ..execution.plan import plan

    if run is None:
        return plan(Path(start), changes)
    if changes:
        raise UsageError("a saved run is exported as it was run", "name its experiment to change it")
    from ..execution.saved import saved_plan
    from ..records.runs import manifest

    return saved_plan(run, [arm for arm in manifest(run).get("arms", []) if not arm.startswith("reference")])


def learned_weights(found: Plan, run: Path | None, targets: Sequence[str], choice: str | None) -> Weights | None:
    """What the ONNX file holds instead of the first weights; None: these.

    Raises:
        UsageError: no ONNX file is written, there is no run to take them from, or it has none.
    """
    from ..export import ONNX
    from ..export.bundle import trained

    if choice is not None and ONNX not in targets:
        raise UsageError("scripts start from the first weights: --weights is for ONNX files", "--to onnx")
    if choice == "first" or ONNX not in targets or (run is None and choice is None):
        return None
    if run is None:
        raise UsageError("an experiment has learned nothing", "run it first, and export the run; or --weights first")
    return trained(run, found.spec, choice or "")


def chosen(found: Plan, targets: Sequence[str]) -> list[str]:
    """The targets that were named, or else those of the arms, each once.

    Raises:
        UsageError: for one of them no scripts are written, or for none of the arms.
    """
    from ..export import FRAMEWORKS, TARGETS

    names = [name.strip() for word in targets for name in word.split(",") if name.strip()]
    for name in names:
        if name not in TARGETS:
            raise UsageError(f'no scripts are written for "{name}"', f"there are {', '.join(TARGETS)}")
    arms = [arm.backend if f"{arm.backend}:{arm.mode}" not in FRAMEWORKS else f"{arm.backend}:{arm.mode}" for arm in found.arms]
    wanted = list(dict.fromkeys(names or [name for name in arms if name in FRAMEWORKS]))
    if not wanted:
        raise UsageError("for none of its arms scripts are written", f"name a framework: --to {next(iter(FRAMEWORKS))}")
    return wanted
