"""From charts to pictures: in files of their own, and in pages, where they take the page's colours and its font."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..registry import parse
from .colours import colours

#: dashes tell the modes of one backend apart
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2))
FONT = "system-ui, sans-serif"
#: ink, quiet ink, lines, of a picture on white; a page has them as CSS variables, so that a picture turns dark with it
ON_WHITE = ("#1b1f24", "#57606a", "#d8dee4")
IN_PAGE = ("var(--ink)", "var(--quiet)", "var(--line)")
#: the parameter of every chart of arms: names that are not shown
HIDDEN = "hidden"


def needed() -> None:
    """Ask for what draws.

    Raises:
        UsageError: it is not installed.
    """
    if any(find_spec(name) is None for name in ("altair", "vl_convert", "jinja2")):
        raise UsageError("pictures and pages are drawn by Altair, which is not installed", "pip install -e '.[report]'")


def installed() -> bool:
    """Whether there is what draws."""
    try:
        needed()
    except UsageError:
        return False
    return True


@dataclass(frozen=True)
class Look:
    """How an arm is drawn everywhere: its backend's colour, its mode's dash (drawn and left out, in pixels)."""

    name: str
    colour: str
    dash: tuple[int, ...]

    @property
    def dashes(self) -> str:
        """The dash for an SVG line; "" where it is drawn through."""
        return " ".join(map(str, self.dash)) if self.dash[1] else ""


def looks(arms: Sequence[str]) -> list[Look]:
    """How arms look beside each other."""
    backends = [parse(arm).backend for arm in arms]
    modes = [backends[:place].count(backend) for place, backend in enumerate(backends)]
    return [Look(arm, colour, DASHES[mode % len(DASHES)]) for arm, colour, mode in zip(arms, colours(backends), modes, strict=True)]


def hue(arms: Sequence[str], legend: bool = True) -> tuple[Any, Any]:
    """Colour and dash of arms."""
    import altair

    found = looks(arms)
    shown = altair.Legend(symbolType="stroke", symbolSize=200, symbolStrokeWidth=3) if legend else None
    tints = altair.Scale(domain=list(arms), range=[look.colour for look in found])
    dashes = altair.Scale(domain=list(arms), range=[list(look.dash) for look in found])
    colour = altair.Color("arm:N", scale=tints, sort=list(arms), title=None, legend=shown)
    return colour, altair.StrokeDash("arm:N", scale=dashes, title=None, legend=shown)


def chosen(chart: Any) -> Any:
    """A chart of arms whose reader may hide some."""
    return chart.transform_filter(f"indexof({HIDDEN}, datum.arm) < 0")


def specification(chart: Any, page: bool) -> dict[str, Any]:
    """A chart as Vega-Lite, with the fonts and lines that all pictures share."""
    import altair

    ink, quiet, line = IN_PAGE if page else ON_WHITE
    axis = {**dict.fromkeys(("labelColor", "titleColor"), quiet), **dict.fromkeys(("gridColor", "domainColor", "tickColor"), line)}
    with altair.data_transformers.enable("default", max_rows=None):
        found: dict[str, Any] = chart.add_params(altair.param(name=HIDDEN, value=[])).to_dict()
    found["background"] = None if page else "white"
    found["padding"] = {"left": 20, "right": 20, "top": 5, "bottom": 5}  # a reader's font may be wider than the one that was measured
    found["config"] = {
        "font": FONT, "view": {"stroke": None}, "axis": {**axis, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"},
        "legend": {"labelColor": ink, "titleColor": quiet, "labelFontSize": 12, "orient": "bottom", "columns": 4},
        "title": {"color": ink, "anchor": "start", "fontSize": 13, "fontWeight": 600}, "header": {"labelColor": ink, "titleColor": quiet},
        "text": {"color": ink}, "rule": {"color": ink}, "point": {"color": ink},
    }  # fmt: skip
    return found


def svg(chart: Any, page: bool = False) -> str:
    """A chart as an SVG image."""
    return drawn(specification(chart, page))


def drawn(specified: Mapping[str, Any]) -> str:
    """A chart for Vega-Lite as an SVG image; marks have no labels of their own, a title and a table tell more."""
    import vl_convert

    quiet = {**specified, "config": {**specified["config"], "aria": False}}
    return str(vl_convert.vegalite_to_svg(json.dumps(quiet), allowed_base_urls=[]))


def save(chart: Any, path: Path) -> None:
    """Save a chart, as its name's end says: svg or png, the latter with two pixels for one."""
    import vl_convert

    drawn = svg(chart)
    beside = path.with_name(f"{path.name}.part")
    beside.write_bytes(vl_convert.svg_to_png(drawn, scale=2) if path.suffix == ".png" else drawn.encode("utf-8"))
    beside.replace(path)


#: of a logarithmic axis, about; where there would be more, powers of ten are left out evenly
MOST_LINES = 9


def decades(low: float, high: float) -> list[float]:
    """Where a logarithmic axis has its lines: at powers of ten, or at their doubles and fives too where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1, 1 + (last - first) // MOST_LINES)
    factors = (1.0,) if len(powers) > 4 else (1.0, 2.0, 5.0)
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script: a page brings them along and asks no network. Bundling takes seconds, so that the
    script is kept in the cache."""
    from importlib.metadata import version

    from ..environments.environment import cache_folder
    from ..records.store import write_text

    kept = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    from vl_convert import javascript_bundle

    bundled: Any = javascript_bundle  # its types ask for an argument that it can do without
    script = str(bundled()).replace("</script", "<\\/script")
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, script)
    return script
