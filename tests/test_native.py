"""Native defaults: what each framework would have taken where an experiment leaves it to it, and what that moves."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import harness as door
from backends.numpy import Program
from harness.execution.defaults import changed, differing
from harness.execution.layout import initial_state, lay_out
from harness.execution.native import ALL, NONE, Trained, effect, moved, size
from harness.execution.plan import Plan, plan
from harness.report.formats import number
from harness.spec import Dense, ProgramSpec, family
from harness.spec.activations import LeakyRelu
from harness.spec.fields import Asked
from harness.spec.initializers import Initializer, Orthogonal, RandomNormal, RandomUniform
from harness.spec.layers import Layer
from harness.spec.native import in_our_words
from harness.spec.reader import described, from_mapping, states
from harness.worker.task import Task
from tests.conftest import ROOT, Command

EXPERIMENT = """
name = "native"
[data]
type = "digits"
scale = 16.0
test_fraction = 0.2
[model]
layers = [
  { type = "dense", units = 16, use_bias = false, kernel_initializer = "he_normal" },
  { type = "batch_normalization", momentum = 0.9, epsilon = 0.01 },
  "relu",
  { type = "dense", units = 10, use_bias = false },
]
[train]
loss = "softmax_cross_entropy"
optimizer = { type = "adam", learning_rate = 0.01, epsilon = 1e-5, weight_decay = 0.01, decoupled = true }
batch_size = 64
steps = 25
[compare]
forced_steps = [0]
"""
Rows = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small net that leaves some keys out and states others."""
    path = tmp_path_factory.mktemp("native") / "native.toml"
    path.write_text(EXPERIMENT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def document(harness: Command, experiment: Path) -> dict[str, Any]:
    """What `run --native --json` says of it."""
    arms = ("--arm", "numpy,torch,keras:torch")
    found = harness("run", experiment, "--native", "--json", "--no-timings", "--no-probes", "--results", experiment.parent, *arms)
    assert found.returncode == 0, found.stderr  # whatever defaults move: the aligned run agrees
    assert "torch: trained with its framework's defaults" in found.stderr
    return dict(json.loads(found.stdout))


@pytest.fixture(scope="module")
def rows(document: dict[str, Any]) -> Rows:
    """The table by arm and default."""
    return {(row["arm"], row["default"]): row for row in document["native"]}


# the command ------------------------------------------------------------------------------------------------------------


def test_known_defaults_are_named(rows: Rows) -> None:
    """Each framework's own, in our meaning, once for all places; PyTorch's momentum = 0.1 is the 0.9 of the experiment."""
    assert {name for name in rows if name[1] != ALL} == {
        ("numpy", NONE),
        ("torch", "batch_normalization_1 epsilon 1e-05 instead of 0.01"),
        ("torch", "dense_2 kernel_initializer U(-0.25, 0.25) instead of glorot_uniform"),
        ("torch", "2 dense bias_initializer U(-0.125, 0.125) ... instead of zeros"),
        ("torch", "optimizer epsilon 1e-08 instead of 1e-05"),
        ("torch", "optimizer decoupled false instead of true"),
        ("keras:torch", "batch_normalization_1 epsilon 0.001 instead of 0.01"),
        ("keras:torch", "batch_normalization_1 momentum 0.99 instead of 0.9"),
        ("keras:torch", "optimizer epsilon 1e-07 instead of 1e-05"),
    }
    assert {arm for arm, default in rows if default == ALL} == {"torch", "keras:torch"}


def test_what_is_stated_is_kept(rows: Rows) -> None:
    """No row touches a kernel initializer or a bias that the experiment states."""
    settings = [text for row in rows.values() for text in row["settings"] or ()]
    assert settings
    assert not [text for text in settings if text.startswith(("model.layers.0.kernel_initializer", "model.layers.0.use_bias"))]


def test_what_cannot_matter_moves_nothing(rows: Rows) -> None:
    """The start of biases that are not there: every number is exactly 0, and the row says so."""
    row = rows["torch", "2 dense bias_initializer U(-0.125, 0.125) ... instead of zeros"]
    assert (row["gradient"], row["loss"], row["metric"], row["note"]) == (0, 0, 0, "moves nothing here")


def test_each_moves_what_it_can(rows: Rows) -> None:
    """An optimizer's epsilon leaves the first gradient alone, a momentum of moving statistics all training; starts move everything."""
    momentum = rows["keras:torch", "batch_normalization_1 momentum 0.99 instead of 0.9"]
    assert momentum["gradient"] == 0
    assert momentum["loss"] == 0
    assert momentum["metric"] < -0.1  # 25 steps of 0.01 have hardly left the first mean and variance
    for arm, default in (("torch", "1e-08"), ("keras:torch", "1e-07")):
        row = rows[arm, f"optimizer epsilon {default} instead of 1e-05"]
        assert row["gradient"] == 0
        assert row["loss"] != 0
    assert rows["torch", "dense_2 kernel_initializer U(-0.25, 0.25) instead of glorot_uniform"]["gradient"] > 0.1
    assert rows["torch", "batch_normalization_1 epsilon 1e-05 instead of 0.01"]["gradient"] > 1e-3


def test_sorted_by_size(document: dict[str, Any]) -> None:
    """Whatever moves loss or metric furthest stands first; all together stand below."""
    table = document["manifest"]["native"]["rows"]
    sizes = [max(abs(row["loss"]), abs(row["metric_moved"])) for row in table if row["default"] != ALL and "loss" in row]
    assert sizes == sorted(sizes, reverse=True)
    assert [row["default"] for row in table].index(ALL) == len(sizes)


def test_all_together_is_the_framework_itself(document: dict[str, Any], rows: Rows) -> None:
    """Its loss is that of the reference with all settings but for rounding, and is held against the arm's own aligned run."""
    (summary,) = [row for row in document["summary"] if row["arm"] == "torch"]
    row = rows["torch", ALL]
    assert row["loss"] == pytest.approx((row["final_loss"] - summary["final_loss"]) / summary["final_loss"])
    assert row["metric"] == pytest.approx(row["final_metric"] - summary["metric"])
    assert abs(row["loss"]) > document["manifest"]["native"]["rounding"]["loss"]


@pytest.mark.parametrize("about", ["dense_2 kernel_initializer", "batch_normalization_1 epsilon", "optimizer epsilon"])
def test_effect_is_that_of_the_setting(experiment: Path, document: dict[str, Any], about: str) -> None:
    """A default alone ends exactly where the reference ends in a run with `--set` of the same value."""
    (row,) = [row for row in document["native"] if row["arm"] == "torch" and row["default"].startswith(about)]
    alone = door.run(experiment, arms=["numpy"], changes=row["settings"], timing="none", results=experiment.parent)
    (reference,) = [record for record in alone.records if record.is_reference]
    assert reference.losses[-1] == row["final_loss"]


def test_saved_and_shown_again(harness: Command, experiment: Path, document: dict[str, Any]) -> None:
    """`compare RUN` shows the table of the saved run; a run that did not ask has none."""
    found = harness("compare", document["manifest"]["id"], "--results", experiment.parent)
    assert found.returncode == 0
    assert "**What each default moves**" in found.stdout
    assert "Rounding alone moves the final loss" in found.stdout
    assert len(door.load(document["manifest"]["id"], experiment.parent).native) == len(document["native"])
    others = [folder for folder in (experiment.parent / "runs").iterdir() if folder.name != document["manifest"]["id"]]
    assert all("native" not in json.loads((folder / "manifest.json").read_text()) for folder in others)


def test_a_loss_that_is_not_finite_stands_first() -> None:
    """A default that makes training diverge is moved infinitely far, and says from which step on."""
    rows = [effect(Trained(0.5, 0.8, None), 1.0, 0.9), effect(Trained(math.nan, None, 3), 1.0, 0.9)]
    assert min(rows, key=size) == {"loss": math.inf, "note": "the loss is not finite from step 3 on"}
    assert (rows[0]["loss"], rows[0]["metric"]) == (-0.5, pytest.approx(-0.1))


# what is stated ---------------------------------------------------------------------------------------------------------


def tree(*layers: Any) -> dict[str, Any]:
    """An experiment with these layers."""
    return {
        "name": "tree",
        "data": {"type": "digits"},
        "model": {"layers": [*layers, {"type": "dense", "units": 10}]},
        "train": {"loss": "softmax_cross_entropy", "optimizer": {"type": "sgd", "learning_rate": 0.1}, "steps": 1},
    }


def test_stated_keys_are_found_where_they_stand() -> None:
    """In a table, in a layer's activation, in an activation that is a layer, in a spec object; a bare word states nothing."""
    slope = {"type": "leaky_relu", "negative_slope": 0.1}
    found = tree(
        {"type": "dense", "units": 4, "activation": slope},
        slope,
        "relu",
        Dense(units=4, use_bias=False),
        LeakyRelu(negative_slope=0.2),
    )
    del found["model"]["layers"][4]  # an activation is no layer by itself
    layers = from_mapping(found).experiment.model.layers
    where = [described(found, ("model", "layers", index), layer) for index, layer in enumerate(layers)]
    assert states(found, where[0], "units")
    assert not states(found, where[0], "use_bias")
    assert states(found, ("model", "layers", 0, "activation"), "negative_slope")
    assert states(found, where[1], "negative_slope")
    assert not states(found, where[2], "name")
    assert states(found, where[3], "use_bias")
    assert not states(found, where[3], "bias_initializer")


def test_no_call_no_default(experiment: Path) -> None:
    """A call that the installed version does not have is a row with its reason, and changes nothing."""
    read = {"torch.nn.BatchNorm2d": None, "torch.nn.Linear": {"bias": "True"}, "torch.optim.Adam": {"eps": "object()"}}
    found = differing(plan(experiment), "torch", read)
    reasons = {(item.kind, item.key): item.reason for item in found if item.reason}
    assert "not in the version that is installed" in reasons["batch_normalization", "epsilon"]
    assert "is no value" in reasons["adam", "epsilon"]
    assert not any(item.changes for item in found if item.reason)


def test_other_shapes_are_said(experiment: Path) -> None:
    """A default that gives another shape is none that could go unnoticed: a reason, no number."""
    source = tree(
        {"type": "reshape", "target_shape": [8, 8, 1]}, {"type": "conv2d_transpose", "filters": 2, "kernel_size": 3}, "flatten"
    )
    (item,) = differing(plan(source), "tensorflow", {"tensorflow.nn.conv2d_transpose": {"padding": "'SAME'"}})
    assert "another shape" in item.reason


# the documents ----------------------------------------------------------------------------------------------------------


def test_table_of_the_documents(tmp_path: Path, installed: dict[str, Any]) -> None:
    """It names every default that differs, and how far each moves the first gradient of the reference."""
    table = [
        line.strip("| ").split("|")
        for line in (ROOT / "docs" / "howto" / "port-a-model.md").read_text(encoding="utf-8").splitlines()
        if " instead of " in line
    ]
    shown = {
        (row[0].strip(), row[1].strip()): row[2].strip() for row in table if len(row) > 4 and row[0].strip() in ("torch", "keras")
    }
    found = plan(ROOT / "experiments" / "digits-cnn.toml")
    lay_out(found, tmp_path)
    aligned = first_gradient(found, found.spec, tmp_path)
    right = {}
    for arm in ("torch", "keras"):
        for default in differing(found, arm, installed[arm]):
            gradient = first_gradient(found, changed(found.spec, default.changes), tmp_path)
            right[arm, default.text] = number(2)(moved(gradient, aligned)) if default.changes else ""
    assert {name: float(text) for name, text in shown.items()} == {name: float(text) for name, text in right.items()}


def first_gradient(found: Plan, spec: ProgramSpec, folder: Path) -> dict[str, Any]:
    """The gradient of the reference at the first step."""
    program = Program(spec, "float64", "cpu", "")
    program.load(initial_state(spec, found.experiment.compare.seed))
    return dict(program.probe(Task(folder / "data.npz", spec).batch(0)).gradients)


# against the installed frameworks ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    """What PyTorch and Keras really start from, and what their signatures say."""
    script = textwrap.dedent("""
        import json, os, sys
        os.environ["KERAS_BACKEND"] = "torch"
        import keras, torch
        from torch import nn
        from harness import spec
        from harness.worker.signatures import signatures

        torch.manual_seed(0)
        made = {
            "dense": nn.Linear(50, 400), "conv1d": nn.Conv1d(8, 400, 5), "conv2d": nn.Conv2d(8, 400, 3, groups=2),
            "depthwise_conv2d": nn.Conv2d(200, 400, 3, groups=200), "conv2d_transpose": nn.ConvTranspose2d(200, 6, 3),
            "embedding": nn.Embedding(400, 50), "simple_rnn": nn.RNN(40, 200), "lstm": nn.LSTM(40, 200), "gru": nn.GRU(40, 200),
        }
        def facts(tensor):
            tensor = tensor.detach().double()
            return [float(tensor.min()), float(tensor.max()), float(tensor.mean()), float(tensor.std()), tensor.numel()]
        starts = {kind: {name: facts(value) for name, value in layer.named_parameters()} for kind, layer in made.items()}

        needed = {"units": 4, "filters": 4, "kernel_size": 3, "num_heads": 2, "key_dim": 2, "input_dim": 5, "output_dim": 3}
        configs = {}
        for kind, cls in spec.family(spec.Layer).items():
            call = cls.calls.get("keras")
            starting = {ours: name for ours, name in call.names.items() if ours.endswith("initializer")} if call else {}
            if not starting:
                continue
            made = getattr(keras.layers, call.path.rpartition(".")[2])
            import inspect
            config = made(**{name: value for name, value in needed.items() if name in inspect.signature(made).parameters}).get_config()
            configs[kind] = {ours: config[name] for ours, name in starting.items()}
        families = (spec.Layer, spec.ActivationFunction, spec.Loss, spec.Optimizer)
        classes = [cls for base in families for cls in spec.family(base).values()]
        read = {arm: signatures(sorted({cls.calls[arm].path for cls in classes if arm in cls.calls})) for arm in ("keras", "torch")}
        x = torch.linspace(-2, 2, 9)
        exact = torch.nn.functional.gelu(x).equal(torch.nn.functional.gelu(x, approximate="none"))
        ones = torch.full((1, 4), 1e-3)
        root = torch.nn.functional.rms_norm(ones, (4,)) - ones * (1e-6 + 2.0**-23) ** -0.5
        print(json.dumps({"starts": starts, "configs": configs, **read, "gelu": exact, "rms": float(root.abs().max())}))
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


#: what PyTorch made in `installed`, as specs: type -> shape of its input and its keys
MADE: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "dense": ((50,), {"units": 400}),
    "conv1d": ((9, 8), {"filters": 400, "kernel_size": 5}),
    "conv2d": ((9, 9, 8), {"filters": 400, "kernel_size": 3, "groups": 2}),
    "depthwise_conv2d": ((9, 9, 200), {"kernel_size": 3, "depth_multiplier": 2}),
    "conv2d_transpose": ((9, 9, 200), {"filters": 6, "kernel_size": 3}),
    "embedding": ((7,), {"input_dim": 400, "output_dim": 50}),
    "simple_rnn": ((7, 40), {"units": 200}),
    "lstm": ((7, 40), {"units": 200}),
    "gru": ((7, 40), {"units": 200}),
}


def started() -> Iterator[tuple[str, str, Initializer]]:
    """Layer type, key and what we say that PyTorch starts it from."""
    for kind, (shape, keys) in MADE.items():
        cls = family(Layer)[kind]
        for key, rule in cls.calls["torch"].native.items():
            if key.endswith("initializer"):
                yield kind, key, rule(Asked(cls(**keys), (shape,), None))


def test_first_weights_are_pytorchs(installed: dict[str, Any]) -> None:
    """Range, mean and deviation of what PyTorch's own layers start from are those of the initializers that are said to be its defaults."""
    words = {
        "kernel_initializer": "weight",
        "bias_initializer": "bias",
        "recurrent_initializer": "weight_hh",
        "embeddings_initializer": "weight",
    }
    for kind, key, start in started():
        found = {name: facts for name, facts in installed["starts"][kind].items() if name.startswith(words[key])}
        assert found, (kind, key)
        for low, high, mean, deviation, count in found.values():
            if isinstance(start, RandomNormal):
                assert mean == pytest.approx(start.mean, abs=5 / count**0.5)
                assert deviation == pytest.approx(start.stddev, rel=0.05)
                continue
            assert isinstance(start, RandomUniform)
            if count < 50:
                assert start.minval <= low <= high <= start.maxval
                continue
            assert start.minval <= low < 0.9 * start.minval, (kind, key)
            assert 0.9 * start.maxval < high <= start.maxval, (kind, key)
            assert deviation == pytest.approx(start.maxval / 3**0.5, rel=0.15)


def test_every_start_of_pytorch_is_proved() -> None:
    """Every layer for which first weights of PyTorch are stated is made above; attention's are those of nn.Linear, projected by hand."""
    stated = {
        kind for kind, cls in family(Layer).items()
        if "torch" in cls.calls and any(key.endswith("initializer") for key in cls.calls["torch"].native)
    }  # fmt: skip
    assert stated == {*MADE, "multi_head_attention"}


def test_first_weights_are_keras(installed: dict[str, Any]) -> None:
    """What Keras' signatures say in our words is what its layers are configured with."""
    assert {"dense", "conv2d", "lstm", "gru", "embedding", "multi_head_attention", "prelu"} <= set(installed["configs"])
    for kind, keys in installed["configs"].items():
        call = family(Layer)[kind].calls["keras"]
        for key, config in keys.items():
            text = installed["keras"][call.path][call.names[key]].strip("'")
            found = in_our_words(key, Orthogonal(), text)
            assert type(found).__name__.lower() == config["class_name"].lower().removesuffix("initializer"), (kind, key)
            for name in ("minval", "maxval", "gain"):
                assert getattr(found, name, None) == pytest.approx(config["config"].get(name)), (kind, key)


def test_what_stands_in_no_signature(installed: dict[str, Any]) -> None:
    """PyTorch's gelu is the exact one, and its rms_norm adds the machine epsilon of float32."""
    assert installed["gelu"]
    assert installed["rms"] < 1e-6


@pytest.mark.parametrize("arm", ["torch", "keras"])
@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_experiments_can_be_ported(path: Path, arm: str, installed: dict[str, Any]) -> None:
    """With PyTorch's or Keras' defaults every shipped experiment is a program of the same shapes, whose first weights can be drawn."""
    found = plan(path)
    defaults = differing(found, arm, installed[arm])
    ported = changed(found.spec, [change for default in defaults for change in default.changes])
    assert [node.output_shape for node in ported.nodes] == [node.output_shape for node in found.spec.nodes]
    assert set(initial_state(ported, 0).parameters) == {parameter.name for parameter in ported.parameters}
