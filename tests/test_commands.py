"""The commands as a user meets them: the real program in a real process, on real data."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Command

QUICK = ("--arm", "numpy,jax", "--set", "train.epochs=2", "--quiet")


@pytest.fixture(scope="module")
def saved(harness: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A results folder with one run in it, and that run's JSON."""
    results = tmp_path_factory.mktemp("results")
    found = harness("run", "--json", "--results", results, *QUICK)
    assert found.returncode == 0, found.stderr
    return results, json.loads(found.stdout)


def test_help_teaches(harness: Command) -> None:
    """Help names every command and an example to begin with; each command's help has examples of its own."""
    found = harness("--help")
    assert found.returncode == 0
    for name in ("run", "compare", "reproduce", "check", "list", "doctor"):
        assert re.search(rf"^  {name} ", found.stdout, re.MULTILINE)
    for name in ("run", "compare", "reproduce", "check"):
        assert "python -m harness" in harness(name, "--help").stdout


def test_json_is_one_document_with_everything(saved: tuple[Path, dict[str, Any]]) -> None:
    """`--json` prints one document: manifest, exit code, arms and tidy tables."""
    _, document = saved
    assert document["schema"] == "harness.run/1"
    assert [arm["arm"] for arm in document["arms"]] == ["numpy", "jax"]
    assert {row["verdict"] for row in document["summary"]} == {"agrees"}
    for table in ("losses", "metrics", "gradients", "timings", "memory"):
        assert document[table], table


def test_all_arms_saw_the_same(saved: tuple[Path, dict[str, Any]]) -> None:
    """Weights and batches, read back from each framework, have one fingerprint."""
    _, document = saved
    seen = {tuple(sorted(arm["facts"]["fingerprints"].items())) for arm in document["arms"]}
    assert len(seen) == 1
    assert document["manifest"]["weights"] in dict(next(iter(seen)))["weights"]


def test_record_keeps_what_the_run_found(saved: tuple[Path, dict[str, Any]]) -> None:
    """The run's folder holds the experiment, the machine, every arm's record with raw step times, and the manifest."""
    results, document = saved
    folder = results / "runs" / document["manifest"]["id"]
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wanted = {
        "manifest.json",
        "experiment.toml",
        "experiment.json",
        "environment.json",
        "arms/jax/record.json",
        "arms/jax/blocks.parquet",
    }
    assert wanted | {"arms/jax/losses.parquet", "arms/jax/agreement.parquet", "arms/jax/final.npz"} <= names
    assert "running.json" not in names
    written = (folder / "environment.json").read_text() + (folder / "manifest.json").read_text()
    assert os.uname().nodename not in written
    assert str(ROOT) not in written


def test_piped_output_is_markdown_without_escapes(harness: Command, saved: tuple[Path, dict[str, Any]]) -> None:
    """In a pipe every table is Markdown, not truncated, without escape codes; progress does not reach stdout."""
    found = harness("compare", "--results", saved[0])
    assert found.returncode == 0
    assert "\x1b" not in found.stdout + found.stderr
    assert "…" not in found.stdout
    tables = [line for line in found.stdout.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables}) > 1
    assert "2 of 2 arms agree" in found.stdout


def test_compare_lays_runs_side_by_side(harness: Command, saved: tuple[Path, dict[str, Any]]) -> None:
    """Two runs are compared arm by arm; settings that differ are named; the other dtype moves the loss by rounding alone."""
    results, document = saved
    second = harness("run", "--results", results, "--dtype", "float64", "--no-timings", *QUICK)
    assert second.returncode == 0, second.stderr
    found = harness("compare", document["manifest"]["id"], "latest", "--results", results)
    assert found.returncode == 0, found.stderr
    assert "| dtype" in found.stdout
    assert re.search(r"\| jax +\| #2 +\| agrees", found.stdout)
    missing = harness("compare", "nothing", "--results", results)
    assert missing.returncode == 2
    assert 'there is no run "nothing"' in missing.stderr


def test_float64_is_within_1e12(harness: Command, tmp_path: Path) -> None:
    """In float64 every framework's gradients are within 1e-12 of the reference; Keras on jax says why it cannot."""
    arms = "numpy,torch,keras,tensorflow,jax,keras:jax"
    words = ("--dtype", "float64", "--arm", arms, "--set", "train.steps=200", "--no-timings", "--json", "--results", tmp_path)
    found = harness("run", "experiments/xor.toml", *words)
    assert found.returncode == 0, found.stderr
    document = json.loads(found.stdout)
    judged = {row["arm"]: row for row in document["summary"]}
    for arm in ("numpy", "torch", "keras", "tensorflow", "jax"):
        assert judged[arm]["verdict"] == "agrees"
        assert judged[arm]["gradient_error"] < 1e-12
    reasons = {arm["arm"]: arm["reason"] for arm in document["arms"]}
    assert judged["keras:jax"]["verdict"] == "unsupported"
    assert "float64" in reasons["keras:jax"]


def test_forms_are_shown_and_judged_apart(harness: Command, tmp_path: Path) -> None:
    """Adam's two epsilons are two references; each arm is held against its own, and the table says which."""
    words = ("--arm", "torch,tensorflow", "--set", "train.epochs=1", "--no-timings", "--json", "--results", tmp_path)
    document = json.loads(harness("run", "experiments/digits-adam.toml", *words).stdout)
    forms = {row["arm"]: row["form"] for row in document["summary"]}
    assert forms == {"torch": "adam.epsilon=plain", "tensorflow": "adam.epsilon=hat"}
    assert {row["verdict"] for row in document["summary"]} == {"agrees"}
    references = {row["arm"] for row in document["losses"] if row["arm"].startswith("reference")}
    assert references == {"reference[adam.epsilon=plain]", "reference[adam.epsilon=hat]"}


def test_a_wrong_gradient_is_seen(tmp_path: Path) -> None:
    """A fault of 1e-4 planted in a copy of an adapter is called a difference, at its first tensor, with exit code 1."""
    copy = tmp_path / "copy"
    for name in ("harness", "backends", "experiments"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    source = copy / "backends" / "torch" / "activations.py"
    text = source.read_text()
    right = '"sigmoid": lambda spec: torch.sigmoid'
    assert text.count(right) == 1
    source.write_text(text.replace(right, '"sigmoid": lambda spec: lambda x: torch.sigmoid(x * 1.0001)'))
    import subprocess
    import sys

    words = [
        "run",
        "experiments/xor.toml",
        "--arm",
        "numpy,torch",
        "--set",
        "train.steps=50",
        "--no-timings",
        "--results",
        str(tmp_path),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=copy, capture_output=True, text=True, check=False, env=environment
    )
    assert found.returncode == 1, found.stderr
    assert re.search(r"\| torch +\| differs +\| step 0, outputs dense_1/sigmoid", found.stdout), found.stdout
    assert re.search(r"\| numpy +\| agrees", found.stdout)


def test_perceptron_learns_and_but_not_xor(harness: Command, tmp_path: Path) -> None:
    """The perceptron rule learns AND in every framework, and OR, and fails on XOR, as it must."""
    for name, change, learns in (
        ("perceptron-and", (), True),
        ("perceptron-and", ("--set", "data.type=or"), True),
        ("perceptron-xor", (), False),
    ):
        arms = ("--arm", "numpy,torch,keras,tensorflow,jax" if (name, change) == ("perceptron-and", ()) else "numpy,torch")
        words = (*change, *arms, "--no-timings", "--no-probes", "--json", "--results", tmp_path)
        found = harness("run", f"experiments/{name}.toml", *words)
        assert found.returncode == 0, found.stderr
        for row in json.loads(found.stdout)["summary"]:
            assert row["verdict"] == "agrees"
            assert (row["metric"] == 1.0) == learns, row


def test_own_data_runs(harness: Command, tmp_path: Path) -> None:
    """A CSV of the user's own, relative to the experiment, runs like any other data."""
    rows = "\n".join(f"{i / 10},{(i * 7 % 10) / 10},{'yes' if i % 3 else 'no'}" for i in range(60))
    (tmp_path / "mine.csv").write_text(f"a,b,label\n{rows}\n")
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[data]\ntype = "csv"\npath = "mine.csv"\ntarget = "label"\ntest_fraction = 0.2\nstandardize = true\n'
        '[model]\nlayers = [{ type = "dense", units = 4, activation = "tanh" }, { type = "dense", units = 2 }]\n'
        '[train]\nloss = "softmax_cross_entropy"\noptimizer = { type = "sgd", learning_rate = 0.1 }\nbatch_size = 16\nepochs = 2\n'
    )
    found = harness("run", tmp_path / "mine.toml", "--arm", "numpy,torch", "--no-timings", "--results", tmp_path / "results")
    assert found.returncode == 0, found.stderr
    assert "2 of 2 arms agree" in found.stdout


def test_list_and_doctor(harness: Command) -> None:
    """`list` names experiments and arms, `doctor` what is ready; a word that is no list is refused."""
    found = harness("list")
    assert "experiments/digits-mlp.toml" in found.stdout
    assert "torch:compile" in found.stdout
    for what in ("layers", "losses", "optimizers", "initializers", "datasets", "activations"):
        assert harness("list", what).stdout.count("|") > 10
    assert harness("list", "nonsense").returncode == 2
    ready = json.loads(harness("doctor", "--json").stdout)
    apart = {"autograd", "caffe2", "chainer", "flax", "mlx", "mxnet", "paddle", "pytensor", "tinygrad"}
    create = "its environment is not created: python -m harness env create "
    assert {row["arm"]: row["state"] for row in ready["arms"] if row["state"] != "ready"} == {
        name: create + name for name in apart
    }
    assert "Did you mean 'run'?" in harness("rnu").stderr


def test_check_shows_layers_and_all_problems(harness: Command) -> None:
    """`check` shows shapes and parameters; a file with mistakes gives every one, located, and exit code 2."""
    good = harness("check", "experiments/digits-mlp.toml")
    assert good.returncode == 0
    assert re.search(r"\| dense_1 +\| dense +\| 128 +\| +8,320 \|", good.stdout)
    bad = harness("check", "docs/mistakes.toml")
    assert bad.returncode == 2
    assert len(re.findall(r"^docs/mistakes\.toml:\d+:\d+: error\[", bad.stderr, re.MULTILINE)) == 7
    assert "Traceback" not in bad.stderr
    assert harness("run", "docs/mistakes.toml").returncode == 2
