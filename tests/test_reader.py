"""Reading experiment files: places, checks, hints, changes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import spec
from harness.errors import UsageError
from harness.spec import initializers, layers
from harness.spec.fields import about
from harness.spec.reader import Problem, SpecError, from_mapping, places, read
from harness.spec.reader.places import Trail

GOOD = """\
name = "xor"

[data]
type = "xor"

[model]
layers = [
  { type = "dense", units = 5, activation = "sigmoid" },
  { type = "dense", units = 2 },
]

[train]
loss = "softmax_cross_entropy"
optimizer = { type = "sgd", learning_rate = 0.5 }
steps = 20

[compare]
arms = ["numpy", "torch:compile", "keras:jax", "jax@0.10.2"]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file name in an empty working folder, so that messages hold the name alone."""
    monkeypatch.chdir(tmp_path)
    return Path("e.toml")


def failure(file: Path, text: str, *changes: str) -> SpecError:
    """The error that reading a text gives."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read(file, changes)
    return caught.value


def swapped(old: str, new: str) -> str:
    """The good experiment with something else in it."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


# --- places -----------------------------------------------------------------------------------------------------------


def leaves(tree: object, trail: Trail = ()) -> Iterator[tuple[Trail, object]]:
    """Every part of a tree, with its trail."""
    if trail:
        yield trail, tree
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, part in steps:
        yield from leaves(part, (*trail, step))


def parsed(text: str) -> object:
    """The value that a piece of text is, or nothing where it is none: a header's name."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None


def check_places(text: str) -> None:
    """Each key and value of a text must be found, and nothing else."""
    tree = tomllib.loads(text)
    found = places.find(text)
    parts = dict(leaves(tree))
    assert found.keys() == parts.keys()
    for trail, (key, value) in found.items():
        written = text[key.start : key.end]
        if isinstance(trail[-1], str):
            assert next(iter(tomllib.loads(f"{written} = 0"))) == trail[-1]
        piece = text[value.start : value.end]
        if value == key and isinstance(parts[trail], dict | list) and parsed(piece) != parts[trail]:
            name = trail[-1] if isinstance(trail[-1], str) else trail[-2]
            assert next(iter(tomllib.loads(f"{piece} = 0"))) == name  # a header, or a part of a dotted key
        else:
            assert parsed(piece) == parts[trail]
            assert piece == piece.strip()


SPACES = st.sampled_from(["", " ", "\t", "  "])
BREAKS = st.sampled_from(["", " ", "\n", " # a ] \" ' } comment\n", "\n\t\n# [x]\n"])
WORDS = st.text(st.sampled_from("ab \\\"'#=[]{},.\t\u00e4\u4e2d\U0001f600\x07"), max_size=6)
SCALARS = st.sampled_from(
    ["1", "-0", "+1_000", "0xff", "1e-3", "-1.5E+2", "inf", "true", "false", "1979-05-27", "1979-05-27T07:32:00Z",
     "1979-05-27 07:32:00.5-07:00", "07:32:00"]
)  # fmt: skip


def escaped(word: str) -> str:
    """A word as what stands between double quotes."""
    table = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\x07": "\\u0007"}
    return "".join(table.get(letter, letter) for letter in word)


def raw(word: str) -> str:
    """A word as what can stand between single quotes."""
    return word.replace("'", "").replace("\x07", "")


STRINGS = st.one_of(
    WORDS.map(lambda word: f'"{escaped(word)}"'),
    WORDS.map(lambda word: f"'{raw(word)}'"),
    st.tuples(WORDS, WORDS, st.sampled_from(["", '"', '""'])).map(
        lambda w: f'"""{escaped(w[0])}\n{escaped(w[1])}\\\n  {w[2]}"""'
    ),
    st.tuples(WORDS, WORDS, st.sampled_from(["", "'", "''"])).map(lambda w: f"'''{raw(w[0])}\n{raw(w[1])}{w[2]}'''"),
)


@st.composite
def keys(draw: st.DrawFn, number: int) -> str:
    """One part of a key; the number keeps it unlike its neighbours."""
    word = draw(WORDS)
    return draw(st.sampled_from([f"k-{number}_", str(number), f'"{number}{escaped(word)}"', f"'{number}{raw(word)}'"]))


@st.composite
def dotted(draw: st.DrawFn, number: int) -> str:
    """A key of one to three parts."""
    parts = [draw(keys(number)) for _ in range(draw(st.integers(1, 3)))]
    return f"{draw(SPACES)}.{draw(SPACES)}".join(parts)


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A list, over several lines perhaps."""
    items = draw(st.lists(inner, max_size=4))
    comma = draw(BREAKS) + "," + draw(BREAKS)
    end = "," if draw(st.booleans()) and items else ""
    return f"[{draw(BREAKS)}{comma.join(items)}{draw(BREAKS)}{end}{draw(BREAKS)}]"


@st.composite
def tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A table on one line."""
    pairs = [f"{draw(dotted(n))}{draw(SPACES)}={draw(SPACES)}{draw(inner)}" for n in range(draw(st.integers(0, 3)))]
    return f"{{{draw(SPACES)}{f'{draw(SPACES)},{draw(SPACES)}'.join(pairs)}{draw(SPACES)}}}"


VALUES = st.recursive(SCALARS | STRINGS, lambda inner: lists(inner) | tables(inner), max_leaves=8)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A TOML text: pairs, then tables and arrays of tables, some of them inside others."""
    lines: list[str] = []
    headers: list[str] = []
    for number in range(draw(st.integers(0, 4))):
        header = draw(dotted(100 + number))
        if draw(st.booleans()) and headers:
            header = f"{draw(st.sampled_from(headers))}.{header}"
        headers.append(header)
        array = draw(st.booleans())
        for _ in range(draw(st.integers(1, 3)) if array else 1):
            lines.append(draw(SPACES) + (f"[[{draw(SPACES)}{header} ]]" if array else f"[{header}{draw(SPACES)}]"))
            lines += [
                f"{draw(SPACES)}{draw(dotted(n))}{draw(SPACES)}={draw(SPACES)}{draw(VALUES)}{draw(SPACES)}"
                for n in range(draw(st.integers(0, 3)))
            ]
            lines.append(draw(st.sampled_from(["", "# [a comment]"])))
    top = [f"{draw(dotted(200 + n))} = {draw(VALUES)} # '" for n in range(draw(st.integers(0, 4)))]
    return draw(BREAKS) + "\n".join(top + lines) + draw(BREAKS)


@given(documents())
@settings(max_examples=400, deadline=None)
def test_every_place_is_found(text: str) -> None:
    tomllib.loads(text)  # the generator writes TOML
    check_places(text)


def test_places_exactly() -> None:
    text = 'a."b\\u0021" = [ 1, "x" ] # c\n[[t]]\nk = { p.q = 2 }\n[[t]]\n[t.u]\n'
    found = {trail: (text[k.start : k.end], k.start, text[v.start : v.end]) for trail, (k, v) in places.find(text).items()}
    assert found == {
        ("a",): ("a", 0, "a"),
        ("a", "b!"): ('"b\\u0021"', 2, '[ 1, "x" ]'),
        ("a", "b!", 0): ("1", 16, "1"),
        ("a", "b!", 1): ('"x"', 19, '"x"'),
        ("t",): ("t", 31, "t"),
        ("t", 0): ("t", 31, "t"),
        ("t", 0, "k"): ("k", 35, "{ p.q = 2 }"),
        ("t", 0, "k", "p"): ("p", 41, "p"),
        ("t", 0, "k", "p", "q"): ("q", 43, "2"),
        ("t", 1): ("t", 53, "t"),
        ("t", 1, "u"): ("u", 60, "u"),
    }


def test_a_table_stands_at_its_own_header() -> None:
    assert places.find("[a.b]\n[c]\n[a]\n")[("a",)].key == places.Span(11, 12)


def test_the_place_test_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    find = places.find

    def shifted(text: str) -> dict[Trail, places.Entry]:
        return {
            trail: places.Entry(key, places.Span(value.start, value.end - (trail == ("a",))))
            for trail, (key, value) in find(text).items()
        }

    check_places('a = "x"')
    monkeypatch.setattr(places, "find", shifted)
    with pytest.raises(AssertionError):
        check_places('a = "x"')


# --- a good file ------------------------------------------------------------------------------------------------------


def test_a_good_file(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    source = read(file)
    experiment = source.experiment
    assert (source.path, source.text, source.changes) == (file, GOOD, ())
    assert experiment.name == "xor"
    assert [layer.type for layer in experiment.model.layers] == ["dense", "dense"]
    assert experiment.train.optimizer == spec.SGD(learning_rate=0.5)
    assert experiment.compare.arms == ("numpy", "torch:compile", "keras:jax", "jax@0.10.2")


def test_short_forms(file: Path) -> None:
    list_of_layers = """layers = [
      "flatten", "relu", "linear", { type = "tanh", name = "t" },
      { type = "activation", activation = { type = "relu" } },
      { type = "dense", units = 2, kernel_initializer = "he_uniform",
        bias_initializer = { type = "array", values = [1, 2.5] } },""".replace(",\n        bias", ", bias")
    start, end = GOOD.index("layers = ["), GOOD.index("]\n\n[train]")
    file.write_text(GOOD[:start] + list_of_layers + GOOD[end:])
    flatten, relu, linear, tanh, long, dense = read(file).experiment.model.layers
    assert isinstance(flatten, spec.Flatten)
    assert relu == long
    assert (relu.type, tanh.type, tanh.name) == ("activation", "activation", "t")
    assert linear == spec.Activation(activation=layers.Linear())
    assert isinstance(dense, spec.Dense)
    assert dense.kernel_initializer.type == "he_uniform"
    assert dense.bias_initializer == initializers.Array(values=(1.0, 2.5))


def test_whole_numbers_serve_as_numbers_and_become_float32(file: Path) -> None:
    file.write_text(swapped("learning_rate = 0.5", "learning_rate = 1, momentum = 0.9"))
    optimizer = read(file).experiment.train.optimizer
    assert isinstance(optimizer, spec.SGD) and isinstance(optimizer.learning_rate, float)
    assert optimizer.momentum == spec.float32(0.9) != 0.9


# --- every code once, with its exact text -----------------------------------------------------------------------------

MISTAKES = {
    "unknown-key": (
        "units = 5", "unit = 5",
        """
        e.toml:8:21: error[unknown-key]: unknown key "unit" in a "dense" layer
          |
        8 |   { type = "dense", unit = 5, activation = "sigmoid" },
          |                     ^^^^ did you mean "units"?
        """,
    ),
    "unknown-type": (
        '"sgd"', '"Adam"',
        """
        e.toml:14:22: error[unknown-type]: unknown optimizer "Adam"
           |
        14 | optimizer = { type = "Adam", learning_rate = 0.5 }
           |                      ^^^^^^ did you mean "adam"?
        """,
    ),
    "unknown-choice": (
        "[compare]", '[compare]\ndtype = "float16"',
        """
        e.toml:18:9: error[unknown-choice]: "dtype" must be "float32" or "float64", not "float16"
           |
        18 | dtype = "float16"
           |         ^^^^^^^^^ number format of the arms
        """,
    ),
    "missing-key": (
        ', learning_rate = 0.5 }', " }",
        """
        e.toml:14:13: error[missing-key]: "learning_rate" is missing in the "sgd" optimizer
           |
        14 | optimizer = { type = "sgd" }
           |             ^^^^^^^^^^^^^^^^ size of a step
        """,
    ),
    "wrong-type": (
        "units = 5", 'units = "2"',
        """
        e.toml:8:29: error[wrong-type]: "units" must be a whole number, not "2"
          |
        8 |   { type = "dense", units = "2", activation = "sigmoid" },
          |                             ^^^ number of outputs
        """,
    ),
    "out-of-range": (
        "units = 5", "units = -1",
        """
        e.toml:8:29: error[out-of-range]: "units" must be greater than 0, not -1
          |
        8 |   { type = "dense", units = -1, activation = "sigmoid" },
          |                             ^^ number of outputs
        """,
    ),
    "ragged": (
        "units = 2", 'units = 2, kernel_initializer = { type = "array", values = [[1, 2], [3]] }',
        """
        e.toml:9:89: error[ragged]: the lists in "values" must be equally long: 1 here, 2 before
          |
        9 |   { type = "dense", units = 2, kernel_initializer = { type = "array", values = [[1, 2], [3]] } },
          |                                                                                         ^^^
        """,
    ),
    "conflict": (
        "steps = 20", "steps = 20\nepochs = 3",
        """
        e.toml:16:1: error[conflict]: "epochs" and "steps" are both given, but exactly one is needed
           |
        16 | epochs = 3
           | ^^^^^^ leave one of them out
        """,
    ),
    "duplicate": (
        '"keras:jax"', '"numpy"',
        """
        e.toml:18:35: error[duplicate]: "numpy" stands twice in "arms"
           |
        18 | arms = ["numpy", "torch:compile", "numpy", "jax@0.10.2"]
           |                                   ^^^^^^^
        """,
    ),
    "arm": (
        '"keras:jax"', '"keras jax"',
        """
        e.toml:18:35: error[arm]: "keras jax" is not an arm
           |
        18 | arms = ["numpy", "torch:compile", "keras jax", "jax@0.10.2"]
           |                                   ^^^^^^^^^^^ an arm is backend[:mode][@environment], e.g. "torch:compile"
        """,
    ),
    "name": (
        'name = "xor"', 'name = "../xor"',
        """
        e.toml:1:8: error[name]: "../xor" cannot be a name
          |
        1 | name = "../xor"
          |        ^^^^^^^^ letters, digits, "_", "-" and "."; the first a letter, a digit or "_"
        """,
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", MISTAKES)
def test_each_code(file: Path, code: str) -> None:
    old, new, expected = MISTAKES[code]
    error = failure(file, swapped(old, new))
    assert str(error) == f"{textwrap.dedent(expected).strip()}\n\n1 problem in e.toml. Nothing was run."
    assert [problem.code for problem in error.problems] == [code]
    assert isinstance(error, UsageError) and error.exit_code == 2


def test_every_code_has_its_test() -> None:
    """Every code that the reader's source names stands in this file."""
    folder = Path(places.__file__).parent
    source = "".join(file.read_text() for file in folder.glob("*.py"))
    codes = {"unknown-key", "unknown-type", "unknown-choice", "missing-key", "wrong-type", "out-of-range", "ragged", "conflict",
             "duplicate", "arm", "name"}  # fmt: skip
    assert codes == set(MISTAKES)
    assert all(f'"{code}"' in source for code in codes | {"syntax", "encoding", "file", "set"})


# --- single messages: what is changed, and line, column, message and hint ---------------------------------------------

EPSILON = "epsilon is 1e-7 in Keras, 1e-8 in PyTorch and Optax: write down which you mean"
DECAY = "weight_decay is 0.01 in PyTorch, 0.004 in Keras, 1e-4 in Optax: write down which you mean"
RHO = "rho is 0.99 in PyTorch, 0.9 in Keras and Optax: write down which you mean"
SGD = 'type = "sgd", learning_rate = 0.5'
TYPES = (
    'types are "sgd", "adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta", "lion" and "lamb"'
)
MESSAGES = [
    # other frameworks' names of keys
    ("units = 5", "out_features = 5", 8, 21,
     'unknown key "out_features" in a "dense" layer', 'PyTorch calls it that; here it is "units"'),
    ("units = 5", "Units = 5", 8, 21, 'unknown key "Units" in a "dense" layer', 'did you mean "units"?'),
    ("learning_rate", "lr", 14, 29,
     'unknown key "lr" in the "sgd" optimizer', 'PyTorch calls it that; here it is "learning_rate"'),
    ("loss =", "criterion =", 13, 1, 'unknown key "criterion" in [train]', 'PyTorch calls it that; here it is "loss"'),
    (SGD, 'type = "adam", learning_rate = 1, eps = 1e-8', 14, 49, 'unknown key "eps" in the "adam" optimizer',
     'PyTorch and Optax call it that; here it is "epsilon"'),
    ("units = 5", 'units = 5, init = "zeros"', 8, 32, 'unknown key "init" in a "dense" layer', 'here it is "kernel_initializer"'),
    # other frameworks' names of types
    ('"dense", units = 5', '"Linear", out_features = 5', 8, 12,
     'unknown layer "Linear"', 'PyTorch calls it that; here it is "dense"'),
    ('"dense", units = 5', '"nn.Linear", units = 5', 8, 12,
     'unknown layer "nn.Linear"', 'PyTorch calls it that; here it is "dense"'),
    ('{ type = "dense", units = 2 }', '{ type = "linear", units = 2 }', 9, 12,
     '"linear" is an activation and takes no "units"', 'PyTorch calls it that; here it is "dense"'),
    ('"softmax_cross_entropy"', '"nn.CrossEntropyLoss"', 13, 8, 'unknown loss "nn.CrossEntropyLoss"',
     'PyTorch calls it that; here it is "softmax_cross_entropy"'),
    ('"softmax_cross_entropy"', '"MSELoss"', 13, 8, 'unknown loss "MSELoss"', 'PyTorch calls it that; here it is "mse"'),
    ('"sigmoid"', '"nn.ReLU"', 8, 45, 'unknown activation "nn.ReLU"', 'did you mean "relu"?'),
    ('"sigmoid"', '"sigmod"', 8, 45, 'unknown activation "sigmod"', 'did you mean "sigmoid"?'),
    ('"sigmoid"', '"swish"', 8, 45, 'unknown activation "swish"', 'Keras and JAX call it that; here it is "silu"'),
    ('"sigmoid"', '"gelu"', 8, 45, '"approximate" is missing in a "gelu" activation',
     "the exact form is PyTorch's, Keras' and TensorFlow's, that with tanh JAX': write down which you mean"),
    ("units = 5", 'units = 5, kernel_initializer = "kaiming_normal_"', 8, 53, 'unknown initializer "kaiming_normal_"',
     'PyTorch calls it that; here it is "he_normal"'),
    ('type = "xor"', 'type = "xr"', 4, 8, 'unknown data set "xr"', 'did you mean "xor"?'),
    ('{ type = "dense", units = 2 }', '"dens"', 9, 3, 'unknown layer "dens"', 'did you mean "dense"?'),
    # no type
    ("type = \"sgd\", ", "", 14, 13, '"type" is missing in "optimizer"', TYPES),
    ('type = "sgd"', 'tpye = "sgd"', 14, 15, 'unknown key "tpye" in "optimizer"', 'did you mean "type"?'),
    ('type = "sgd"', "type = 3", 14, 22,
     '"type" must be text in quotes, not 3', TYPES),
    ('"softmax_cross_entropy"', "3", 13, 8, '"loss" must be a type in quotes or a table with a type, not 3', None),
    ('{ type = "dense", units = 2 }', "[]", 9, 3,
     'number 2 of "layers" must be a type in quotes or a table with a type, not a list', None),
    # keys in the wrong place
    ('name = "xor"', 'name = "xor"\nlr = 0.5', 2, 1, 'unknown key "lr" in the experiment',
     '"learning_rate" belongs to the optimizer: optimizer = { type = "...", learning_rate = ... }'),
    ("steps = 20\n\n[compare]", "[compare]\nsteps = 20", 16, 1, 'unknown key "steps" in [compare]', '"steps" belongs in [train]'),
    ("[train]", "[trian]", 12, 2, 'unknown key "trian" in the experiment', 'did you mean "train"?'),
    ('name = "xor"\n\n[data]', '[data]\nname = "xor"\n', 2, 1,
     'unknown key "name" in the "xor" data set', '"name" belongs at the top, before the first [table]'),
    # constants that frameworks default differently
    (SGD, 'type = "adam", learning_rate = 1', 14, 13, '"epsilon" is missing in the "adam" optimizer', EPSILON),
    (SGD, 'type = "adamw", learning_rate = 1, epsilon = 1e-8', 14, 13,
     '"weight_decay" is missing in the "adamw" optimizer', DECAY),
    (SGD, 'type = "rmsprop", learning_rate = 1, epsilon = 1e-8', 14, 13, '"rho" is missing in the "rmsprop" optimizer', RHO),
    # missing
    ("steps = 20\n", "", 12, 2, '"epochs" or "steps" is missing in [train]', "passes over the training rows, or optimizer steps"),
    ('name = "xor"\n', "", 1, 1, '"name" is missing in the experiment', "short name, used for folders and tables"),
    ('[data]\ntype = "xor"\n', "", 1, 1, "[data] is missing", "the data set"),
    ("units = 2", "units = 2, activation = {}", 9, 45, '"type" is missing in "activation"', None),
    # types
    ("units = 5", "units = true", 8, 29, '"units" must be a whole number, not true', "number of outputs"),
    ("units = 5", "units = 5.0", 8, 29, '"units" must be a whole number, not 5.0', "number of outputs"),
    ("units = 5", "units = [5]", 8, 29, '"units" must be a whole number, not a list', "number of outputs"),
    ("0.5", "true", 14, 45, '"learning_rate" must be a number, not true', "size of a step"),
    ("0.5", "1979-05-27", 14, 45, '"learning_rate" must be a number, not 1979-05-27', "size of a step"),
    ("units = 2", "units = 2, use_bias = 0", 9, 43, '"use_bias" must be true or false, not 0', "whether b is added"),
    ("steps = 20", 'steps = 20\nbatch_size = "ful"', 16, 14,
     '"batch_size" must be a whole number or "full", not "ful"', 'did you mean "full"?'),
    ("steps = 20", "steps = 20\nbatch_size = 2.5", 16, 14, '"batch_size" must be a whole number or "full", not 2.5', None),
    ('type = "xor"', 'type = "csv"\npath = "a.csv"\ntarget = [1]', 6, 11,
     'number 1 of "target" must be text in quotes, not 1', None),
    ('type = "xor"', 'type = "csv"\npath = "a.csv"\ntarget = 1', 6, 10,
     '"target" must be text in quotes or a list of texts in quotes, not 1', None),
    ('["numpy", "torch:compile", "keras:jax", "jax@0.10.2"]', '"numpy"', 18, 8,
     '"arms" must be a list of texts in quotes, not "numpy"', None),
    ('arms = ["numpy"', 'arms = [7, "numpy"', 18, 9, 'number 1 of "arms" must be text in quotes, not 7', None),
    ("[compare]", '[compare]\nmetrics = ["acc"]', 18, 12,
     'number 1 of "metrics" must be "accuracy", "mean_squared_error", "mean_absolute_error" or "r2", not "acc"',
     'did you mean "accuracy"?'),
    ('[data]\ntype = "xor"', "data = 3", 3, 8, '"data" must be a type in quotes or a table with a type, not 3', None),
    ("units = 2", 'units = 2, bias_initializer = { type = "array", values = 3 }', 9, 78,
     '"values" must be nested lists of numbers, not 3', None),
    ("units = 2", 'units = 2, bias_initializer = { type = "array", values = [1, true] }', 9, 82,
     '"values" must be nested lists of numbers, not true', None),
    # limits
    ("units = 5", "units = 9223372036854775808", 8, 29, '"units" must be at most 9.22337e+18, not 9223372036854775808', None),
    ("0.5", "nan", 14, 45, '"learning_rate" must be finite, not nan', "size of a step"),
    ("0.5", "-inf", 14, 45, '"learning_rate" must be finite, not -inf', "size of a step"),
    ("0.5", "1e39", 14, 45, '"learning_rate" must be a number that float32 can hold, not 1e+39', ""),
    ("0.5", "1e-60", 14, 45, '"learning_rate" must be greater than 0, not 0.0', "float32 rounds 1e-60 to 0.0"),
    ("units = 5, activation = \"sigmoid\"", "units = 5 }, { type = \"dropout\", rate = 1", 8, 61,
     '"rate" must be less than 1, not 1', None),
    ("steps = 20", "steps = 20\nbatch_size = 0", 16, 14, '"batch_size" must be greater than 0, not 0', None),
    ("[compare]", "[compare]\nseed = -1", 18, 8, '"seed" must be at least 0, not -1', None),
    ("[compare]", "[compare]\nforced_steps = []", 18, 16, '"forced_steps" must not be empty', None),
    ("[compare]", "[compare]\nforced_steps = [0, -1]", 18, 20, 'number 2 of "forced_steps" must be at least 0, not -1', None),
    ('type = "xor"', 'type = "xor"\nshape = [2, 0]', 5, 13, 'number 2 of "shape" must be greater than 0, not 0', None),
    ('type = "xor"', 'type = "csv"\npath = ""\ntarget = "y"', 5, 8, '"path" must not be empty', None),
    ("units = 2", 'units = 2, name = "a/b"', 9, 39, '"a/b" cannot be a name', None),
    ("units = 2", 'units = 2, bias_initializer = { type = "array", values = [1, inf] }', 9, 82,
     '"values" must hold numbers that float32 can hold, not inf', None),
    ("units = 2", 'units = 2, bias_initializer = { type = "array", values = [1, [2]] }', 9, 82,
     'the lists in "values" must be equally long: 1 here, one number before', None),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "column", "message", "hint"), MESSAGES, ids=[case[1][-30:] for case in MESSAGES])
def test_message(file: Path, old: str, new: str, line: int, column: int, message: str, hint: str | None) -> None:
    error = failure(file, swapped(old, new))
    first = error.problems[0]
    assert len(error.problems) == 1, str(error)
    assert (first.line, first.column, first.message) == (line, column, message)
    assert hint is None or first.hint == hint


def test_five_mistakes_are_five_problems_in_file_order(file: Path) -> None:
    text = GOOD.replace('type = "xor"', 'type = "xo"').replace("units = 5", "unit = 5").replace("units = 2", 'units = "2"')
    text = text.replace("softmax_cross_entropy", "CrossEntropyLoss").replace('"keras:jax"', '"keras jax"')
    error = failure(file, text)
    assert [(p.line, p.column, p.code) for p in error.problems] == [
        (4, 8, "unknown-type"), (8, 21, "unknown-key"), (9, 29, "wrong-type"), (13, 8, "unknown-type"), (18, 35, "arm"),
    ]  # fmt: skip
    assert str(error).endswith("\n\n5 problems in e.toml. Nothing was run.")
    assert str(error).count("e.toml:") == 5


def test_places_in_arrays_of_tables(file: Path) -> None:
    start, end = GOOD.index("[model]"), GOOD.index("[train]")
    text = GOOD[:start] + '[[model.layers]]\ntype = "dense"\nunits = 2\n\n[[model.layers]]\ntype = "dropout"\n' + GOOD[end:]
    (problem,) = failure(file, text).problems
    assert (problem.line, problem.column, problem.end, problem.message) == (10, 9, 15, '"rate" is missing in a "dropout" layer')


def test_a_value_over_several_lines_is_marked_at_its_key(file: Path) -> None:
    start, end = GOOD.index("layers = ["), GOOD.index("[train]")
    (problem,) = failure(file, GOOD[:start] + "layers = [\n]\n\n" + GOOD[end:]).problems
    assert (problem.line, problem.column, problem.end, problem.message) == (7, 1, 7, '"layers" must not be empty')


def test_nothing_of_a_strangers_file_controls_the_terminal(file: Path) -> None:
    error = failure(file, swapped('"sigmoid"', r'"\u001b[31mred\u202e"'))
    assert error.problems[0].message == 'unknown activation "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"'
    error = failure(file, GOOD + "x = '\x1b[31m'")
    assert "\x1b" not in str(error)


def test_a_long_line_is_clipped_around_its_place(file: Path) -> None:
    values = ", ".join(["1"] * 2000)
    array = f'units = 2, bias_initializer = {{ type = "array", values = [{values}, true, {values}] }}'
    shown = str(failure(file, swapped("units = 2", array))).splitlines()
    assert max(map(len, shown)) < 200
    marks = shown[3].index("^")
    assert shown[2][marks : marks + 4] == "true"


def test_tabs_keep_the_marks_in_place(file: Path) -> None:
    shown = str(failure(file, swapped("steps = 20", "\tsteps\t= 0"))).splitlines()
    assert shown[2:4] == ["15 | \tsteps\t= 0", "   | \t     \t  ^ optimizer steps (or give `epochs`)"]


# --- files that cannot be read ----------------------------------------------------------------------------------------

SYNTAX = [
    ("a = True", 1, 5, "TOML writes true and false, in lower case and without quotes"),
    ("a = sgd", 1, 5, 'text goes in quotes: "text"'),
    ("a = None", 1, 5, "TOML has no null: leave the key out"),
    ("a = \u201cx\u201d", 1, 5, 'use straight quotes: "text"'),
    ("a = .5", 1, 5, "a digit must stand before the point: 0.5"),
    ("a = 1.", 1, 6, "a digit must stand after the point: 1.0"),
    ("a = 010", 1, 6, "numbers have no leading zeros; dates and text go in quotes"),
    ("a = 1,", 1, 6, "one key a line, with nothing between the lines"),
    ("a =\n", 1, 4, "a value is missing here"),
    ("a =  # c\nb = 1", 1, 6, "a value is missing here"),
    ("a: 1", 1, 2, "TOML writes key = value"),
    ("[a b]", 1, 4, "a table is written [name]; a name of several words goes in quotes"),
    ('x = 1\na = "x\nb = 1', 2, 7, "a closing quote is missing"),
    ("a = 'x\n", 1, 7, "a closing quote is missing"),
    ('a = """x\n', 1, 9, "a closing quote is missing"),
    ('a = "C:\\data"', 1, 10, "a backslash is written \\\\, or the text goes in single quotes: 'C:\\data'"),
    ("a = [1, 2\nb = 3", 2, 1, 'a "," or a "]" is missing here'),
    ("a = { b = 1 c = 2 }", 1, 13, 'a "," or a "}" is missing here'),
    ("// x", 1, 1, "comments start with #"),
    ('{"a": 1}', 1, 1, "this looks like JSON; experiments are TOML"),
    ("a = 1\n a = 2\n", 2, 2, "each key and each [table] may stand once"),
    ("[a]\n[a]\n", 2, 1, "each key and each [table] may stand once"),
]


@pytest.mark.parametrize(("text", "line", "column", "hint"), SYNTAX)
def test_syntax_errors(file: Path, text: str, line: int, column: int, hint: str) -> None:
    (problem,) = failure(file, text).problems
    assert (problem.code, problem.line, problem.column, problem.hint) == ("syntax", line, column, hint)


NEWER = sys.version_info >= (3, 15)  # its tomllib may read TOML 1.1


@pytest.mark.skipif(NEWER, reason="TOML 1.1")
@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("a = { b = 1,\n c = 2 }", 13, "{ ... } must stand on one line (more lines are TOML 1.1)"),
        ("a = {\n b = 1 }", 6, "{ ... } must stand on one line (more lines are TOML 1.1)"),
        ("a = { b = 1, }", 14, 'no "," may stand before "}"'),
    ],
)
def test_what_toml_1_1_allows(file: Path, text: str, column: int, hint: str) -> None:
    (problem,) = failure(file, text).problems
    assert (problem.code, problem.line, problem.column, problem.hint) == ("syntax", 1, column, hint)


def test_a_syntax_error_in_full(file: Path) -> None:
    assert str(failure(file, swapped("steps = 20", "steps = yes"))) == textwrap.dedent("""\
        e.toml:15:9: error[syntax]: this is not TOML: invalid value
           |
        15 | steps = yes
           |         ^^^ TOML writes true and false, in lower case and without quotes

        1 problem in e.toml. Nothing was run.""")


def test_hostile_texts_are_still_one_clear_error(file: Path) -> None:
    assert failure(file, "a = " + "[" * 5000).problems[0].message == "lists or tables are nested too deeply"
    assert failure(file, "a = " + "1" * 5000).problems[0].message == "a number has too many digits"
    huge = swapped("units = 5", f"units = 0x{'f' * 5000}")
    assert failure(file, huge).problems[0].message == '"units" must be at most 9.22337e+18, not a huge number'


def test_not_utf8(file: Path) -> None:
    file.write_bytes('name = "x"\n# ä caf\xe9 Jülich\n'.encode("latin-1").replace(b"\xe4", "ä".encode()))
    with pytest.raises(SpecError) as caught:
        read(file)
    assert str(caught.value) == textwrap.dedent("""\
        e.toml:2:8: error[encoding]: this is not UTF-8: byte 0xe9
          |
        2 | # ä caf\N{REPLACEMENT CHARACTER} J\N{REPLACEMENT CHARACTER}lich
          |        ^ save it as UTF-8

        1 problem in e.toml. Nothing was run.""")
    file.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(SpecError, match="it looks like UTF-16"):
        read(file)


def test_no_such_file(file: Path) -> None:
    Path("experiments").mkdir()
    Path("experiments/digits-mlp.toml").write_text(GOOD)
    with pytest.raises(SpecError) as caught:
        read("experiments/digit_mlp.toml")
    hint = 'did you mean "experiments/digits-mlp.toml"?'
    assert str(caught.value).startswith(f"experiments/digit_mlp.toml: error[file]: there is no such file\n  {hint}\n")
    with pytest.raises(SpecError, match=hint.replace("?", r"\?")):
        read("digits-mlp")
    with pytest.raises(SpecError, match="this is a folder, not an experiment file"):
        read("experiments")
    with pytest.raises(SpecError, match="cannot be read"):
        read("a\0b")


# --- changes ----------------------------------------------------------------------------------------------------------


def test_changes(file: Path) -> None:
    file.write_text(GOOD)
    source = read(
        file,
        ['train.optimizer={type="adam", learning_rate=1e-3}', "train.optimizer.epsilon=1e-7", 'compare.arms=["numpy"]',
         "model.layers.0.units=8", "model.layers.1=relu", "model.layers.1.name=last", "train.loss=mse", "compare.seed = 7"],
    )  # fmt: skip
    first, second = source.experiment.model.layers
    assert isinstance(first, spec.Dense) and first.units == 8
    assert (second.type, second.name) == ("activation", "last")
    assert source.experiment.train.optimizer == spec.Adam(learning_rate=1e-3, epsilon=1e-7)
    assert source.experiment.train.loss.type == "mse"
    assert (source.experiment.compare.arms, source.experiment.compare.seed) == (("numpy",), 7)
    assert len(source.changes) == 8


def test_steps_and_epochs_replace_each_other(file: Path) -> None:
    file.write_text(GOOD)
    train = read(file, ["train.epochs=1"]).experiment.train
    assert (train.epochs, train.steps) == (1, None)
    error = failure(file, GOOD, "train.epochs=1", "train.steps=1")
    assert [problem.code for problem in error.problems] == ["conflict"]


def test_a_table_can_be_made_by_a_change(file: Path) -> None:
    file.write_text(GOOD[: GOOD.index("[compare]")])
    assert read(file, ["compare.dtype=float64"]).experiment.compare.dtype == "float64"


def test_a_problem_in_a_change_stands_behind_those_of_the_file(file: Path) -> None:
    error = failure(file, swapped("steps = 20", "steps = 0"), "compare.dtype=float16", 'train.loss={ type="mse", p=1 }')
    assert str(error) == textwrap.dedent("""\
        e.toml:15:9: error[out-of-range]: "steps" must be greater than 0, not 0
           |
        15 | steps = 0
           |         ^ optimizer steps (or give `epochs`)

        --set: error[unknown-choice]: "dtype" must be "float32" or "float64", not "float16"
          |
          | compare.dtype=float16
          |               ^^^^^^^ number format of the arms

        --set: error[unknown-key]: unknown key "p" in the "mse" loss
          |
          | train.loss={ type="mse", p=1 }
          |                          ^ its keys are "reduction"

        3 problems in e.toml. Nothing was run.""")


def test_changes_that_cannot_be_made(file: Path) -> None:
    error = failure(file, GOOD, "epochs", "model.layers.7.units=8", "train.steps.x=1", "=3")
    assert [(p.path, p.column, p.end, p.code, p.message) for p in error.problems] == [
        ("--set", 1, 7, "set", "this is not KEY=VALUE"),
        ("--set", 14, 15, "set", '"model.layers" has 2 items, counted from 0'),
        ("--set", 13, 14, "set", '"train.steps" has no keys'),
        ("--set", 1, 3, "set", "this is not KEY=VALUE"),
    ]


# --- from Python, later problems, plug-ins ----------------------------------------------------------------------------


def test_a_mapping(file: Path) -> None:
    file.write_text(GOOD)
    tree: dict[str, Any] = tomllib.loads(GOOD)
    assert from_mapping(tree).experiment == read(file).experiment
    tree["model"] = {"layers": (spec.Dense(units=3), "relu", {"type": "dense", "units": 2, "activation": None})}
    assert from_mapping(tree).experiment.model.layers[0] == spec.Dense(units=3)


def test_a_problem_in_a_mapping_names_its_path() -> None:
    tree = tomllib.loads(swapped("units = 2", "unit = 2"))
    del tree["name"]
    with pytest.raises(SpecError) as caught:
        from_mapping(tree)
    assert str(caught.value) == textwrap.dedent("""\
        <experiment>:model.layers.1.unit: error[unknown-key]: unknown key "unit" in a "dense" layer
          did you mean "units"?

        <experiment>: error[missing-key]: "name" is missing in the experiment
          short name, used for folders and tables

        2 problems in <experiment>. Nothing was run.""")


def later(file: Path, text: str) -> SpecError:
    """The error of a problem that is found when the program is made."""
    file.write_text(text)
    source = read(file)
    facts = spec.known_facts(source.experiment.data)
    assert facts
    with pytest.raises(spec.SpecProblem) as caught:
        spec.program(source.experiment, facts)
    return source.error(caught.value)


def test_problems_found_later_have_their_place(file: Path) -> None:
    (problem,) = later(
        file, swapped('"softmax_cross_entropy"', '"hinge"').replace('"xor"\n\n[model]', '"xor"\ntargets = "value"\n\n[model]')
    ).problems
    assert (problem.line, problem.column, problem.code) == (5, 11, "targets")
    (problem,) = later(file, swapped('type = "xor"', 'type = "xor"\nshape = [2, 1]')).problems
    assert (problem.line, problem.column, problem.end, problem.code) == (8, 1, 7, "shape")


def test_a_later_problem_without_a_place_of_its_own_stands_at_what_holds_it(file: Path) -> None:
    file.write_text(GOOD)
    source = read(file, ["compare.seed=1"])
    found = source.problem(spec.SpecProblem(("data", "targets"), "no", code="targets"))
    assert (found.line, found.column, found.source) == (3, 2, "[data]")
    found = source.problem(spec.SpecProblem(("model", "layers", 1, "name"), "no"))
    assert (found.line, found.column, found.end) == (9, 3, 32)
    assert source.problem(spec.SpecProblem(("compare", "seed"), "no")).path == "--set"
    assert source.problem(spec.SpecProblem((), "no")).render() == "e.toml:1:1: error[shape]: no"
    assert source.error(spec.SpecProblem((), "no")).exit_code == 2


@dataclass(frozen=True)
class Odd(spec.Loss):
    """A plug-in's loss, with a type of field that no bundled class has."""

    weights: dict[str, float] | None = None
    delta: float | None = None


def test_a_plug_in_is_checked_like_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Odd, "type", "odd")
    file.write_text(swapped('"softmax_cross_entropy"', '{ type = "odd", weights = { a = 1 }, delta = 2 }'))
    assert read(file).experiment.train.loss == Odd(weights={"a": 1.0}, delta=2.0)
    (problem,) = failure(file, swapped('"softmax_cross_entropy"', '{ type = "odd", weights = { a = "x" } }')).problems
    assert (problem.line, problem.code) == (13, "wrong-type")


def test_limits_of_every_field_are_known() -> None:
    """Metadata that the reader does not understand would be a limit that is never checked."""
    understood = {*about("", gt=0, ge=0, lt=0, le=0, min_length=1, choices=(), required=True)}
    families: list[type[Any]] = [
        spec.Data, spec.Layer, spec.ActivationFunction, spec.Initializer, spec.Loss, spec.Optimizer, spec.Schedule, spec.Regularizer,
    ]  # fmt: skip
    classes: list[Any] = [cls for base in families for cls in spec.family(base).values()]
    for cls in (*classes, spec.Experiment, spec.Model, spec.Train, spec.Compare):
        for item in cls.__dataclass_fields__.values():
            assert set(item.metadata) <= understood, (cls, item.name)


def test_reading_loads_nothing_heavy(file: Path) -> None:
    file.write_text(GOOD)
    root = Path(places.__file__).parents[3]
    heavy = "{'numpy', 'pandas', 'torch', 'jax', 'keras', 'tensorflow', 'pydantic'}"
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from harness.spec.reader import read"
    program += f"; assert 'pydantic_core' not in sys.modules; read('e.toml'); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_problems_are_values() -> None:
    problem = Problem("a.toml", 1, 1, 2, "x", "no", source="y")
    assert problem == replace(problem)
    assert problem.render() == "a.toml:1:1: error[x]: no\n  |\n1 | y\n  | ^"
