"""The tensors of a model: its parameters in torch's own layouts, its statistics and its constants."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy
import torch
from torch import nn

from harness.spec import Node, ProgramSpec

from .layout import Layout, layout_of

#: what a node computes from the outputs that it reads
Function = Callable[..., Any]


class Tensors(nn.Module):
    """Every array of a program, and whether it trains.

    Attributes:
        tensors: canonical name -> parameter.
        layouts: canonical name -> how its numbers stand in torch.
        statistics: canonical name -> tensor without a gradient.
    """

    def __init__(self, spec: ProgramSpec, device: Any, dtype: Any) -> None:
        super().__init__()
        self.device, self.dtype = device, dtype
        self.layouts = {item.name: layout_of(node, item) for node in spec.nodes for item in node.parameters}
        self.tensors = {name: nn.Parameter(self.empty(layout)) for name, layout in self.layouts.items()}
        self.statistics = {item.name: torch.full(item.shape, item.start, dtype=dtype, device=device) for item in spec.statistics}
        self.owned = nn.ParameterList(self.tensors.values())

    def empty(self, layout: Layout) -> Any:
        """Zeros for one parameter. Convolutions are fastest with kernels that lie channels last, as their images do; of one by one numbers
        they do so anyway (see transposed)."""
        zeros = torch.zeros(layout.shape, dtype=self.dtype, device=self.device)
        return zeros.to(memory_format=torch.channels_last) if zeros.dim() == 4 and zeros.shape[2:].numel() > 1 else zeros

    def get(self, node: Node, short: str) -> Optional[Any]:
        """A parameter of a node; None where it has none of that name."""
        return self.tensors.get(f"{node.name}/{short}")

    def native(self, name: str, array: Any) -> Any:
        """A parameter's canonical array as a tensor of its own, strides included: on the CPU, fused optimizers ignore strides, and
        silently pair the wrong numbers of a parameter and its slots."""
        numbers = numpy.array(self.layouts[name].native(numpy.asarray(array)), order="C")
        return torch.empty_like(self.tensors[name], requires_grad=False).copy_(torch.from_numpy(numbers))

    def canonical(self, name: str, tensor: Any) -> Any:
        """A parameter, its gradient or a slot as a numpy array of its own, in canonical layout."""
        return numpy.array(self.layouts[name].canonical(tensor.detach().cpu().numpy()), order="C")

    def constant(self, array: Any) -> Any:
        """A table of numbers that nothing learns."""
        return torch.tensor(numpy.asarray(array), dtype=self.dtype, device=self.device)


def plain(tensor: Any) -> Any:
    """A tensor as a numpy array of its own."""
    return numpy.array(tensor.detach().cpu().numpy(), order="C")
