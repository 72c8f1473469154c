"""Draw docs/digits-mlp.svg, for light pages and for dark ones, from the committed tables: `python docs/picture.py` (extra `report`).

Left the loss of each arm: they lie on each other, so each is drawn thinner than the one below it. Right how far each gradient is from the
reference's, with what rounding alone does drawn in: the figure that tells.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pandas

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from harness.report.colours import COLOURS

FOLDER = ROOT / "results" / "reference" / "digits-mlp"
#: picture -> colours of its text and its background
PICTURES = {
    ROOT / "docs" / "digits-mlp.svg": ("#1f2328", "#ffffff"),
    ROOT / "docs" / "digits-mlp-dark.svg": ("#e6edf3", "#0d1117"),
}
SIZE = {"width": 330, "height": 220}


def fingerprint() -> str:
    """Of the tables that the pictures are made of."""
    return hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in ("losses.csv", "errors.csv"))).hexdigest()


def logarithmic(field: str, title: str, decades: range) -> Any:
    """An axis over powers of ten."""
    import altair

    values = [10.0**power for power in decades]
    scale = altair.Scale(type="log", domain=[values[0], values[-1]])
    return altair.Y(field, scale=scale, title=title, axis=altair.Axis(values=values, format="~g" if values[-1] > 1 else "~e"))


def drawn() -> Any:
    """Both figures."""
    import altair

    losses = pandas.read_csv(FOLDER / "losses.csv")
    errors = pandas.read_csv(FOLDER / "errors.csv").groupby("step", as_index=False).max(numeric_only=True)
    arms = [arm for arm in COLOURS if arm in losses.columns]
    colour = altair.Color("arm:N", scale=altair.Scale(domain=arms, range=[COLOURS[arm] for arm in arms]), title=None, sort=arms)
    widths = dict(zip(arms, (14, 11, 8, 5, 2), strict=True))
    step = altair.X(
        "step:Q",
        scale=altair.Scale(type="symlog", constant=1),
        title="step",
        axis=altair.Axis(values=[0, 1, 4, 9, 21, 46, 101, 219], grid=False),
    )
    free = losses.melt("step", arms, "arm", "loss")
    left = altair.layer(
        *(
            altair.Chart(free[free["arm"] == arm]).mark_line(strokeWidth=wide, opacity=1).encode(
                step, logarithmic("loss:Q", "loss", range(-2, 2)), colour
            )
            for arm, wide in widths.items()
        )
    ).properties(title="Loss: five curves, one line", **SIZE)
    percent = logarithmic("error:Q", "largest relative error of a gradient", range(-8, -3))
    rounding = errors.assign(error=4 * errors["floor"], zero=1e-8)
    band = altair.Chart(rounding).mark_area(color="#8c959f", opacity=0.3).encode(step, percent, altair.Y2("zero"))
    words = (
        altair.Chart(pandas.DataFrame({"step": [0], "error": [2.2e-8]}))
        .mark_text(text="what rounding alone does", align="left", dx=8, color="#8c959f")
        .encode(step, percent)
    )
    right = (
        altair.Chart(errors.melt("step", arms, "arm", "error"), title="Gradients: all within rounding", **SIZE)
        .mark_line(point=True)
        .encode(step, percent, colour)
    )
    return altair.hconcat(left, band + words + right)


def main() -> None:
    """Write the pictures."""
    chart = drawn()
    for path, (ink, paper) in PICTURES.items():
        axis = {"labelColor": ink, "titleColor": ink, "gridColor": ink, "gridOpacity": 0.15, "tickColor": ink, "domainColor": ink}
        coloured = chart.configure(font="sans-serif", background=paper).configure_view(stroke=None).configure_axis(**axis)
        coloured.configure_title(color=ink).configure_legend(labelColor=ink).save(str(path))
        with path.open("a", encoding="utf-8") as file:
            file.write(f"<!-- made of tables with fingerprint {fingerprint()} -->\n")


if __name__ == "__main__":
    main()
