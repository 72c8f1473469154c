"""Draw the lesson's figures: `python docs/lesson/figures.py`; `--check` only says whether they are of today's code and tables.

One function a figure; what it shows is computed on the spot, or was kept by measured.py. Needs the extra `report`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pandas

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT))

from harness.data.draw import weights
from harness.data.generated import generate
from harness.execution.plan import Plan, plan
from harness.report.colours import COLOURS, OTHERS

#: what is no framework's: the thing that is looked at, and three more beside it; what lies behind
MAIN, SECOND, THIRD, FOURTH = OTHERS
FAINT = "#9AA0A6"
CORNERS = numpy.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def fingerprint() -> str:
    """Of all that the figures are made of: this file, the experiments and the kept tables."""
    made_of = [
        Path(__file__),
        *(ROOT / "experiments" / f"{name}.toml" for name in ("xor", "line")),
        *sorted(FOLDER.glob("measured/*.csv")),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()


# what is shown -----------------------------------------------------------------------------------------------------------------


def experiment(name: str) -> Plan:
    """A shipped experiment."""
    return plan(ROOT / "experiments" / f"{name}.toml")


def first_weights(name: str) -> list[Any]:
    """Kernel, bias, kernel, bias, ... of a shipped experiment, float64."""
    found = experiment(name)
    return [weights(0, parameter).astype(float) for parameter in found.spec.parameters]


def xor_rows() -> tuple[Any, Any]:
    """Inputs (4, 3) and one-hot targets (4, 2)."""
    rows = generate(experiment("xor").experiment.data, 0)
    return rows.inputs, numpy.eye(2)[rows.targets]


def line_rows() -> tuple[Any, Any]:
    """Inputs (64,) and targets (64,) of the line, as float32 has them."""
    rows = generate(experiment("line").experiment.data, 0)
    return rows.inputs[:, 0].astype(numpy.float32).astype(float), rows.targets[:, 0].astype(numpy.float32).astype(float)


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z))."""
    return 1 / (1 + numpy.exp(-z))


def net(p: Sequence[Any], x: Any, y: Any) -> tuple[Any, list[Any], Any]:
    """Loss, gradients and outputs of a net of sigmoids with squared errors: pages 5 and 6."""
    outputs = [x]
    for kernel, bias in zip(p[::2], p[1::2], strict=True):
        outputs.append(sigmoid(outputs[-1] @ kernel + bias))
    d = 2 * (outputs[-1] - y) / y.size
    gradients: list[Any] = []
    for n in reversed(range(len(p) // 2)):
        d_z = d * outputs[n + 1] * (1 - outputs[n + 1])
        gradients = [outputs[n].T @ d_z, d_z.sum(0), *gradients]
        d = d_z @ p[2 * n].T
    return numpy.mean((outputs[-1] - y) ** 2), gradients, outputs[-1]


def adam(
    p: Sequence[Any],
    slopes: Callable[[Sequence[Any], int], tuple[Any, list[Any]]],
    rate: float,
    steps: int,
    epsilon: float = 1e-8,
) -> tuple[list[Any], list[float]]:
    """Parameters and losses of a training; `slopes(p, step)` gives loss and gradients."""
    p, losses = list(p), []
    m, v = [numpy.zeros_like(array) for array in p], [numpy.zeros_like(array) for array in p]
    for t in range(1, steps + 1):
        loss, gradients = slopes(p, t - 1)
        losses.append(float(loss))
        for i, g in enumerate(gradients):
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g**2
            p[i] = p[i] - rate * (m[i] / (1 - 0.9**t)) / (numpy.sqrt(v[i] / (1 - 0.999**t)) + epsilon)
    return p, losses


def perceptron(wanted: Sequence[int], epochs: int) -> tuple[list[tuple[Any, float]], list[int]]:
    """Weights and bias after each epoch, and its mistakes: page 1."""
    w, b, seen, mistakes = numpy.zeros(2), 0.0, [], []
    for _ in range(epochs):
        wrong = 0
        for row, y in zip(CORNERS, 2 * numpy.array(wanted) - 1, strict=True):
            if y * (row @ w + b) <= 0:
                w, b, wrong = w + y * row, b + y, wrong + 1
        seen.append((w, b))
        mistakes.append(wrong)
    return seen, mistakes


# pieces ------------------------------------------------------------------------------------------------------------------------


def axis(name: str, title: str, low: float, high: float, kind: str = "x", **more: Any) -> Any:
    """An axis from `low` to `high`."""
    import altair

    found = altair.X if kind == "x" else altair.Y
    return found(
        f"{name}:Q", title=title, scale=altair.Scale(domain=[low, high], nice=False), axis=altair.Axis(grid=False, **more)
    )


def corner_points(points: Any, wanted: Sequence[int], names: tuple[str, str] = ("x1", "x2")) -> Any:
    """Four points, filled where 1 is wanted."""
    import altair

    table = pandas.DataFrame(points, columns=["x", "y"]).assign(wanted=[str(one) for one in wanted])
    fill = altair.Scale(domain=["0", "1"], range=["white", "black"])
    return (
        altair.Chart(table)
        .mark_circle(size=130, stroke="black", strokeWidth=1.5, opacity=1)
        .encode(
            axis("x", names[0], -0.6, 1.6, values=[0, 1]),
            axis("y", names[1], -0.6, 1.6, "y", values=[0, 1]),
            altair.Fill("wanted:N", scale=fill, title="wanted"),
        )
    )


def parting_line(w: Any, b: float, colour: str, width: float = 2.5, names: tuple[str, str] = ("x1", "x2")) -> Any:
    """The line w x + b = 0, cut at the frame."""
    import altair

    x = numpy.linspace(-0.6, 1.6, 221)
    table = pandas.DataFrame({"x": x, "y": -(w[0] * x + b) / w[1]}).query("-0.6 <= y <= 1.6").iloc[[0, -1]]
    return (
        altair.Chart(table)
        .mark_line(color=colour, strokeWidth=width, clip=True)
        .encode(axis("x", names[0], -0.6, 1.6, values=[0, 1]), axis("y", names[1], -0.6, 1.6, "y", values=[0, 1]))
    )


def curves(table: pandas.DataFrame, x: Any, y: Any, names: Sequence[str], colours: Sequence[str], **mark: Any) -> Any:
    """A line for each of `names` in the column `what`."""
    import altair

    colour = altair.Color("what:N", scale=altair.Scale(domain=list(names), range=list(colours)), sort=list(names), title=None)
    return altair.Chart(table).mark_line(clip=True, **mark).encode(x, y, colour)


def rings(levels: Sequence[float]) -> tuple[Any, Any]:
    """The line's surface: ellipses of equal loss over w and b, with the best place; and that place (w, b)."""
    import altair

    x, y = line_rows()
    design = numpy.stack([x, numpy.ones_like(x)], 1)
    best = numpy.linalg.lstsq(design, y, rcond=None)[0]
    lowest = numpy.mean((design @ best - y) ** 2)
    values, vectors = numpy.linalg.eigh(design.T @ design / len(x))
    turn = numpy.linspace(0, 2 * numpy.pi, 181)
    frames = []
    for level in levels:
        half = numpy.sqrt((level - lowest) / values)
        points = best + (half[:, None] * numpy.stack([numpy.cos(turn), numpy.sin(turn)])).T @ vectors.T
        frames.append(pandas.DataFrame(points, columns=["w", "b"]).assign(level=level, order=range(len(turn))))
    ellipses = (
        altair.Chart(pandas.concat(frames).round(4))
        .mark_line(clip=True, color=FAINT, strokeWidth=1.2)
        .encode(axis("w", "w", -1.6, 4.2), axis("b", "b", -1.1, 2.3, "y"), detail="level:N", order="order:Q")
    )
    labels = pandas.concat(frames).round(4).query("order == 0").assign(text=lambda table: table["level"].map("{:g}".format))
    text = (
        altair.Chart(labels[(labels["w"] > -1.5) & (labels["w"] < 4.1) & (labels["b"].between(-1, 2.2))])
        .mark_text(fontSize=10, color="#555", dy=-6)
        .encode(axis("w", "w", -1.6, 4.2), axis("b", "b", -1.1, 2.3, "y"), text="text:N")
    )
    place = altair.Chart(pandas.DataFrame({"w": [best[0]], "b": [best[1]]}).round(4)).mark_point(
        shape="cross", size=90, color="black", filled=True
    )
    return ellipses + text + place.encode(axis("w", "w", -1.6, 4.2), axis("b", "b", -1.1, 2.3, "y")), best


# figures -----------------------------------------------------------------------------------------------------------------------


def lines() -> Any:
    """Page 1: the lines of AND and OR."""
    import altair

    panels = []
    for name, wanted, epochs in (("AND", [0, 0, 0, 1], 9), ("OR", [0, 1, 1, 1], 6)):
        seen, _ = perceptron(wanted, epochs)
        drawn = [parting_line(w, b, FAINT, 1) for w, b in seen[:-1] if w[1]] + [parting_line(*seen[-1], MAIN)]
        panels.append(altair.layer(*drawn, corner_points(CORNERS, wanted)).properties(title=name, width=240, height=240))
    return altair.hconcat(*panels)


def xor() -> Any:
    """Page 2: no line parts XOR, and the mistakes do not end."""
    import altair

    tried = [parting_line(numpy.array([2.0, 2.0]), -1.0, SECOND), parting_line(numpy.array([3.0, 2.0]), -4.0, MAIN)]
    left = altair.layer(*tried, corner_points(CORNERS, [0, 1, 1, 0])).properties(
        title="XOR, and the lines of OR and AND", width=240, height=240
    )
    goals = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}
    table = pandas.concat(
        pandas.DataFrame({"epoch": range(1, 13), "mistakes": perceptron(wanted, 12)[1], "what": name})
        for name, wanted in goals.items()
    )
    right = curves(
        table,
        axis("epoch", "epoch", 1, 12, tickMinStep=1),
        axis("mistakes", "mistakes in the epoch", 0, 4.3, "y", values=[0, 1, 2, 3, 4]),
        list(goals),
        [MAIN, SECOND, "black"],
        point=True,
    )
    return altair.hconcat(left, right.properties(title="Learning comes to rest, or not", width=260, height=240)).resolve_scale(
        color="independent"
    )


def hidden() -> Any:
    """Page 3: the points before and behind the hidden layer."""
    import altair

    behind = numpy.stack([CORNERS.sum(1) > 0.5, CORNERS.sum(1) > 1.5], 1).astype(int)
    names = ("the first hidden neuron: OR", "the second: AND")
    left = corner_points(CORNERS, [0, 1, 1, 0]).properties(title="The inputs", width=240, height=240)
    right = altair.layer(
        parting_line(numpy.array([1.0, -1.0]), -0.5, MAIN, names=names), corner_points(behind, [0, 1, 1, 0], names)
    )
    return altair.hconcat(left, right.properties(title="What the hidden layer makes of them", width=240, height=240))


def valley() -> Any:
    """Page 3: the loss of a line over its two numbers."""
    return rings([0.1, 0.25, 0.5, 1, 2, 3, 4])[0].properties(title="Curves of equal loss", width=420, height=280)


def descent() -> Any:
    """Page 4: paths and losses of four rates."""
    import altair

    x, y = line_rows()
    frames = []
    for rate in (0.01, 0.1, 0.9, 1.05):
        w, b = -1.0, 0.0
        for step in range(41):
            e = w * x + b - y
            frames.append((f"rate {rate}", step, w, b, numpy.mean(e**2)))
            w, b = w - rate * numpy.mean(2 * e * x), b - rate * numpy.mean(2 * e)
    table = pandas.DataFrame(frames, columns=["what", "step", "w", "b", "loss"]).round(6)
    names, colours = list(dict.fromkeys(table["what"])), [FOURTH, MAIN, SECOND, "#D55E00"]
    paths = curves(
        table,
        axis("w", "w", -1.6, 4.2),
        axis("b", "b", -1.1, 2.3, "y"),
        names,
        colours,
        point=altair.OverlayMarkDef(size=14),
        strokeWidth=1.3,
    ).encode(order="step:Q")
    left = altair.layer(rings([0.1, 0.5, 1, 2, 3, 4])[0], paths).properties(title="Paths on the surface", width=330, height=260)
    height = altair.Y(
        "loss:Q", title="loss", scale=altair.Scale(type="log", domain=[0.005, 1000]), axis=altair.Axis(grid=False, tickCount=6)
    )
    right = curves(table, axis("step", "step", 0, 40), height, names, colours).properties(title="Losses", width=260, height=260)
    return altair.hconcat(left, right)


def net_of_neurons() -> Any:
    """Page 5: 3-5-8-2, with the shapes below."""
    import altair

    sizes, titles = [3, 5, 8, 2], ["inputs", "dense_1", "dense_2", "dense_3"]
    shapes = ["x (4, 3)", "kernel (3, 5), h1 (4, 5)", "kernel (5, 8), h2 (4, 8)", "kernel (8, 2), h3 (4, 2)"]
    place = [[(column, (row - (size - 1) / 2) * 1.0) for row in range(size)] for column, size in enumerate(sizes)]
    ties = pandas.DataFrame(
        [(*one, *other) for before, behind in pairwise(place) for one in before for other in behind],
        columns=["x", "y", "x2", "y2"],
    )
    bare = {"axis": None}
    across = altair.X("x:Q", scale=altair.Scale(domain=[-0.4, 3.4]), **bare)
    up = altair.Y("y:Q", scale=altair.Scale(domain=[-5, 5]), **bare)
    edges = altair.Chart(ties).mark_rule(color=FAINT, strokeWidth=0.8).encode(across, up, x2="x2:Q", y2="y2:Q")
    dots = pandas.DataFrame([point for column in place for point in column], columns=["x", "y"])
    neurons = altair.Chart(dots).mark_circle(size=260, fill="white", stroke=MAIN, strokeWidth=2, opacity=1).encode(across, up)
    words = pandas.DataFrame(
        [(column, height, text) for height, row in ((4.7, titles), (-4.7, shapes)) for column, text in enumerate(row)],
        columns=["x", "y", "text"],
    )
    return altair.layer(edges, neurons, altair.Chart(words).mark_text(fontSize=11).encode(across, up, text="text:N")).properties(
        width=600, height=300, view=altair.ViewBackground(stroke=None)
    )


def quotient() -> Any:
    """Page 5: the error of the difference quotient over its step."""
    import altair

    p, (x, y) = first_weights("xor"), xor_rows()
    right = net(p, x, y)[1][0]
    found = []
    for tiny in 10.0 ** numpy.arange(-13, 0.1, 0.5):
        tried = numpy.zeros_like(right)
        for place in numpy.ndindex(right.shape):
            losses = []
            for move in (tiny, -tiny):
                there = p[0].copy()
                there[place] += move
                losses.append(net([there, *p[1:]], x, y)[0])
            tried[place] = (losses[0] - losses[1]) / (2 * tiny)
        found.append((tiny, numpy.linalg.norm(tried - right) / numpy.linalg.norm(right)))
    table = pandas.DataFrame(found, columns=["tiny", "error"])
    power = altair.Axis(format="~e", tickCount=7, grid=False)
    chart = (
        altair.Chart(table)
        .mark_line(point=True, color=MAIN)
        .encode(
            altair.X("tiny:Q", scale=altair.Scale(type="log"), title="size of the step", axis=power),
            altair.Y("error:Q", scale=altair.Scale(type="log"), title="relative error of 15 slopes", axis=power),
        )
    )
    words = pandas.DataFrame({"tiny": [3e-12, 1e-2], "error": [1e-1, 1e-1], "text": ["rounding", "the bend of the surface"]})
    text = altair.Chart(words).mark_text(fontSize=12).encode(x="tiny:Q", y="error:Q", text="text:N")
    return altair.layer(chart, text).properties(
        title="Dense_1's kernel: the difference quotient against backpropagation", width=440, height=240
    )


def learning() -> Any:
    """Page 6: loss and outputs over 2000 steps."""
    import altair

    p, (x, y) = first_weights("xor"), xor_rows()
    losses, said = [], []
    for step in range(2000):
        loss, gradients, output = net(p, x, y)
        if step % 10 == 0:
            losses.append((step, loss))
            said += [(step, f"({int(row[0])}, {int(row[1])})", output[n, 1]) for n, row in enumerate(x)]
        p = [array - 0.5 * slope for array, slope in zip(p, gradients, strict=True)]
    size = {"width": 290, "height": 220}
    left = (
        altair.Chart(pandas.DataFrame(losses, columns=["step", "loss"]).round(5))
        .mark_line(color=MAIN)
        .encode(axis("step", "step", 0, 2000), axis("loss", "loss", 0, 0.3, "y"))
    )
    rows = pandas.DataFrame(said, columns=["step", "what", "output"]).round(4)
    names = list(dict.fromkeys(rows["what"]))
    right = curves(
        rows,
        axis("step", "step", 0, 2000),
        axis("output", 'second output: "XOR is 1"', 0, 1, "y"),
        names,
        [FOURTH, MAIN, SECOND, "black"],
    )
    return altair.hconcat(left.properties(title="Loss", **size), right.properties(title="What the net says of each row", **size))


def frameworks() -> Any:
    """Page 7: distances from the reference in both number formats."""
    import altair

    table = pandas.read_csv(FOLDER / "measured" / "distances.csv").query("worst > 0").rename(columns={"arm": "what"})
    names = [name for name in COLOURS if name in set(table["what"])]
    across = altair.X(
        "step:Q", scale=altair.Scale(type="log", domain=[1, 2000], nice=False), title="step, from 1", axis=altair.Axis(grid=False)
    )
    up = altair.Y(
        "worst:Q",
        scale=altair.Scale(type="log", domain=[1e-17, 1e-4]),
        title="relative distance, largest so far",
        axis=altair.Axis(format="~e", tickCount=6),
    )
    chart = curves(table.assign(step=table["step"] + 1), across, up, names, [COLOURS[name] for name in names], point=True)
    dash = altair.StrokeDash("dtype:N", scale=altair.Scale(domain=["float32", "float64"], range=[[1, 0], [5, 3]]), legend=None)
    words = pandas.DataFrame({"step": [30, 30], "worst": [8e-7, 2e-15], "text": ["float32", "float64"]})
    text = altair.Chart(words).mark_text(fontSize=12).encode(across, up, text="text:N")
    layers = altair.layer(chart.encode(dash), text)
    return layers.properties(title="Loss: how far each framework is from the reference", width=440, height=260)


def disagree() -> Any:
    """Page 8: three differences on the same net."""
    import altair

    p, (x, y) = first_weights("xor"), xor_rows()

    def trained(start: Sequence[Any], epsilon: float = 1e-8, dtype: str = "float64") -> Any:
        start, inputs, targets = [array.astype(dtype) for array in start], x.astype(dtype), y.astype(dtype)
        return numpy.array(adam(start, lambda p, _: net(p, inputs, targets)[:2], 0.01, 200, epsilon)[1])

    draw = numpy.random.default_rng(0)
    like_torch = [draw.uniform(-1, 1, array.shape) / numpy.sqrt(p[i - i % 2].shape[0]) for i, array in enumerate(p)]
    right = trained(p)
    found = {"other first weights": trained(like_torch), "epsilon 1e-7": trained(p, 1e-7), "float32": trained(p, dtype="float32")}
    table = pandas.concat(
        pandas.DataFrame({"step": range(200), "apart": abs(losses - right) / right, "what": name})
        for name, losses in found.items()
    ).query("apart > 0")
    height = altair.Y(
        "apart:Q",
        scale=altair.Scale(type="log"),
        title="relative distance of the loss",
        axis=altair.Axis(format="~e", tickCount=6),
    )
    chart = curves(table, axis("step", "step", 0, 200), height, list(found), [SECOND, MAIN, FOURTH])
    return chart.properties(title="Three differences, three characters", width=440, height=240)


def sizes() -> Any:
    """Page 9: steps of five frameworks over numpy's, for five widths."""
    import altair

    table = pandas.read_csv(FOLDER / "measured" / "sizes.csv").rename(columns={"arm": "what"})
    names = list(dict.fromkeys(table["what"]))
    scale = altair.Scale(type="log", nice=False, padding=10)
    chart = curves(
        table,
        altair.X(
            "width:Q",
            scale=scale,
            title="width of the hidden layers",
            axis=altair.Axis(grid=False, values=sorted(set(table["width"]))),
        ),
        altair.Y(
            "ratio:Q",
            scale=scale,
            title="time of a training step / numpy's",
            axis=altair.Axis(values=[0.5, 0.7, 1, 1.5, 2, 3, 5, 8]),
        ),
        names,
        [COLOURS[name] for name in names],
        point=True,
    )
    first = table.iloc[0]
    return chart.properties(title=f"{first['day']}, {first['machine']}, one thread", width=440, height=260)


def ring() -> Any:
    """Page 10: the user's table, and what a net of the same layers says of the plane."""
    import altair

    draw = numpy.random.default_rng(1)
    points = draw.uniform(-1, 1, (240, 2)).round(3)
    distance = numpy.hypot(points[:, 0], points[:, 1])
    inside = ((distance > 0.4) & (distance < 0.8)).astype(int)
    sizes = [2, 16, 16, 2]
    start = [
        array for a, b in pairwise(sizes) for array in (draw.uniform(-1, 1, (a, b)) * numpy.sqrt(6 / (a + b)), numpy.zeros(b))
    ]

    def forward(p: Sequence[Any], x: Any) -> list[Any]:
        outputs = [x]
        for n in range(3):
            z = outputs[-1] @ p[2 * n] + p[2 * n + 1]
            outputs.append(z if n == 2 else numpy.maximum(z, 0))
        return outputs

    def slopes(p: Sequence[Any], step: int) -> tuple[Any, list[Any]]:
        rows = numpy.arange(30 * step, 30 * step + 30) % 240
        outputs = forward(p, points[rows])
        gradients: list[Any] = []
        share = numpy.exp(outputs[-1] - outputs[-1].max(1, keepdims=True))
        d = (share / share.sum(1, keepdims=True) - numpy.eye(2)[inside[rows]]) / 30
        for n in (2, 1, 0):
            gradients = [outputs[n].T @ d, d.sum(0), *gradients]
            d = (d @ p[2 * n].T) * (outputs[n] > 0)
        return 0.0, gradients

    p, _ = adam(start, slopes, 0.02, 1200)
    grid = numpy.linspace(-0.96, 0.96, 25)
    cells = numpy.array([(x, y) for x in grid for y in grid])
    said = pandas.DataFrame(cells.round(4), columns=["x", "y"]).assign(
        what=numpy.where(forward(p, cells)[-1].argmax(1), "inside", "outside")
    )
    across, up = axis("x", "x", -1, 1), axis("y", "y", -1, 1, "y")
    colour = altair.Color(
        "what:N", scale=altair.Scale(domain=["inside", "outside"], range=[MAIN, "#E8EAED"]), title="the net says"
    )
    ends = said.assign(x2=said["x"] + 0.04, y2=said["y"] + 0.04, x=said["x"] - 0.04, y=said["y"] - 0.04).round(4)
    ground = altair.Chart(ends).mark_rect(opacity=0.55).encode(across, up, colour, x2="x2:Q", y2="y2:Q")
    table = pandas.DataFrame(points, columns=["x", "y"]).assign(wanted=inside.astype(str))
    fill = altair.Fill("wanted:N", scale=altair.Scale(domain=["0", "1"], range=["white", "black"]), title="the table says")
    return altair.layer(
        ground, altair.Chart(table).mark_circle(size=28, stroke="black", opacity=1).encode(across, up, fill)
    ).properties(width=320, height=320)


FIGURES: dict[str, Callable[[], Any]] = {
    "lines": lines,
    "xor": xor,
    "hidden": hidden,
    "valley": valley,
    "descent": descent,
    "net": net_of_neurons,
    "quotient": quotient,
    "learning": learning,
    "frameworks": frameworks,
    "disagree": disagree,
    "sizes": sizes,
    "ring": ring,
}


def stale() -> list[str]:
    """Names of the figures that were made of something else than is there now."""
    mark, folder = f"fingerprint {fingerprint()}", FOLDER / "figures"
    return [
        name
        for name in FIGURES
        if not (folder / f"{name}.svg").exists() or mark not in (folder / f"{name}.svg").read_text("utf-8")
    ]


def main(words: Sequence[str]) -> int:
    """Draw them all, or say which are out of date."""
    if "--check" in words:
        old = stale()
        if old:
            print(f"out of date: {', '.join(old)}; python docs/lesson/figures.py draws them", file=sys.stderr)
        return int(bool(old))
    (FOLDER / "figures").mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        path = FOLDER / "figures" / f"{name}.svg"
        draw().configure(font="sans-serif", background="white").save(str(path))
        path.write_text(path.read_text("utf-8") + f"<!-- made of files with fingerprint {fingerprint()} -->\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
