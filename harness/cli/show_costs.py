"""What each arm costs, as tables: training steps with who is faster where it is proved, other work, start-up, memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..report.formats import Format, fixed, words
from ..report.parts import Section, Table, Text, table
from ..report.speed import cautions, ranked, sentences, title
from ..tables import Run

#: the tables of costs, as `--json` has them
COSTS = ("timings", "pairs", "works", "memory")
#: headings of works
WORKS = {"throughput": "step, unread", "fed": "step, fed", "inference": "all test rows", "inference_1": "one row"}


def costs(run: Run) -> Iterator[Section]:
    """All tables, behind the sentences that say what they prove."""
    if run.timings.empty:
        return
    lines = [*sentences(run), *cautions(run)]
    yield Section("timings", f"Training step ({title(run)})", [Text(lines) if lines else None, steps(run)])
    what = "Other work, microseconds: a step of which only every 16th loss is read, a step with its batch made native, predictions"
    yield Section("works", what, [others(run)])
    unknown = run.memory["peak_mib"].isna().all()
    yield Section("memory", "Start-up and memory", [start_up(run), Text(["Memory is not measured on this system."]) if unknown else None])


def rows(frame: Any) -> list[dict[str, Any]]:
    """A DataFrame as rows."""
    found: list[dict[str, Any]] = frame.astype(object).to_dict("records")
    return found


def steps(run: Run) -> Table | None:
    """Training steps, the fastest first where they are ranked."""
    found = rows(run.timings)
    if ranked(run):
        found.sort(key=lambda row: (row["variant"], row["step_us"]))
    for row in found:
        row["variant"] = "" if row["variant"] == "plain" else row["variant"]
        row["interval"] = interval(row)
        row["of_peak"] = None if row["of_peak"] != row["of_peak"] or row["of_peak"] is None else 100 * row["of_peak"]
    columns: Mapping[str, Format] = {
        "arm": words, "variant": words, "tier": fixed(0), "step_us": fixed(1), "step_p95_us": fixed(1), "ratio": ratio(found),
        "interval": words, "verdict": words, "samples_per_s": fixed(0), "gflops": fixed(2), "of_peak": fixed(1),
        "break_even_steps": steps_or_never,
    }  # fmt: skip
    names = {
        "variant": "dropout", "ratio": f"/ {run.base}", "interval": "95 % interval", "step_p95_us": "p95 us", "samples_per_s": "rows/s",
        "gflops": "GFLOP/s", "of_peak": "% of peak", "break_even_steps": "breaks even after",
    }  # fmt: skip
    return table(found, columns, names)

def ratio(found: list[dict[str, Any]]) -> Format:
    """Ratios with as many decimals as their intervals allow."""
    widths = [math.log(row["high"] / row["low"]) / 2 for row in found if row["low"] is not None and row["low"] == row["low"]]
    return fixed(2 if not widths or max(widths) > 0.005 else 3)


def interval(row: Mapping[str, Any]) -> str:
    """The 95 % interval of a ratio."""
    low = row["low"]
    return "" if low is None or low != low else f"[{low:.3f}, {row['high']:.3f}]"


def steps_or_never(value: Any) -> str:
    """A number of steps; "never" where a compiled mode is no faster."""
    if value is None or value != value:
        return ""
    return "never" if math.isinf(value) else f"{value:,.0f} steps"


def others(run: Run) -> Table | None:
    """Work beside the training step."""
    if run.works.empty:
        return None
    wide = run.works.pivot_table(index="arm", columns="work", values="us", sort=False).reset_index()
    columns: dict[str, Format] = {"arm": words, **{name: fixed(1) for name in WORKS if name in wide.columns}}
    return table(rows(wide), columns, WORKS)


def start_up(run: Run) -> Table | None:
    """Until the first loss, and memory."""
    first = run.timings.drop_duplicates("arm")
    columns: Mapping[str, Format] = {
        "arm": words, "import_s": fixed(2), "build_s": fixed(3), "compile_s": fixed(2), "compile_again_s": fixed(2),
        "first_step_ms": fixed(2), "first_loss_s": fixed(2), "busy_threads": fixed(0), "cores": fixed(2),
        "after_import_mib": fixed(0), "peak_mib": fixed(0), "train_mib": fixed(0), "inference_mib": fixed(0),
    }  # fmt: skip
    names = {
        "compile_again_s": "compile again s", "first_loss_s": "until first loss s", "after_import_mib": "MiB after import",
        "peak_mib": "MiB peak", "train_mib": "training", "inference_mib": "inference",
    }  # fmt: skip
    found = rows(first.merge(run.memory, on="arm", how="left"))
    for row in found:
        row["first_step_ms"] = 1e3 * row["first_step_s"]
    return table(found, columns, names)
