"""Exported ONNX files are what they say: onnxruntime computes the reference's outputs from them. All 492 conformance cases in both number
formats: `python -m benchmarks.export onnx`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from harness.errors import UsageError
from harness.export import Draft, NotWritten, Weights
from harness.export.onnx import files, lacking
from harness.export.onnx.graph import Graph
from harness.export.onnx.model import LARGEST, OPSET, graph_of, model
from harness.spec import INPUT
from harness.worker.conformance import cases, items
from harness.worker.conformance.data import drawn

from . import onnx_files, scripts
from .conftest import ROOT
from .layouts import layouts

EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))


def cases_of_layers() -> list[str]:
    """Cases that are about layers and activations; what losses and optimizers do is in no graph."""
    return [name for name, case in cases().items() if any(item.startswith(("layer/", "activation/")) for item in case.about)]


@pytest.mark.parametrize("dtype", onnx_files.DTYPES)
def test_outputs(dtype: str, tmp_path: Path) -> None:
    """Of every layer and activation and of all shipped experiments: what onnxruntime computes is right. In float32 nothing is refused."""
    found = onnx_files.tried([*cases_of_layers(), *EXPERIMENTS], dtype, tmp_path)
    refused = {name for name, each in found.items() if isinstance(each, NotWritten)}
    assert not {name: each for name, each in found.items() if name not in refused and (isinstance(each, str) or max(each.values()) > 1)}
    assert bool(refused) == (dtype == "float64")


def test_layouts(tmp_path: Path) -> None:
    """Every layer finds its axes whatever stands before it."""
    wanted: dict[Path, onnx_files.Right] = {}
    for each in layouts():
        state, batches = drawn(each, 0)[0]
        script = onnx_files.write(each.name.replace(" ", "-"), each.spec, state, batches, "float32", tmp_path)
        wanted[script] = onnx_files.right(each.spec, state, batches[0])
    found = {path.stem: problem or onnx_files.off(path, wanted[path], "float32") for path, problem in scripts.run(list(wanted))}
    assert len(found) == len(wanted) > 80
    assert not {name: each for name, each in found.items() if isinstance(each, str) or each > 1}


def test_a_wrong_graph_is_seen(tmp_path: Path) -> None:
    """Swapped gates, and a hundred-millionth of a thousandth in a kernel of float64, are found."""
    for name, dtype, array in (("lstm last", "float32", "lstm_1/kernel"), ("dense", "float64", "dense_1/kernel")):
        script = onnx_files.write("wrong", *onnx_files.begun(name), dtype, tmp_path)
        changed(script.with_name("wrong.onnx"), array)
        ((_, problem),) = scripts.run([script])
        assert not problem
        assert onnx_files.off(script, onnx_files.right_of(name), dtype) > 1, name


def changed(path: Path, name: str) -> None:
    """An array of a file: of a recurrence the second and the third gate swapped, of a dense layer a little larger."""
    import onnx

    proto = onnx.load(path)
    (array,) = [each for each in proto.graph.initializer if each.name == name]
    values = onnx.numpy_helper.to_array(array)
    if values.ndim == 3:
        i, o, f, c = numpy.split(values, 4, axis=1)
        values = numpy.concatenate([i, f, o, c], axis=1)
    else:
        values = values * (1 + 1e-11)
    array.CopyFrom(onnx.numpy_helper.from_array(values, name))
    onnx.save(proto, path)


def test_a_query_that_sees_nothing(tmp_path: Path) -> None:
    """Where all steps are padding, or all that are no later, attention is what it is in the reference: no NaN."""
    for name in ("multi_head_attention mask", "multi_head_attention mask causal"):
        spec, state, (batch, *_) = onnx_files.begun(name)
        inputs = batch.inputs.copy()
        inputs[0], inputs[1] = 0, [0, 0, 1, 2, 0]
        batch = dataclasses.replace(batch, inputs=inputs)
        script = onnx_files.write("unseen", spec, state, [batch], "float32", tmp_path)
        ((_, problem),) = scripts.run([script])
        assert not problem
        assert onnx_files.off(script, onnx_files.right(spec, state, batch), "float32") <= 1, name


# what onnxruntime has not ---------------------------------------------------------------------------------------------------


def needing() -> Iterator[tuple[str, str]]:
    """Every operator that is refused in float64, and a case that is refused for it alone."""
    missing = {*lacking.FLOAT64}
    for name in cases_of_layers():
        spec, state, _ = onnx_files.begun(name)
        used = {each.op_type for each in graph_of(Draft("case", spec, "float32"), state).operators} & {*lacking.FLOAT64}
        if len(used) == 1 and used <= missing:
            missing -= used
            yield used.pop(), name
    assert not missing


def test_what_onnxruntime_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operator that is refused is needed by some case, and the installed onnxruntime (or ONNX itself) has no float64 for it."""
    from onnx.shape_inference import InferenceError

    wanted = dict(needing())
    monkeypatch.setattr(lacking, "FLOAT64", {})
    written: dict[Path, str] = {}
    failed = set()
    for operator, name in wanted.items():
        try:
            written[onnx_files.write(operator, *onnx_files.begun(name), "float64", tmp_path)] = operator
        except InferenceError:
            failed.add(operator)
    failed |= {written[script] for script, problem in scripts.run(list(written)) if problem}
    assert failed == {*wanted}


def test_refused_by_name() -> None:
    """The layer, what is missing, and what helps."""
    spec, state, _ = onnx_files.begun("conv2d valid")
    with pytest.raises(NotWritten) as refusal:
        model(Draft("case", spec, "float64"), Weights(state, "any"))
    assert str(refusal.value).splitlines() == ['"conv2d_1": onnxruntime has no Conv of float64 (it has float32 alone)', "  --dtype float32"]


def test_every_layer_has_a_writer() -> None:
    """In float32 none is refused."""
    for names in items().values():
        spec, state, _ = onnx_files.begun(names[0])
        graph_of(Draft("case", spec, "float32"), state)


def test_without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    monkeypatch.setattr("harness.export.onnx.write.find_spec", lambda name: None)
    spec, state, _ = onnx_files.begun("line")
    with pytest.raises(UsageError, match="the extra `onnx`"):
        files(Draft("case", spec, "float32"), Weights(state, "any"))


def test_more_than_a_file_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gigabytes are the limit of the format."""
    monkeypatch.setattr(Graph, "size", LARGEST + 1)
    spec, state, _ = onnx_files.begun("line")
    with pytest.raises(NotWritten, match=r"2\.0 GiB"):
        model(Draft("case", spec, "float32"), Weights(state, "any"))


# how it reads ---------------------------------------------------------------------------------------------------------------


def proto_of(name: str | Path) -> Any:
    """The file of a case or an experiment in float32."""
    spec, state, _ = onnx_files.begun(name)
    return model(Draft("case", spec, "float32", description="some words"), Weights(state, "the first weights"))


def test_names_and_shapes() -> None:
    """Arrays are called as parameters and statistics, tensors as nodes; rows have no number; the file says what it is of."""
    path = ROOT / "experiments" / "digits-cnn.toml"
    spec, proto = onnx_files.begun(path)[0], proto_of(path)
    arrays = {each.name for each in proto.graph.initializer}
    assert arrays >= {*(item.name for item in spec.parameters), *(item.name for item in spec.statistics)}
    tensors = {re.sub("/(channels|steps)_first$", "", each.name) for each in (*proto.graph.value_info, *proto.graph.output)}
    assert tensors == {node.name for node in spec.nodes}
    (data,), (output,) = proto.graph.input, proto.graph.output
    assert (data.name, output.name) == (INPUT, spec.nodes[-1].name)
    for each, shape in ((data, spec.input_shape), (output, spec.output_shape)):
        axes = each.type.tensor_type.shape.dim
        assert [axes[0].dim_param, *(axis.dim_value for axis in axes[1:])] == ["batch", *shape]
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", OPSET)]
    assert "some words" in proto.doc_string
    assert {each.key for each in proto.metadata_props} == {"command", "experiment", "harness", "weights"}


def test_nothing_lies_about() -> None:
    """Every array and every tensor is read by something."""
    for name in cases_of_layers():
        spec, state, _ = onnx_files.begun(name)
        graph = graph_of(Draft("case", spec, "float32"), state)
        read = {tensor for each in graph.operators for tensor in each.input}
        there = {*graph.arrays, *(tensor for each in graph.operators for tensor in each.output)}
        assert there - read - {""} == {spec.nodes[-1].name}, name


@pytest.mark.parametrize(
    ("name", "count"),
    [
        (ROOT / "experiments" / "digits-cnn.toml", 1),  # images go in channels last; behind them there are vectors
        ("conv2d two", 2),
        ("lstm stacked", 1),
        ("bidirectional concat", 2),
        ("dense image", 0),
        ("up_sampling2d nearest", 0),
    ],
    ids=str,
)
def test_few_transposes(name: str | Path, count: int) -> None:
    """Axes are moved where channels-first or steps-first begins and ends, not in between."""
    assert [node.op_type for node in proto_of(name).graph.node].count("Transpose") == count
