"""tinygrad by hand, as in its beautiful_mnist: nn.Linear, nn.optim.SGD, and one step under TinyJit."""

from __future__ import annotations

from tinygrad import Context, Tensor, TinyJit, nn

from benchmarks.expert.nets import ITEM, NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


class Model:
    """The layers, holding our weights."""

    def __init__(self, parameters: list[tuple[Array, Array]]) -> None:
        self.layers = [nn.Linear(*kernel.shape) for kernel, _ in parameters]
        for i, (kernel, bias) in enumerate(parameters):
            self.layers[i].weight, self.layers[i].bias = Tensor(kernel.T.copy()), Tensor(bias)

    def __call__(self, x: Native) -> Native:
        """The logits."""
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop."""
    model = Model(parameters)
    optimizer = nn.optim.SGD(nn.state.get_parameters(model), lr=NET.learning_rate, momentum=NET.momentum)

    def step(x: Native, y: Native) -> Native:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = model(x).sparse_categorical_crossentropy(y).backward()
            return loss.realize(*optimizer.schedule_step())

    return loop(TinyJit(step), [(Tensor(x).realize(), Tensor(y).realize()) for x, y in batches], ITEM)
