"""PyTorch by hand: modules, its losses, its optimizers."""

from __future__ import annotations

from typing import Any

import torch
import torch._dynamo  # the first optimizer would import it anyway
from torch import nn
from torch.nn import functional

from benchmarks.deep.nets import HEADS, VOCABULARY, WIDTH, Train, batches, loop, state


class Recurrent(nn.Module):
    """An LSTM whose last output is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(32, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        """`(rows, 10)` of `(rows, 32, 32)`."""
        return self.head(self.lstm(x)[0][:, -1])


class Block(nn.Module):
    """Attention and a net of two layers, each behind a normalisation and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Any) -> Any:
        """`(rows, steps, width)` to the same."""
        rows, steps, width = x.shape
        q, k, v = self.qkv(self.first(x)).view(rows, steps, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(rows, steps, width))
        return x + self.narrow(functional.gelu(self.wide(self.second(x)), approximate="tanh"))


class Transformer(nn.Module):
    """Two blocks between an embedding and logits of the next word."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Parameter(torch.zeros(32, WIDTH))
        self.blocks = nn.Sequential(Block(), Block())
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, x: Any) -> Any:
        """`(rows, words, steps)`, as cross_entropy wants it."""
        return self.head(self.norm(self.blocks(self.words(x) + self.places))).transpose(1, 2)


def cnn() -> nn.Module:
    """Convolutions as PyTorch has them, channels first."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def weights(name: str) -> dict[str, Any]:
    """The first weights under PyTorch's names and in its layout."""
    own = {key: torch.tensor(array) for key, array in state(name).parameters.items()}
    if name == "cnn":
        found = {f"{i}.weight": own[f"conv2d_{n}/kernel"].permute(3, 2, 0, 1) for i, n in ((0, 1), (2, 2))}
        found |= {f"{i}.bias": own[f"conv2d_{n}/bias"] for i, n in ((0, 1), (2, 2))}
        first = own["dense_1/kernel"].reshape(12, 12, 64, 128).permute(2, 0, 1, 3).reshape(9216, 128)
        return found | {
            "6.weight": first.T,
            "6.bias": own["dense_1/bias"],
            "8.weight": own["dense_2/kernel"].T,
            "8.bias": own["dense_2/bias"],
        }
    if name == "lstm":
        kernel, recurrent, bias = (own[f"lstm_1/{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
        lstm = {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent.T, "bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
        return {
            **{f"lstm.{key}": array for key, array in lstm.items()},
            "head.weight": own["dense_1/kernel"].T,
            "head.bias": own["dense_1/bias"],
        }
    found = {
        "words.weight": own["embedding_1/embeddings"], "places": own["position_embedding_1/embeddings"],
        "norm.weight": own["layer_normalization_1/gamma"], "norm.bias": own["layer_normalization_1/beta"],
        "head.weight": own["dense_1/kernel"].T, "head.bias": own["dense_1/bias"],
    }  # fmt: skip
    for number in (1, 2):
        here, (one, two) = f"blocks.{number - 1}", (f"repeat_1/{number}/residual_{part}" for part in (1, 2))
        for norm, part in (("first", one), ("second", two)):
            found[f"{here}.{norm}.weight"], found[f"{here}.{norm}.bias"] = (
                own[f"{part}/layer_normalization_1/{key}"] for key in ("gamma", "beta")
            )
        attention = f"{one}/multi_head_attention_1"
        found[f"{here}.qkv.weight"] = torch.cat([own[f"{attention}/{key}_kernel"].T for key in ("query", "key", "value")])
        found[f"{here}.qkv.bias"] = torch.cat([own[f"{attention}/{key}_bias"] for key in ("query", "key", "value")])
        for linear, part in (("out", f"{attention}/output_"), ("wide", f"{two}/dense_1/"), ("narrow", f"{two}/dense_2/")):
            found[f"{here}.{linear}.weight"], found[f"{here}.{linear}.bias"] = own[f"{part}kernel"].T, own[f"{part}bias"]
    return found


def build(name: str) -> Train:
    """The loop."""
    model = {"cnn": cnn, "lstm": Recurrent, "transformer": Transformer}[name]()
    model.load_state_dict({key: array.contiguous() for key, array in weights(name).items()})
    if name == "lstm":
        model.lstm.bias_hh_l0.requires_grad_(False)  # two biases would move twice as far
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer: Any = (
        torch.optim.SGD(learned, 1e-4, momentum=0.9, fused=True)
        if name == "cnn"
        else torch.optim.Adam(learned, 1e-3, eps=1e-7, fused=True)
    )

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    resident = [(torch.tensor(batch.inputs), torch.tensor(batch.targets)) for batch in batches(name)]
    return loop(step, [(x.permute(0, 3, 1, 2).contiguous() if name == "cnn" else x, y) for x, y in resident])
