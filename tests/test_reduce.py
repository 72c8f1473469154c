"""A difference is cut down to the smallest experiment that still shows it, and what is left is right: read again it is the same, it runs,
it differs in the same place, and it gets no smaller."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli.reduce_command import started as begin
from harness.errors import UsageError
from harness.execution.plan import Plan, plan
from harness.execution.run import run
from harness.reduction.cuts import smallest
from harness.reduction.reduce import Aim, searched, started
from harness.reduction.saved import saved
from harness.reduction.search import Search
from harness.reduction.tree import anchored, moved, toml
from harness.reduction.trial import Located, Sight, general, kind
from harness.registry import Arm
from harness.spec.reader import from_mapping, read
from harness.spec.tree import tree_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "faults"
#: branches, a decay, a batch that is a part of the rows
BRANCHES = """
name = "branches"
data = { type = "random", rows = 24, shape = [4], classes = 3 }
model.layers = [
  { type = "dense", units = 6, activation = "tanh", name = "left" },
  { type = "dense", units = 6, activation = "relu", inputs = ["input"], name = "right" },
  { type = "add", inputs = ["left", "right"] }, { type = "dense", units = 3 },
]
compare = { arms = ["torch"], forced_steps = [2] }

[train]
loss = "softmax_cross_entropy"
optimizer = { type = "adam", learning_rate = 0.015625, epsilon = 1e-3, weight_decay = 0.125, decoupled = true }
batch_size = 12
epochs = 2
"""
#: fault -> the experiment it is planted in, where it is located in what is left, its cause, the layers and the rows that are left
FAULTS: dict[str, tuple[str, str, str, list[dict[str, Any]], int]] = {
    "lstm_gates": ("several", "lstm_1", "gates f i g o instead of i f g o", [{"type": "lstm", "units": 1}], 1),
    "adam_skipped": ("branches", "optimizer", "no update", [{"type": "dense", "units": 1}], 1),
    "loss_sum": ("branches", "loss", "reduction sum instead of mean", [{"type": "dense", "units": 1}], 3),
    "row_dropped": ("branches", "loss", "no cause found", [{"type": "dense", "units": 1}], 2),
}


def leaf(layers: Plan) -> set[str]:
    """The types of a program's nodes; of activations their functions'."""
    return {kind(layers.spec, node.name) for node in layers.spec.nodes}


def cut_down(tree: dict[str, Any], shows: Callable[[Plan], bool], arm: str = "numpy") -> dict[str, Any]:
    """The smallest experiment of which something is true; nothing is run."""
    asked = Search({**tree, "compare": {"arms": [arm]}}, Arm(arm), lambda found: {"shown": True} if shows(found) else None)
    smallest(asked)
    return asked.tree


def begun(path: Path, step: int = 0) -> dict[str, Any]:
    """The tree that the search starts from."""
    return started(plan(path, arms=["numpy"]), step)


# trees ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "experiments").glob("*.toml")), FOLDER / "several.toml"], ids=lambda path: path.stem
)
def test_trees_are_read_as_the_same_experiment(path: Path, tmp_path: Path) -> None:
    """What is written of an experiment is that experiment, to the bit of every constant, and its data are found from anywhere."""
    experiment = read(path).experiment
    tree = tree_of(experiment)
    assert from_mapping(tomllib.loads(toml(tree))).experiment == experiment
    assert tree_of(from_mapping(tree).experiment) == tree
    whole = anchored(tree, path.parent)
    (tmp_path / "x.toml").write_text(toml(moved(whole, tmp_path)), encoding="utf-8")
    assert anchored(tree_of(read(tmp_path / "x.toml").experiment), tmp_path) == whole
    assert plan(tmp_path / "x.toml", arms=["numpy"]).facts == plan(path, arms=["numpy"]).facts


def test_causes_without_numbers() -> None:
    """The same cause at another size."""
    assert general("sums times the factor 1 / sqrt(48) (rows)") == general("sums times the factor 1 / sqrt(6) (rows)")
    assert general("epsilon 1e-07 instead of 0.001") == "epsilon # instead of #"
    assert general("gates f i g o instead of i f g o") != general("gates i g f o instead of i f g o")


# the search, with something else than an arm ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted", "layers", "data"),
    [
        (
            "digits-cnn",
            "conv2d",
            [{"type": "conv2d", "use_bias": False, "kernel_size": 1, "filters": 1}],
            {"shape": [1, 1, 1], "target_shape": [1, 1, 1]},
        ),
        ("digits-rows-lstm", "lstm", [{"type": "lstm", "units": 1}], {"shape": [1, 1]}),
        ("digits-dropout", "dropout", [{"type": "dropout", "rate": 0.5}, {"type": "dense", "units": 1}], {}),
        ("digits-mlp", "relu", [{"type": "dense", "units": 1, "activation": "relu"}], {}),
        ("line", "dense", [{"type": "dense", "units": 1}], {}),
    ],
)
def test_one_layer_is_left(name: str, wanted: str, layers: Any, data: dict[str, Any]) -> None:
    """Of a whole net the layer that is asked for, in its smallest size, on one random row; something to learn where it has nothing."""
    found = cut_down(begun(ROOT / "experiments" / f"{name}.toml", step=3), lambda found: wanted in leaf(found))
    assert found["model"]["layers"] == layers
    assert found["data"] == {"type": "random", "rows": 1, **data}
    assert found["train"]["loss"] == "mse"
    assert found["train"]["steps"] == 1
    assert set(found["compare"]) == {"arms"}


def test_what_is_needed_stays() -> None:
    """A size, an option, a step, a batch, the loss, the optimizer, the data themselves."""
    tree = begun(FOLDER / "several.toml", step=9)
    wide = cut_down(tree, lambda found: any(node.layer.type == "lstm" and node.layer.units >= 5 for node in found.spec.nodes))  # type: ignore[attr-defined]
    assert wide["model"]["layers"] == [{"type": "lstm", "units": 5}]
    assert cut_down(tree, lambda found: found.steps >= 6)["train"]["steps"] == 6
    assert cut_down(tree, lambda found: found.batch_size >= 7)["data"]["rows"] == 7
    assert cut_down(tree, lambda found: found.spec.loss.type == "softmax_cross_entropy")["data"] == {
        "type": "random", "rows": 1, "classes": 2,
    }  # fmt: skip
    adam = {"type": "adam", "learning_rate": 0.015625, "epsilon": 0.001}
    assert cut_down(tree, lambda found: found.spec.optimizer.type == "adam")["train"]["optimizer"] == adam
    assert cut_down(tree, lambda found: found.experiment.data.type == "digits")["data"] == {"type": "digits"}


def test_graphs_are_rewired(tmp_path: Path) -> None:
    """What read a layer that is gone reads what that read; names that nothing reads go, layers that nothing reads too; what is made of
    layers is replaced by them; a table that is shared stays."""
    (tmp_path / "branches.toml").write_text(BRANCHES, encoding="utf-8")
    joined = cut_down(begun(tmp_path / "branches.toml", 2), lambda found: "add" in leaf(found))
    assert [layer["type"] for layer in joined["model"]["layers"]] == ["dense", "add"]
    assert "input" in joined["model"]["layers"][1]["inputs"]
    relu = cut_down(begun(tmp_path / "branches.toml", 2), lambda found: "relu" in leaf(found))
    assert relu["model"]["layers"] == [{"type": "dense", "units": 1, "activation": "relu"}]
    tree = begun(ROOT / "experiments" / "tiny-transformer.toml")
    heads = cut_down(tree, lambda found: "multi_head_attention" in leaf(found))
    assert heads["model"]["layers"] == [{"type": "multi_head_attention", "num_heads": 1}]
    tied = cut_down(tree, lambda found: "tied_dense" in leaf(found))
    assert [layer["type"] for layer in tied["model"]["layers"]] == ["embedding", "tied_dense"]
    assert tied["data"]["integer_inputs"] is True


def test_a_search_ends_and_is_repeatable() -> None:
    """Whatever is asked, the same question has the same answer, and the answer gets no smaller."""
    for wanted in ("layer_normalization", "gelu", "position_embedding", "add"):
        tree = begun(ROOT / "experiments" / "tiny-transformer.toml", 3)
        found = cut_down(tree, lambda found, wanted=wanted: wanted in leaf(found))  # type: ignore[misc]
        assert cut_down(tree, lambda found, wanted=wanted: wanted in leaf(found)) == found  # type: ignore[misc]
        assert cut_down(found, lambda found, wanted=wanted: wanted in leaf(found)) == found  # type: ignore[misc]


def test_an_interrupt_keeps_the_smallest(tmp_path: Path) -> None:
    """What was found so far is the answer, and said not to be the end."""
    tree, seen = begun(FOLDER / "several.toml"), []

    class Interrupted(Aim):
        """Shows everything, until it is interrupted."""

        def shown(self, bench: Any, found: Plan) -> Located | None:
            """See above."""
            seen.append(found)
            if len(seen) > 3:
                raise KeyboardInterrupt
            return {"number": len(seen)}

    aim = Interrupted(Sight((), "", frozenset(), 0, True), None)
    nobody: Any = None
    found = searched(Search(tree, Arm("numpy"), entry={"number": 0}), aim, nobody, nobody, lambda _: None)
    assert not found.whole
    assert found.entry == {"number": 3}
    assert found.tree["data"] == {"type": "random", "rows": 1, "shape": [64]} | {"classes": 10}
    assert found.after < found.before


def test_what_fresh_processes_do_not_show_is_searched_again() -> None:
    """First every step of a second search is confirmed; where that leads to nothing either, the experiment stays as it was."""
    tree, lines = begun(FOLDER / "several.toml"), list[str]()

    class Doubtful(Aim):
        """Shows everything, but in a fresh process only what has more than 5 layers."""

        def shown(self, bench: Any, found: Plan) -> Located | None:
            """See above."""
            return {"node": "x"}

        def confirmed(self, bench: Any, found: Plan) -> Located | None:
            """See above."""
            return {"node": "x"} if len(found.spec.nodes) > 5 else None

    aim = Doubtful(Sight((), "", frozenset(), 0, True), None)
    nobody: Any = None
    found = searched(Search(tree, Arm("numpy"), entry={"node": "x"}), aim, nobody, nobody, lines.append)
    assert found.after.layers == 6
    assert any("again, step by step" in line for line in lines)


# real arms ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_cut_down(name: str, harness: Callable[..., Any], tmp_path: Path) -> None:
    """A fault in a layer, the optimizer, the loss and the batch: what is left has it at the same place by the same cause, as a run in fresh
    processes has confirmed. The command that stands in it runs it and differs; reduced once more, from that run, it stays as it is."""
    start, node, cause, layers, rows = FAULTS[name]
    (tmp_path / "branches.toml").write_text(BRANCHES, encoding="utf-8")
    source = FOLDER / "several.toml" if start == "several" else tmp_path / "branches.toml"
    small, plug_in = tmp_path / "small.toml", ("--backend", FOLDER / "faulty.py", "--arm", f"faulty:{name}")
    done = harness("reduce", source, *plug_in, "-o", small)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    text = small.read_text(encoding="utf-8")
    assert re.match(rf"# faulty:{name}, step 0, {node}: {cause}", text), text
    tree = tomllib.loads(text)
    assert tree["model"]["layers"] == layers
    assert tree["data"]["type"] == "random"
    assert tree["data"]["rows"] == rows
    if name == "lstm_gates":
        page = (ROOT / "docs" / "howto" / "port-a-model.md").read_text(encoding="utf-8")
        (block,) = re.findall(rf"reduce tests/.*?:{name}\n```\n\n```text\n(.*?)```", page, re.DOTALL)
        assert set(block.splitlines()) <= set(text.replace(str(source), "tests/faults/several.toml").splitlines())
    (line,) = re.findall(r"^# python -m harness (run .*)$", text, re.MULTILINE)
    if name == "lstm_gates":
        shown = harness(*shlex.split(line), "-q", "--no-timings", "--results", tmp_path)
        assert shown.returncode == 1, shown.stderr
        assert f"faulty:{name}, step 0, {node}: {cause}" in shown.stdout
        again = harness("reduce", "latest", "--backend", FOLDER / "faulty.py", "--results", tmp_path, "-q")
        assert again.returncode == 1, again.stderr
        assert tomllib.loads(again.stdout) == tree
        assert "# Reduced from several-" in again.stdout


def test_an_arm_that_agrees(harness: Callable[..., Any], tmp_path: Path) -> None:
    """There is nothing to reduce, of an experiment and of a saved run."""
    (tmp_path / "branches.toml").write_text(BRANCHES, encoding="utf-8")
    done = harness("reduce", tmp_path / "branches.toml", "--arm", "numpy")
    assert (done.returncode, done.stdout) == (0, "")
    assert "numpy agrees with the reference at every forced step: there is nothing to reduce" in done.stderr
    ran = run(tmp_path / "branches.toml", arms=["numpy"], timing="none", results=tmp_path)
    found, step, folder = saved("latest", tmp_path, None)
    assert (step, folder) == (None, ran.folder)
    assert found.experiment == plan(tmp_path / "branches.toml", arms=["numpy"]).experiment
    with pytest.raises(UsageError, match='has no arm "torch"'):
        saved("latest", tmp_path, "torch")


def test_what_cannot_be_reduced(harness: Callable[..., Any], tmp_path: Path) -> None:
    """No arm, a saved run that is to be changed, no such run; an arm that is not there has its own exit code."""
    start = tmp_path / "branches.toml"
    start.write_text(BRANCHES, encoding="utf-8")
    with pytest.raises(UsageError, match="name one arm"):
        begin(str(start), None, [], tmp_path)
    with pytest.raises(UsageError, match="as it was run"):
        begin("latest", None, ["train.epochs=1"], tmp_path)
    with pytest.raises(UsageError, match='there is no run "nothing"'):
        begin("nothing", None, [], tmp_path)
    done = harness("reduce", start, "--arm", "mxnet")
    assert done.returncode == 3
    assert "mxnet" in done.stderr
    nowhere = harness("reduce", start, "--arm", "numpy", "-o", tmp_path / "nowhere" / "x.toml")
    assert nowhere.returncode == 2
    assert "there is no folder" in nowhere.stderr
