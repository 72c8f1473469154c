"""What the times and the memory of a run come to: sentences, figures, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..tables import Run
from .costs import PHASES
from .formats import Format, fixed, number, words
from .parts import Figure, Part, Text, table
from .speed import cautions, ranked, sentences

Columns = Mapping[str, Format]
Rows = Sequence[dict[str, Any]]
STEPS: Columns = {
    "arm": words, "variant": words, "tier": fixed(0), "step_us": fixed(1), "step_p95_us": fixed(1), "ratio": fixed(3), "interval": words,
    "verdict": words, "samples_per_s": fixed(0), "gflops": fixed(2), "of_peak": fixed(1), "break_even_steps": fixed(0),
}  # fmt: skip
STEP_NAMES = {
    "variant": "dropout", "step_us": "step, µs", "step_p95_us": "95th percentile, µs", "interval": "95 % interval",
    "samples_per_s": "rows/s", "gflops": "GFLOP/s", "of_peak": "% of peak", "break_even_steps": "breaks even after steps",
}  # fmt: skip
START: Columns = {
    "arm": words, "import_s": fixed(2), "build_s": fixed(3), "compile_s": fixed(2), "compile_again_s": fixed(2), "first_step_s": fixed(4),
    "first_loss_s": fixed(2),
}  # fmt: skip
PAIRED: Columns = {
    "a": words, "b": words, "variant": words, "ratio": fixed(3), "low": fixed(3), "high": fixed(3), "p": number(2), "verdict": words,
    "epochs": fixed(0), "flags": words,
}  # fmt: skip
#: headings of works
WORKS = {"throughput": "step, unread", "fed": "step, fed", "inference": "all test rows", "inference_1": "one row"}


def times(run: Run, figure: Figure | None) -> list[Part | None]:
    """Training steps, with what is proved of them; other work; the start."""
    if run.timings.empty:
        return []
    said = [*(sentences(run) if ranked(run) else ["Indicative: one process an arm, no ranking."]), *cautions(run)]
    steps = [step(row) for row in rows(run.timings)]
    others = rows(run.works.pivot_table(index="arm", columns="work", values="us", sort=False).reset_index()) if len(run.works) else []
    return [
        Text([line.strip() for line in said]), figure, table(steps, STEPS, {**STEP_NAMES, "ratio": f"/ {run.base}"}),
        table(rows(run.pairs), PAIRED, caption="Every two arms, and the control", folded=True),
        table(others, {"arm": words, **dict.fromkeys(WORKS, fixed(1))}, WORKS, caption="Other work, microseconds", folded=True),
        table(steps, START, caption="Until the first loss, seconds", folded=True),
    ]  # fmt: skip


def memory(run: Run, figure: Figure | None) -> list[Part | None]:
    """The largest resident size, phase by phase."""
    columns: Columns = {"arm": words, **dict.fromkeys((*PHASES, "peak_mib"), fixed(0))}
    return [figure, table(rows(run.memory), columns, {**PHASES, "peak_mib": "peak"}, caption="Largest resident MiB by phase", folded=True)]


def step(row: dict[str, Any]) -> dict[str, Any]:
    """A row of timings as it is shown."""
    known = row["low"] is not None and row["low"] == row["low"]
    peak = row["of_peak"]
    return {
        **row, "interval": f"[{row['low']:.3f}, {row['high']:.3f}]" if known else "",
        "variant": "" if row["variant"] == "plain" else row["variant"], "of_peak": None if peak is None or peak != peak else 100 * peak,
    }  # fmt: skip


def rows(frame: Any) -> list[dict[str, Any]]:
    """A DataFrame as rows."""
    found: list[dict[str, Any]] = frame.astype(object).to_dict("records")
    return found
