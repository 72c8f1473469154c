"""Draw docs/digits-mlp.svg from the committed tables: `python docs/picture.py` (needs the extra `report`).

Left the loss of each arm, which lie on each other; right how far each gradient is from the reference's, with what rounding alone does
drawn in: the figure that tells.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pandas

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from harness.report.colours import COLOURS

FOLDER = ROOT / "results" / "reference" / "digits-mlp"
PICTURE = ROOT / "docs" / "digits-mlp.svg"


def fingerprint() -> str:
    """Of the tables that the picture is made of."""
    return hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in ("losses.csv", "errors.csv"))).hexdigest()


def main() -> None:
    """Draw it."""
    import altair

    losses = pandas.read_csv(FOLDER / "losses.csv")
    errors = pandas.read_csv(FOLDER / "errors.csv").groupby("step", as_index=False).max(numeric_only=True)
    arms = [arm for arm in COLOURS if arm in losses.columns]
    colour = altair.Color("arm:N", scale=altair.Scale(domain=arms, range=[COLOURS[arm] for arm in arms]), title=None, sort=arms)
    step = altair.X(
        "step:Q",
        scale=altair.Scale(type="symlog", constant=1),
        title="step",
        axis=altair.Axis(values=[0, 1, 4, 9, 21, 46, 101, 219], grid=False),
    )
    size = {"width": 300, "height": 220}
    free = losses.melt("step", arms, "arm", "loss")
    left = (
        altair.Chart(free, title="Loss: five curves, one line", **size)
        .mark_line(opacity=0.8)
        .encode(step, altair.Y("loss:Q", scale=altair.Scale(type="log")), colour)
    )
    percent = altair.Y(
        "error:Q",
        scale=altair.Scale(type="log", domain=[1e-8, 1e-2]),
        title="largest relative gradient error",
        axis=altair.Axis(format="~e", tickCount=7),
    )
    found = errors.melt("step", arms, "arm", "error")
    band = (
        altair.Chart(errors.assign(error=4 * errors["floor"], zero=1e-8))
        .mark_area(color="#999999", opacity=0.25)
        .encode(step, percent, altair.Y2("zero"))
    )
    right = (
        altair.Chart(found, title="Distance from the reference: all within rounding (grey)", **size)
        .mark_line(point=True)
        .encode(step, percent, colour)
    )
    altair.hconcat(left, band + right).configure_view(stroke=None).configure(font="sans-serif", background="white").save(
        str(PICTURE)
    )
    text = PICTURE.read_text(encoding="utf-8")
    PICTURE.write_text(text + f"<!-- made of tables with fingerprint {fingerprint()} -->\n", encoding="utf-8")


if __name__ == "__main__":
    main()
