"""Cases of recurrences, attention and positions."""

from __future__ import annotations

from typing import Any, Dict, Iterator

from ...interface import Batch, State
from ...spec import Dense, Layer
from ...spec.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Embedding,
    MultiHeadAttention,
    PositionEmbedding,
    Recurrent,
    SimpleRNN,
    SinusoidalPositions,
    Take,
    Tanh,
)  # fmt: skip
from ...spec.regularizers import L1, L2
from .case import Case, case


def cases() -> Iterator[Case]:
    """All of them."""
    for part in (recurrences, bidirectional, attention, masks, positions):
        yield from part()


def recurrences() -> Iterator[Case]:
    """Every recurrence: all outputs or the last, either way, with and without bias, one step, one row, stacked."""
    kinds: Dict[str, Recurrent] = {
        "simple_rnn": SimpleRNN(units=3), "simple_rnn relu": SimpleRNN(units=3, activation="relu"), "lstm": LSTM(units=3),
        "gru": GRU(units=3, reset_after=True), "gru reset before": GRU(units=3, reset_after=False),
    }  # fmt: skip
    for name, layer in kinds.items():
        about, change = f"layer/{layer.type}", type(layer)
        own: Any = {"activation": layer.activation} if isinstance(layer, SimpleRNN) else {}
        own = {"reset_after": layer.reset_after} if isinstance(layer, GRU) else own
        yield case(f"{name} last", about, layer, Dense(units=2), shape=(5, 4))
        yield case(f"{name} sequences", about, change(units=3, return_sequences=True, use_bias=False, **own), shape=(4, 2))
        yield case(f"{name} backwards", about, change(units=2, go_backwards=True, **own), shape=(4, 3))
        yield case(
            f"{name} backwards sequences", about,
            change(units=2, go_backwards=True, return_sequences=True, kernel_regularizer=L2(l2=0.25), **own), Take(indices=1), shape=(4, 3),
        )  # fmt: skip
        yield case(
            f"{name} stacked", about, change(units=3, return_sequences=True, **own), change(units=2, **own), shape=(3, 2),
        )  # fmt: skip
        yield case(f"{name} one step", about, change(units=1, **own), shape=(1, 2), rows=1)


def bidirectional() -> Iterator[Case]:
    """Every merge, all outputs and the last."""
    inner: Dict[str, Layer] = {
        "concat": LSTM(units=2, return_sequences=True),
        "sum": GRU(units=3, reset_after=True, return_sequences=True),
        "mul": SimpleRNN(units=2),
        "ave": LSTM(units=3, kernel_regularizer=L1(l1=0.125)),
    }
    for mode, layer in inner.items():
        yield case(
            f"bidirectional {mode}", "layer/bidirectional", Bidirectional(layer=layer, merge_mode=mode), Dense(units=2), shape=(4, 3),
        )  # fmt: skip


def attention() -> Iterator[Case]:
    """Heads, shared heads, causal masks, turned positions, a memory."""
    self_attention: Dict[str, Any] = {
        "": {"num_heads": 2},
        "one head": {"num_heads": 1, "use_bias": False},
        "key_dim": {"num_heads": 2, "key_dim": 3},
        "causal": {"num_heads": 2, "causal": True},
        "grouped query": {"num_heads": 4, "num_kv_heads": 2, "key_dim": 2},
        "multi query": {"num_heads": 2, "num_kv_heads": 1, "causal": True, "use_bias": False},
        "rotary": {"num_heads": 2, "key_dim": 4, "rotary_base": 10000.0},
        "rotary causal grouped": {"num_heads": 4, "num_kv_heads": 2, "key_dim": 4, "rotary_base": 100.0, "causal": True},
    }
    about = "layer/multi_head_attention"
    for name, options in self_attention.items():
        yield case(f"multi_head_attention {name}".strip(), about, Dense(units=4), MultiHeadAttention(**options), shape=(5, 3))
    yield case("multi_head_attention one step", about, MultiHeadAttention(num_heads=2), Dense(units=1), shape=(1, 4), rows=1)
    memory: Dict[str, Any] = {
        "cross": {"num_heads": 2},
        "cross grouped": {"num_heads": 2, "num_kv_heads": 1, "key_dim": 3, "rotary_base": None},
        "cross rotary": {"num_heads": 1, "key_dim": 2, "rotary_base": 50.0, "use_bias": False},
    }
    for name, options in memory.items():
        yield case(
            f"multi_head_attention {name}", about, Take(indices=(0, 2, 3), name="query"), Dense(units=4, name="q"),
            Dense(units=6, activation=Tanh(), inputs=("input",), name="memory"), MultiHeadAttention(inputs=("q", "memory"), **options),
            shape=(5, 3),
        )  # fmt: skip


def some_padding(state: State, batch: Batch, random: Any) -> None:
    """Zeros at some places, never at the first: each query sees at least that one."""
    kept = random.random(batch.inputs.shape[:2]) < 0.6
    kept[:, 0] = True
    kept[0] = True
    kept[1, 1:] = False
    marks = batch.inputs if batch.inputs.ndim == 2 else batch.inputs[:, :, 0]
    marks[~kept] = 0
    marks[kept & (marks == 0)] = 1


def masks() -> Iterator[Case]:
    """Steps that are padding: marked by zeros among the words, or by a layer."""
    about = "layer/multi_head_attention"
    marked: Dict[str, Any] = {"": {}, " causal": {"causal": True}, " grouped": {"num_kv_heads": 1, "rotary_base": 100.0}}
    for name, options in marked.items():
        yield case(
            f"multi_head_attention mask{name}", about, Embedding(input_dim=6, output_dim=4),
            MultiHeadAttention(num_heads=2, mask="input", **options), shape=(5,), prepare=some_padding,
        )  # fmt: skip
    yield case(
        "multi_head_attention mask of a memory", about, Take(indices=0, axis=2, name="marks"),
        Dense(units=4, inputs=("input",), name="memory"), Take(indices=(1, 3), name="query"),
        MultiHeadAttention(num_heads=2, inputs=("query", "memory"), mask="marks"), shape=(5, 3), prepare=some_padding,
    )  # fmt: skip


def positions() -> Iterator[Case]:
    """Learned and sinusoidal positions; an odd number of features."""
    yield case("position_embedding", "layer/position_embedding", PositionEmbedding(), Dense(units=2), shape=(4, 3))
    yield case(
        "position_embedding words", "layer/position_embedding", Embedding(input_dim=5, output_dim=3), PositionEmbedding(), Dense(units=2),
        shape=(4,),
    )  # fmt: skip
    yield case("sinusoidal_positions", "layer/sinusoidal_positions", Dense(units=4), SinusoidalPositions(), shape=(5, 3))
    yield case("sinusoidal_positions odd", "layer/sinusoidal_positions", SinusoidalPositions(base=100.0), Dense(units=2), shape=(6, 5))
