"""The picture of a loss surface: contours, and the paths of descent on them. Vega draws the contours (Vega-Lite has none)."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..tables.surface import Surface
from .drawing import HIDDEN, Vega, looks

WIDTH, HEIGHT = 560, 460
#: steps of the loss
LEVELS = 12
#: the losses are drawn by their logarithms from this ratio of the largest to the smallest on
RATIO = 20.0
#: colour of what is high, and how much of it each step adds
SHADE, OPACITY = "#4f9a94", 0.085
#: width of the narrowest path; those under it are wider, each by so much, all together by no more than that: paths that are the same lie on
#: each other
NARROW, WIDER, WIDEST = 1.6, 2.6, 12.0
#: a path that takes no more than this share of the picture is a point in it
LEAST = 0.02
#: width of the reference's path, under all others
UNDER = 3.0


def contours(found: Surface, title: bool = False) -> Vega:
    """A surface as a chart; with a title where it stands alone."""
    grid = found.grid
    side = found.manifest["side"]
    losses = grid["loss"].to_numpy().reshape(-1, side)
    log, levels = steps(losses)
    heights = numpy.log10(losses) if log else losses
    heights = numpy.where(numpy.isfinite(heights), heights, numpy.nanmax(heights))[::-1]
    ends = {name: [float(grid[name].iloc[0]), float(grid[name].iloc[-1])] for name in ("x", "y")}
    arms = [arm for arm in dict.fromkeys(found.paths["arm"]) if not arm.startswith("reference")]
    tree: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega/v6.json", "width": WIDTH, "height": HEIGHT,
        "signals": [{"name": HIDDEN, "value": []}, pointed(side)],
        "data": [
            {"name": "grid", "values": [{
                "width": side, "height": side, "values": heights.ravel().tolist(), "losses": rounded(losses[::-1].ravel()),
            }]},
            {"name": "contours", "source": "grid", "transform": [contoured(levels, log, side)]},
            {"name": "steps", "values": [{"place": place, "label": f"{level:.3g}"} for place, level in enumerate([math.nan, *levels])]},
            {"name": "every", "values": drawn(found, arms)},
            {"name": "paths", "source": "every", "transform": [
                {"type": "filter", "expr": f"indexof({HIDDEN}, datum.arm) < 0 && datum.order >= 0"},
            ]},
            {"name": "reference", "source": "every", "transform": [{"type": "filter", "expr": "datum.order < 0"}]},
            {"name": "ends", "source": "paths", "transform": [{"type": "filter", "expr": "datum.last"}]},
            {"name": "start", "source": "reference", "transform": [{"type": "filter", "expr": f"datum.step == 0 && {seen(found, ends)}"}]},
            {"name": "lowest", "values": lowest(found)},
        ],
        "scales": [
            *({"name": name, "type": "linear", "domain": ends[name], "range": room, "zero": False, "nice": False}
              for name, room in (("x", "width"), ("y", "height"))),
            {"name": "colour", "type": "ordinal", "domain": arms, "range": [look.colour for look in looks(arms)]},
            {"name": "dash", "type": "ordinal", "domain": arms, "range": [list(look.dash) for look in looks(arms)]},
        ],
        "axes": [
            {"orient": "bottom", "scale": "x", "title": found.manifest["plane"]["labels"][0], "tickCount": 7},
            {"orient": "left", "scale": "y", "title": found.manifest["plane"]["labels"][1], "tickCount": 7},
        ],
        "legends": [{
            "stroke": "colour", "strokeDash": "dash", "symbolType": "stroke", "symbolSize": 200, "symbolStrokeWidth": 3, "orient": "bottom",
            "direction": "horizontal",
        }] if arms else [],
        "marks": [
            {"type": "group", "clip": True, "encode": {"update": size()}, "marks": [*ground(), *ways(), *ends_and_lowest()]},
            *scale(levels),
        ],
    }  # fmt: skip
    return Vega({**tree, "title": titled(found)} if title else tree)


def steps(losses: Any) -> tuple[bool, list[float]]:
    """Whether losses are drawn by their logarithms, and where the contours lie: between the smallest and the largest, evenly."""
    finite = losses[numpy.isfinite(losses)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    log = low > 0 and high > RATIO * low
    levels = numpy.geomspace(low, high, LEVELS + 2) if log else numpy.linspace(low, high, LEVELS + 2)
    return log, [float(f"{level:.3g}") for level in levels[1:-1]]


def pointed(side: int) -> dict[str, Any]:
    """What is said of the place of the surface that is pointed at: of the nearest point that was computed."""
    column, row = (f"round({place} / {length} * {side - 1})" for place, length in (("clamp(x(), 0, width)", "width"),
                                                                                  ("clamp(y(), 0, height)", "height")))  # fmt: skip
    loss = f"data('grid')[0].losses[{row} * {side} + {column}]"
    place = "format(invert('x', x()), '.4g'), y: format(invert('y', y()), '.4g')"
    said = f"{{loss: {loss} === null ? 'not finite' : format({loss}, '.5g'), x: {place}}}"
    return {"name": "here", "value": {}, "on": [{"events": "@ground:pointermove", "update": said}]}


def contoured(levels: list[float], log: bool, side: int) -> dict[str, Any]:
    """The transform that makes contours. A number of the grid lies in the middle of its cell: half a cell is beyond the axes."""
    cells = 2 * (side - 1)
    return {
        "type": "isocontour", "thresholds": [math.log10(level) if log else level for level in levels], "as": "contour",
        "scale": {"signal": f"[2 * width / {cells}, 2 * height / {cells}]"},
        "translate": {"signal": f"[-width / {cells}, -height / {cells}]"},
    }  # fmt: skip


def drawn(found: Surface, arms: list[str]) -> list[dict[str, Any]]:
    """The points of the paths that are drawn, the reference's first; `order` counts arms, -1 for the reference."""
    rows, wider = [], min(WIDER, WIDEST / max(len(arms), 1))
    for arm in ("reference", *arms):
        path = found.paths[(found.paths["arm"] == arm) & found.paths["shown"]]
        order = arms.index(arm) if arm in arms else -1
        width = NARROW + wider * (len(arms) - 1 - order) + (UNDER if order < 0 else 0)
        for place, row in enumerate(path.to_dict("records")):
            point = {name: row[name] for name in ("step", "x", "y", "loss", "off")}
            rows.append({"arm": arm, "order": order, "wide": width, "last": place == len(path) - 1, **point})
    return rows


def seen(found: Surface, ends: dict[str, list[float]]) -> str:
    """Whether the reference's path is more than a point in the picture, as Vega has it: else its start would hide its end."""
    path = found.paths[(found.paths["arm"] == "reference") & found.paths["shown"]]
    shares = [float(numpy.ptp(path[axis])) / (high - low) if len(path) else 0.0 for axis, (low, high) in ends.items()]
    return "true" if max(shares) > LEAST else "false"


def lowest(found: Surface) -> list[dict[str, Any]]:
    """The lowest point of the grid, where it is one and not on the edge."""
    least = found.manifest["lowest"]
    return [{**least, "text": f"lowest: {least['loss']:.3g}"}] if least and least["single"] and not least["edge"] else []


def rounded(losses: Any) -> list[float | None]:
    """Losses to the digits that are shown, None where they are not finite."""
    return [float(f"{loss:.5g}") if math.isfinite(loss) else None for loss in losses]


def size() -> dict[str, Any]:
    """The whole picture's."""
    return {"width": {"signal": "width"}, "height": {"signal": "height"}}


def at() -> dict[str, Any]:
    """Where a row lies."""
    return {"x": {"scale": "x", "field": "x"}, "y": {"scale": "y", "field": "y"}}


def ground() -> list[dict[str, Any]]:
    """Contours, and on them what answers when it is pointed at."""
    filled = {"fill": {"value": SHADE}, "fillOpacity": {"value": OPACITY}, "stroke": {"value": SHADE}, "strokeOpacity": {"value": 0.55},
              "strokeWidth": {"value": 0.7}}  # fmt: skip
    return [
        {"type": "path", "from": {"data": "contours"}, "interactive": False, "encode": {"enter": filled},
         "transform": [{"type": "geopath", "field": "datum.contour"}]},
        {"type": "rect", "name": "ground", "encode": {
            "update": {**size(), "fill": {"value": "transparent"}, "tooltip": {"signal": "here"}},
        }},
    ]  # fmt: skip


def ways() -> list[dict[str, Any]]:
    """The paths: the reference's wide and grey under all, then each arm's on a halo, and their points."""
    under = {"stroke": {"value": "#888888"}, "strokeOpacity": {"value": 0.35}, "strokeWidth": {"field": "wide"},
             "strokeJoin": {"value": "round"}, "strokeCap": {"value": "round"}}  # fmt: skip
    line = {**at(), "strokeWidth": {"field": "wide"}, "strokeJoin": {"value": "round"}}
    halo = {**line, "strokeWidth": {"signal": "datum.wide + 1.4"}, "strokeOpacity": {"value": 0.8}}
    own = {"stroke": {"scale": "colour", "field": "arm"}, "strokeDash": {"scale": "dash", "field": "arm"}}
    tip = {"signal": "{arm: datum.arm, step: datum.step, loss: format(datum.loss, '.6g'), 'off the plane': format(datum.off, '.2g')}"}
    wide = f"pow(datum.wide + (datum.wide > {NARROW} ? 0 : 1.6), 2)"
    dots = {**at(), "size": {"signal": wide}, "fill": {"scale": "colour", "field": "arm"}, "tooltip": tip}
    facet = {"facet": {"name": "one", "data": "paths", "groupby": "arm"}}
    return [
        {"type": "line", "from": {"data": "reference"}, "interactive": False, "encode": {"update": {**at(), **under}}},
        {"type": "group", "from": facet, "interactive": False, "marks": [
            {"type": "line", "style": "halo", "from": {"data": "one"}, "interactive": False, "encode": {"update": halo}},
        ]},
        {"type": "group", "from": facet, "marks": [
            {"type": "line", "from": {"data": "one"}, "interactive": False, "encode": {"update": {**line, **own}}},
            {"type": "symbol", "from": {"data": "one"}, "encode": {"update": dots}},
        ]},
    ]  # fmt: skip


def ends_and_lowest() -> list[dict[str, Any]]:
    """Where the paths start and end, and the lowest point."""
    shape = {**at(), "shape": {"value": "diamond"}, "size": {"signal": "pow(datum.wide + 8, 2)"}}
    return [
        {"type": "symbol", "style": "halo", "from": {"data": "ends"}, "interactive": False,
         "encode": {"update": {**shape, "strokeWidth": {"value": 2.5}}}},
        {"type": "symbol", "from": {"data": "ends"}, "interactive": False,
         "encode": {"update": {**shape, "fill": {"scale": "colour", "field": "arm"}}}},
        {"type": "symbol", "style": "ring", "from": {"data": "start"}, "interactive": False,
         "encode": {"update": {**at(), "size": {"value": 90}, "strokeWidth": {"value": 2}}}},
        *named("start", {"value": "start"}),
        {"type": "symbol", "style": "cross", "from": {"data": "lowest"}, "interactive": False, "encode": {"update": {
            **at(), "shape": {"value": "M-1,-1L1,1M-1,1L1,-1"}, "size": {"value": 45}, "strokeWidth": {"value": 2},
        }}},
        *named("lowest", {"field": "text"}),
    ]  # fmt: skip


def named(data: str, text: dict[str, Any]) -> list[dict[str, Any]]:
    """A label above a mark, on a halo."""
    word = {**at(), "text": text, "align": {"value": "center"}, "baseline": {"value": "middle"}, "dy": {"value": -16},
            "fontSize": {"value": 12}}  # fmt: skip
    halo = {**word, "strokeWidth": {"value": 4}, "strokeOpacity": {"value": 0.85}, "strokeJoin": {"value": "round"}}
    return [
        {"type": "text", "style": style, "from": {"data": data}, "interactive": False, "encode": {"update": encode}}
        for style, encode in (("halo", halo), ("label", word))
    ]


def scale(levels: list[float]) -> list[dict[str, Any]]:
    """What the shades mean, right of the picture: a bar of steps with the losses between them."""
    tall = HEIGHT / (len(levels) + 1)
    bottom = f"height - datum.place * {tall}"
    bar = {"x": {"signal": "width + 16"}, "width": {"value": 14}, "y2": {"signal": bottom}, "y": {"signal": f"{bottom} - {tall}"},
           "fill": {"value": SHADE}, "fillOpacity": {"signal": f"1 - pow(1 - {OPACITY}, datum.place)"}}  # fmt: skip
    frame = {"x": {"signal": "width + 16"}, "width": {"value": 14}, "height": {"signal": "height"}, "stroke": {"value": SHADE}}
    words = {"x": {"signal": "width + 35"}, "y": {"signal": bottom}, "text": {"signal": "datum.place ? datum.label : ''"},
             "baseline": {"value": "middle"}, "fontSize": {"value": 11}}  # fmt: skip
    head = {"x": {"signal": "width + 16"}, "y": {"value": -6}, "text": {"value": "loss"}, "fontSize": {"value": 12}}
    return [
        {"type": "rect", "from": {"data": "steps"}, "interactive": False, "encode": {"update": bar}},
        {"type": "rect", "interactive": False, "encode": {"update": frame}},
        {"type": "text", "style": "quiet", "from": {"data": "steps"}, "interactive": False, "encode": {"update": words}},
        {"type": "text", "style": "quiet", "interactive": False, "encode": {"update": head}},
    ]


def titled(found: Surface) -> dict[str, Any]:
    """A title for a picture that stands alone."""
    facts = found.manifest
    plane = f"the plane holds {100 * facts['held']:.4g} % of the path's movement"
    rows = f"loss of {facts['rows']:,} training rows"
    return {"text": f"{facts['experiment']}: the loss and the paths of descent", "subtitle": f"{rows}; {plane}"}
