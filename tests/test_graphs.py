"""Graphs of layers: how they are wired, named and shaped, and where a mistake in one is said to be."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import spec
from harness.execution.plan import plan
from harness.spec import decode, encode, family, wired
from harness.spec import layers as kinds
from harness.spec.layers.base import pads, window_outputs
from harness.spec.reader import SpecError, read
from harness.spec.reader.schema import schema

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))
FRAME = """\
name = "graph"

[data]
type = "digits"
shape = [8, 8, 1]

[model]
layers = [
{layers}
  "flatten",
  {{ type = "dense", units = 10 }},
]

[train]
loss = "softmax_cross_entropy"
optimizer = {optimizer}
steps = 1
"""


def test_residual_blocks_repeat_and_branches() -> None:
    """Parts are named behind the layer that they are of; each node stands behind those that it reads; shapes follow."""
    block = kinds.Residual(
        layers=(kinds.Conv2D(filters=4, kernel_size=3, strides=2, padding="same"),),
        shortcut=(kinds.Conv2D(filters=4, kernel_size=1, strides=2),),
    )
    nodes = wired(
        (
            block,
            kinds.Repeat(times=2, layers=(kinds.Dense(units=4, activation=kinds.Relu()), kinds.LayerNormalization(epsilon=1e-3))),
            kinds.Add(inputs=("residual_1", "repeat_1"), name="both"),
        ),
        (6, 6, 1),
    )
    assert {node.name: node.inputs for node in nodes} == {
        "residual_1/conv2d_1": ("input",),
        "residual_1/shortcut/conv2d_1": ("input",),
        "residual_1/add": ("residual_1/conv2d_1", "residual_1/shortcut/conv2d_1"),
        "repeat_1/1/dense_1": ("residual_1/add",),
        "repeat_1/1/dense_1/relu": ("repeat_1/1/dense_1",),
        "repeat_1/1/layer_normalization_1": ("repeat_1/1/dense_1/relu",),
        "repeat_1/2/dense_1": ("repeat_1/1/layer_normalization_1",),
        "repeat_1/2/dense_1/relu": ("repeat_1/2/dense_1",),
        "repeat_1/2/layer_normalization_1": ("repeat_1/2/dense_1/relu",),
        "both": ("residual_1/add", "repeat_1/2/layer_normalization_1"),
    }
    assert {node.output_shape for node in nodes} == {(3, 3, 4)}
    seen = {"input"}
    for node in nodes:
        assert set(node.inputs) <= seen
        seen.add(node.name)


def test_a_tied_layer_knows_its_table() -> None:
    """It has as many outputs as the table has rows, and no kernel of its own."""
    nodes = wired((kinds.Embedding(input_dim=9, output_dim=4, name="words"), kinds.TiedDense(to="words", use_bias=True)), (5,))
    assert nodes[-1].table == "words/embeddings"
    assert nodes[-1].output_shape == (5, 9)
    assert [parameter.name for parameter in nodes[-1].parameters] == ["tied_dense_1/bias"]


def test_every_layer_survives_the_pipe() -> None:
    """A program of every shipped experiment is the same after it went to a worker."""
    for path in EXPERIMENTS:
        program = plan(path).spec
        assert decode(json.loads(json.dumps(encode(program)))) == program


CONV = '  { type = "conv2d", filters = 3, kernel_size = 3, padding = "same", name = "first" },'
#: layers, and line, column, message, hint
MISTAKES: dict[str, tuple[str, tuple[int, int, str, str]]] = {
    "shape in a residual": (
        f'{CONV}\n  {{ type = "residual", layers = [ {{ type = "conv2d", filters = 5, kernel_size = 3 }} ] }},',
        (10, 3, '"add" needs inputs of one shape, but gets 6x6x5 and 8x8x3 (from "first")',
         "add shortcut = [...] with layers that change x alike"),
    ),
    "window": (
        f'{CONV}\n  {{ type = "max_pooling2d", pool_size = 9 }},',
        (10, 3, 'the window of a max_pooling2d layer is 9x9, but its padded input only 8x8 (from "first")', ""),
    ),
    "inside": (
        '  { type = "repeat", times = 2, layers = [\n    "relu",\n    { type = "conv2d", filters = 4, kernel_size = 3, groups = 3 } ] },',
        (11, 5, '3 groups do not divide 1 channels and 4 filters (from "activation_1")', ""),
    ),
    "no such layer": (
        '  { type = "add", inputs = ["input", "second"] },',
        (9, 38, 'there is no layer "second" before this one', 'there are "input"'),
    ),
    "two inputs": ('  "add",', (9, 3, '"add" takes 2 inputs or more, not 1', 'name them: inputs = ["...", "..."]')),
    "one input": (
        f'{CONV}\n  {{ type = "dense", units = 3, inputs = ["input", "first"] }},',
        (10, 3, '"dense" takes one input, not 2', ""),
    ),
    "nothing reads": (
        f'{CONV}\n  {{ type = "conv2d", filters = 2, kernel_size = 1, inputs = ["input"] }},',
        (9, 3, 'nothing reads "first"', "name it in the inputs of a later layer"),
    ),
    "called twice": (f"{CONV}\n{CONV}", (10, 77, 'two layers are called "first": number 1 and number 2', "")),
    "called input": (
        '  { type = "flatten", name = "input" },',
        (9, 30, 'two layers are called "input": that is what the data are called', ""),
    ),
    "no embedding": (
        '  { type = "tied_dense", to = "words" },',
        (9, 31, 'there is no embedding "words" before this layer', ""),
    ),
    "count padding": (
        '  { type = "average_pooling2d", pool_size = 3, padding = "same" },',
        (9, 3, '"count_padding" must say whether the padding counts in the mean: PyTorch counts it, Keras does not (from the data)', ""),
    ),
    "a sequence": (
        '  { type = "lstm", units = 3 },',
        (9, 3, "an lstm layer takes steps x features, but gets 8x8x1 (from the data)", ""),
    ),
    "heads": (
        '  { type = "reshape", target_shape = [8, 8] },\n  { type = "multi_head_attention", num_heads = 3 },',
        (10, 3, '3 heads do not divide 8 features (from "reshape_1")', ""),
    ),
    "bidirectional": (
        '  { type = "bidirectional", layer = { type = "dense", units = 2 } },',
        (9, 3, '"bidirectional" takes a recurrence, not dense', "simple_rnn, lstm or gru"),
    ),
    "an embedding of values": (
        '  { type = "embedding", input_dim = 5, output_dim = 2 },',
        (3, 2, '"embedding_1" is an embedding and takes whole numbers, but the data are values',
         "set integer_inputs = true if they are whole numbers"),
    ),
}  # fmt: skip


def failure(folder: Path, layers: str, optimizer: str = '{ type = "sgd", learning_rate = 0.1 }') -> SpecError:
    """What is said of an experiment with these layers."""
    path = folder / "e.toml"
    path.write_text(FRAME.format(layers=layers, optimizer=optimizer))
    with pytest.raises(SpecError) as caught:
        plan(path)
    return caught.value


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_have_their_place(name: str, tmp_path: Path) -> None:
    """Line, column, message (with the layer before) and hint of each."""
    layers, (line, column, message, hint) = MISTAKES[name]
    (problem,) = failure(tmp_path, layers).problems
    assert (problem.line, problem.column, problem.message, problem.hint) == (line, column, message, hint)


@pytest.mark.parametrize(
    ("optimizer", "key", "message"),
    [
        ('{ type = "sgd", learning_rate = 0.1, weight_decay = 0.1 }', "weight_decay", "say decoupled = true"),
        ('{ type = "sgd", learning_rate = 0.1, clip_value = 1.0, clip_norm = 1.0 }', "clip_norm", "exclude each other"),
        ('{ type = "adamw", learning_rate = 0.1, epsilon = 1e-8, weight_decay = 0.1, decoupled = false }', "decoupled", "is \"adam\""),
    ],
)  # fmt: skip
def test_mistakes_of_optimizers(optimizer: str, key: str, message: str, tmp_path: Path) -> None:
    """What no single key tells is said at the key that is to blame."""
    (problem,) = failure(tmp_path, "", optimizer).problems
    assert message in problem.message
    assert problem.source[problem.column - 1 :].startswith(problem.source.partition(f"{key} = ")[2][:4])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 5))
def test_same_padding_is_that_of_tensorflow(size: int, window: int, stride: int) -> None:
    """ceil(size / stride) outputs; as few zeros as possible, the odd one behind."""
    ((before, after),) = pads("same", (size,), (window,), (stride,))
    assert 0 <= after - before <= 1
    layer = kinds.MaxPooling1D(pool_size=window, strides=stride)
    (count,) = window_outputs(layer, (size,), (window,), (stride,), ((before, after),))
    assert count == -(-size // stride)
    assert before + after == 0 or (count - 1) * stride + window == size + before + after


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.sampled_from(["same", "valid", 0, 1]), st.integers(1, 2))
def test_a_transposed_convolution_leads_back(size: int, window: int, stride: int, padding: Any, dilation: int) -> None:
    """The conv2d of the same window, strides and padding, on what conv2d_transpose gives, gives its input's shape."""
    options: dict[str, Any] = {"kernel_size": window, "strides": stride, "padding": padding, "dilation_rate": dilation}
    there = kinds.Conv2DTranspose(filters=1, **options)
    try:
        larger = there.output_shape((size, size, 1))
    except ValueError:
        assert padding == 1
        return
    assert kinds.Conv2D(filters=1, **options).output_shape(larger)[:2] == (size, size)


def test_every_type_says_its_formula_and_its_calls() -> None:
    """Every layer, activation, loss, optimizer and schedule has a docstring with a formula or what it does, and a call in PyTorch and
    Keras at least, unless it has none there."""
    bare = {"repeat", "activation", "lion", "lamb", "one_cycle", "bidirectional"}
    for base in (spec.Layer, spec.ActivationFunction, spec.Loss, spec.Optimizer, spec.Schedule):
        for name, cls in family(base).items():
            assert len(cls.__doc__ or "") > 8, name
            assert name in bare or {"torch", "keras"} <= set(cls.calls), name
            assert all(call.path.count(".") for call in cls.calls.values()), name


def test_calls_are_those_of_the_installed_frameworks() -> None:
    """Every call that a layer, loss, ... names is there in the installed version, with the parameters that it names."""
    script = textwrap.dedent("""
        import json
        from harness import spec
        from harness.execution.installed import signatures
        paths = {}
        for base in (spec.Layer, spec.ActivationFunction, spec.Loss, spec.Optimizer, spec.Schedule):
            for cls in spec.family(base).values():
                for backend, call in cls.calls.items():
                    if backend != "flax":
                        paths.setdefault(backend, []).append(call.path)
        print(json.dumps(signatures(paths, lambda backend: None)))
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    found, failed = json.loads(done.stdout)
    assert not failed
    absent = [path for calls in found.values() for path, parameters in calls.items() if parameters is None]
    assert not absent
    assert found["torch"]["torch.nn.BatchNorm2d"]["momentum"] == "0.1"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_schema_accepts_every_experiment(path: Path) -> None:
    """Editors and the program agree on what is right."""
    import tomllib

    jsonschema.validate(tomllib.loads(path.read_text()), schema())
    read(path)


@pytest.mark.parametrize("name", ["unit", "units = 0", "dens", "lr"])
def test_the_schema_refuses_what_the_reader_refuses(name: str) -> None:
    """A misspelt key, a limit, an unknown type, a missing key."""
    import tomllib

    good = (ROOT / "experiments/xor.toml").read_text()
    bad = {
        "unit": good.replace("units = 5", "unit = 5"), "units = 0": good.replace("units = 5", "units = 0"),
        "dens": good.replace('"dense", units = 5', '"dens", units = 5'), "lr": good.replace("learning_rate", "lr"),
    }[name]  # fmt: skip
    assert bad != good
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(bad), schema())
