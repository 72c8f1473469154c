"""Recurrences. Inside, time is the first axis, and each gate of a step is one contiguous array: the sums, which become the gates, are
`(steps, gates, rows, units)`, and kernels `(features, gates units)` are seen as `(gates, features, units)`.

All inputs are projected in one product; `run` steps through time, `run_back` back. Before the way back, whatever does not need the gradient
at a state is computed for all steps at once.
"""

from __future__ import annotations

from typing import Any, List, Optional

import numpy

from .layer import Layer
from .special import sigmoid


class Recurrent(Layer):
    """What all have. `h` are the states `(steps + 1, rows, units)`, zeros first; `gates` what `run` made of the sums."""

    def setup(self) -> None:
        """The parameters and their gradients, gate by gate."""
        held = self.held
        self.kernel, self.d_kernel = self.by_gate(held.parameters["kernel"]), self.by_gate(held.gradients["kernel"])
        self.recurrent = self.by_gate(held.parameters["recurrent_kernel"])
        self.d_recurrent = self.by_gate(held.gradients["recurrent_kernel"])
        self.bias: Any = held.parameters.get("bias")

    def by_gate(self, kernel: Any) -> Any:
        """A view of a kernel."""
        return kernel.reshape(len(kernel), self.spec.gates, self.spec.units).swapaxes(0, 1)

    def in_order(self, values: Any) -> Any:
        """Rows first made time first, in the order of the steps."""
        return (values[:, ::-1] if self.spec.go_backwards else values).swapaxes(0, 1)

    def as_rows(self, values: Any) -> Any:
        """Time first made rows first, in the order of the data."""
        return (values[::-1] if self.spec.go_backwards else values).swapaxes(0, 1)

    def forward(self, x: Any) -> Any:
        """Project, then step through time."""
        self.x = self.in_order(x)
        steps, rows, _ = self.x.shape
        self.gates = self.x[:, None] @ self.kernel
        if self.bias is not None:
            self.gates += self.input_bias().reshape(-1, 1, self.spec.units)
        self.h = numpy.empty_like(self.gates, shape=(steps + 1, rows, self.spec.units))
        self.h[0] = 0
        self.run(self.gates, self.h)
        return self.as_rows(self.h[1:]) if self.spec.return_sequences else self.h[-1]

    def input_bias(self) -> Any:
        """What is added to the projected inputs."""
        return self.bias

    def run(self, gates: Any, h: Any) -> None:
        """Make the states, and in place the gates of the projected inputs."""
        raise NotImplementedError

    def backward(self, dy: Any) -> Any:
        """Back through time, then the projection's gradients."""
        if self.spec.return_sequences:
            at_outputs: List[Optional[Any]] = list(self.in_order(dy))
        else:
            at_outputs = [None] * (len(self.gates) - 1) + [dy]
        dz = self.run_back(at_outputs)
        rows = dz.swapaxes(0, 1).reshape(self.spec.gates, -1, self.spec.units)
        x = self.x.reshape(-1, self.x.shape[-1])
        numpy.matmul(x.T, rows, self.d_kernel)
        self.learn(rows)
        if not self.inputs_too:
            return None
        dx = numpy.add.reduce(rows @ self.kernel.swapaxes(1, 2), 0)
        return self.as_rows(dx.reshape(self.x.shape))

    def run_back(self, at_outputs: List[Optional[Any]]) -> Any:
        """The gradients at the sums, from those at each step's output, None where there is none."""
        raise NotImplementedError

    def learn(self, dz: Any) -> None:
        """Write the gradients of the recurrent kernel and the bias, dz `(gates, steps rows, units)`."""
        numpy.matmul(self.states().T, dz, self.d_recurrent)
        if self.bias is not None:
            self.held.gradients["bias"][...] = self.sums(dz).reshape(-1)

    def states(self) -> Any:
        """The states before each step, `(steps rows, units)`."""
        return self.h[:-1].reshape(-1, self.spec.units)

    def sums(self, dz: Any) -> Any:
        """Over steps and rows."""
        return numpy.ones(dz.shape[-2], self.dtype) @ dz


class SimpleRNN(Recurrent):
    """h = f(z), z = x W + h U + b, f tanh or relu; dz = dh f', dh = dz U^T."""

    def run(self, gates: Any, h: Any) -> None:
        """See above."""
        tanh = self.spec.activation == "tanh"
        for (z,), before, after in zip(gates, h, h[1:]):
            numpy.add(z, before @ self.recurrent[0], z)
            if tanh:
                numpy.tanh(z, after)
            else:
                numpy.maximum(z, self.dtype.type(0), out=after)

    def run_back(self, at_outputs: List[Optional[Any]]) -> Any:
        """dz starts as f'."""
        h, back = self.h[1:], self.recurrent[0].T
        dz = 1 - h * h if self.spec.activation == "tanh" else numpy.ones_like(h) * (h.real > 0)
        dh = numpy.zeros_like(h[0])
        for step in reversed(range(len(dz))):
            if at_outputs[step] is not None:
                dh += at_outputs[step]
            dz[step] *= dh
            numpy.matmul(dz[step], back, dh)
        return dz[:, None]


class LSTM(Recurrent):
    """i, f, g, o = x W + h U + b; c = s(f) c + s(i) tanh(g); h = s(o) tanh(c), s the sigmoid. `c` are the cells `(steps + 1, rows, units)`,
    `shown` their tanh."""

    def run(self, gates: Any, h: Any) -> None:
        """See above."""
        product = numpy.empty_like(gates[0])
        self.c, self.shown = numpy.empty_like(h), numpy.empty_like(h[1:])
        self.c[0] = 0
        for step, all_four in enumerate(gates):
            numpy.add(all_four, numpy.matmul(h[step], self.recurrent, product), all_four)
            i, f, g, o = all_four
            sigmoid(all_four[:2], all_four[:2])
            numpy.tanh(g, g)
            sigmoid(o, o)
            c = numpy.multiply(f, self.c[step], self.c[step + 1])
            c += numpy.multiply(i, g, product[0])
            shown = numpy.tanh(c, self.shown[step])
            numpy.multiply(o, shown, h[step + 1])

    def run_back(self, at_outputs: List[Optional[Any]]) -> Any:
        """dc = dc' + dh o (1 - shown^2). dz starts as each gate's slope times what stands beside it: of o it is multiplied by dh, of the
        others by dc."""
        i, f, g, o = (self.gates[:, gate] for gate in range(4))
        c, shown, dz = self.c[:-1], self.shown, numpy.empty_like(self.gates)
        through = (1 - shown * shown) * o
        for gate, beside, slope in ((i, g, dz[:, 0]), (f, c, dz[:, 1]), (o, shown, dz[:, 3])):
            numpy.subtract(1, gate, slope)
            numpy.multiply(slope, gate, slope)
            numpy.multiply(slope, beside, slope)
        numpy.multiply(1 - g * g, i, dz[:, 2])
        back, products = self.recurrent.swapaxes(1, 2), numpy.empty_like(dz[0])
        dh, dc, added = numpy.zeros_like(c[0]), numpy.zeros_like(c[0]), numpy.empty_like(c[0])
        for step in reversed(range(len(dz))):
            if at_outputs[step] is not None:
                dh += at_outputs[step]
            dc += numpy.multiply(dh, through[step], added)
            dz[step, :3] *= dc
            dz[step, 3] *= dh
            dc *= f[step]
            numpy.add.reduce(numpy.matmul(dz[step], back, products), 0, out=dh)
        return dz


class GRU(Recurrent):
    """z, r = s(...), n = tanh(...), h = z h + (1 - z) n; r acts on h U + c (reset_after), or on h. `acted` is what it acts on,
    `(steps, rows, units)`; without reset_after what comes out of it."""

    def input_bias(self) -> Any:
        """With reset_after, z and r get both rows at once."""
        if not self.spec.reset_after:
            return self.bias
        bias, both = self.bias[0].copy(), 2 * self.spec.units
        bias[:both] += self.bias[1, :both]
        return bias

    def run(self, gates: Any, h: Any) -> None:
        """See above."""
        self.acted, product = numpy.empty_like(h[1:]), numpy.empty_like(gates[0])
        move = self.reset_product if self.spec.reset_after else self.reset_state
        for step, (update, _, new) in enumerate(gates):
            before, after = h[step], h[step + 1]
            move(gates[step], before, self.acted[step], product)
            numpy.tanh(new, new)
            numpy.subtract(before, new, after)
            after *= update
            after += new

    def reset_product(self, gates: Any, before: Any, acted: Any, product: Any) -> None:
        """r acts on h U + c."""
        numpy.matmul(before, self.recurrent, product)
        both = gates[:2]
        both += product[:2]
        sigmoid(both, both)
        numpy.add(product[2], 0 if self.bias is None else self.bias[1, 2 * self.spec.units :], acted)
        gates[2] += numpy.multiply(gates[1], acted, product[2])

    def reset_state(self, gates: Any, before: Any, acted: Any, product: Any) -> None:
        """r acts on h."""
        both = gates[:2]
        both += numpy.matmul(before, self.recurrent[:2], product[:2])
        sigmoid(both, both)
        numpy.multiply(gates[1], before, acted)
        gates[2] += numpy.matmul(acted, self.recurrent[2], product[2])

    def run_back(self, at_outputs: List[Optional[Any]]) -> Any:
        """dz = dh (h - n), dn = dh (1 - z), each times its slope; r's slope times what it acts on. They start without dh."""
        update, reset, new = (self.gates[:, gate] for gate in range(3))
        h, dz = self.h[:-1], numpy.empty_like(self.gates)
        numpy.multiply((1 - update) * update, h - new, dz[:, 0])
        numpy.multiply((1 - reset) * reset, self.acted if self.spec.reset_after else h, dz[:, 1])
        numpy.multiply(1 - update, 1 - new * new, dz[:, 2])
        move_back = self.product_back if self.spec.reset_after else self.state_back
        if self.spec.reset_after:
            dz[:, 1] *= dz[:, 2]
            self.dproduct = dz.copy()
            self.dproduct[:, 2] *= reset
        dh = numpy.zeros_like(h[0])
        for step in reversed(range(len(dz))):
            if at_outputs[step] is not None:
                dh += at_outputs[step]
            dh = move_back(step, dz[step], dh)
        return dz

    def product_back(self, step: int, dz: Any, dh: Any) -> Any:
        """All are multiples of dh; the product h U + c gets n's times r."""
        dz *= dh
        product = self.dproduct[step]
        product *= dh
        dh = dh * self.gates[step, 0]
        dh += numpy.add.reduce(product @ self.recurrent.swapaxes(1, 2), 0)
        return dh

    def state_back(self, step: int, dz: Any, dh: Any) -> Any:
        """r h gets n's times U."""
        back, (update, reset, _) = self.recurrent.swapaxes(1, 2), self.gates[step]
        dz[::2] *= dh
        through = dz[2] @ back[2]
        dz[1] *= through
        through *= reset
        through += dh * update
        through += numpy.add.reduce(dz[:2] @ back[:2], 0)
        return through

    def learn(self, dz: Any) -> None:
        """Of h U and c with reset_after; otherwise of h U for z and r, of (r h) U for n."""
        if self.spec.reset_after:
            rows = self.dproduct.swapaxes(0, 1).reshape(dz.shape)
            numpy.matmul(self.states().T, rows, self.d_recurrent)
            if self.bias is not None:
                gradient = self.held.gradients["bias"]
                gradient[0], gradient[1] = self.sums(dz).reshape(-1), self.sums(rows).reshape(-1)
        else:
            super().learn(dz)
            numpy.matmul(self.acted.reshape(-1, self.spec.units).T, dz[2], self.d_recurrent[2])
