"""What onnxruntime has no kernel for. An experiment that needs one is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

from ..draft import NotWritten

#: operators of ONNX that onnxruntime's CPU does not compute in float64, with what it says of them. tests/test_onnx.py asks the installed
#: version: an entry that is no longer true fails.
FLOAT64: Mapping[str, str] = {
    "AveragePool": "it has float32 alone",
    "Conv": "it has float32 alone",
    "ConvTranspose": "it has float32 alone",
    "Elu": "it has float32 alone",
    "GRU": "it takes float64 and refuses it when it runs",
    "Gelu": "its erf has float32 alone, its form with tanh constants of float32: 5e-9 off",
    "HardSigmoid": "it has float32 alone",
    "HardSwish": "it has float32 alone",
    "InstanceNormalization": "it has float32 alone",
    "LSTM": "it takes float64 and refuses it when it runs",
    "LeakyRelu": "it has float32 alone",
    "Mean": "it has float32 alone",
    "Mish": "its softplus has float32 alone",
    "PRelu": "it has float32 alone",
    "RNN": "it has float32 alone",
    "Resize": "it has float32 alone",
    "RotaryEmbedding": "ONNX itself has no float64 for it",
    "Selu": "it has float32 alone",
    "Softplus": "it has float32 alone",
    "Softsign": "it has float32 alone",
}


def check(operator: str, dtype: str, node: str) -> None:
    """Refuse what is lacking.

    Raises:
        NotWritten: onnxruntime does not compute this operator in this number format.
    """
    if dtype == "float64" and operator in FLOAT64:
        raise NotWritten(f'"{node}": onnxruntime has no {operator} of float64 ({FLOAT64[operator]})', "--dtype float32")
