"""What each arm costs, on the screen: training steps with who is faster where it is proved, other work, start-up, memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..tables import Run
from ..tables.ranking import LEAST, Pair, Ranking
from . import console
from .console import fixed, number, result, words

#: the tables of costs, as `--json` has them
COSTS = ("timings", "pairs", "works", "memory")
#: headings of works
WORKS = {"throughput": "step, unread", "fed": "step, fed", "inference": "all test rows", "inference_1": "one row"}


def show_costs(run: Run) -> None:
    """All tables, and the sentences that say what they prove."""
    if run.timings.empty:
        return
    steps(run)
    others(run)
    start_up(run)
    lines = [*sentences(run), *cautions(run)]
    for line in lines:
        result(line)
    if lines:
        result()


def rows(frame: Any) -> list[dict[str, Any]]:
    """A DataFrame as rows."""
    found: list[dict[str, Any]] = frame.astype(object).to_dict("records")
    return found


def ranked(run: Run) -> bool:
    """Whether there were epochs enough to rank."""
    return any(ranking.pairs[0].epochs >= LEAST for ranking in run.costs.rankings.values())


def steps(run: Run) -> None:
    """Training steps, the fastest first where they are ranked."""
    found = rows(run.timings)
    if ranked(run):
        found.sort(key=lambda row: (row["variant"], row["step_us"]))
    for row in found:
        row["variant"] = "" if row["variant"] == "plain" else row["variant"]
        row["interval"] = interval(row)
        row["of_peak"] = None if row["of_peak"] != row["of_peak"] or row["of_peak"] is None else 100 * row["of_peak"]
    columns: Mapping[str, console.Format] = {
        "arm": words, "variant": words, "tier": fixed(0), "step_us": fixed(1), "step_p95_us": fixed(1), "ratio": ratio(found),
        "interval": words, "verdict": words, "samples_per_s": fixed(0), "gflops": fixed(2), "of_peak": fixed(1),
        "break_even_steps": steps_or_never,
    }  # fmt: skip
    names = {
        "variant": "dropout", "ratio": f"/ {run.base}", "interval": "95 % interval", "step_p95_us": "p95 us", "samples_per_s": "rows/s",
        "gflops": "GFLOP/s", "of_peak": "% of peak", "break_even_steps": "breaks even after",
    }  # fmt: skip
    console.table(f"Training step ({title(run)})", found, columns, names)


def title(run: Run) -> str:
    """How it was measured, in a few words."""
    session = run.costs.session
    epochs = len(session.get("epochs") or [1])
    many = f"medians of interleaved blocks in {epochs} epochs of fresh processes"
    return many if epochs > 1 else "indicative: one process an arm, no ranking"


def ratio(found: list[dict[str, Any]]) -> console.Format:
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


def others(run: Run) -> None:
    """Work beside the training step."""
    if run.works.empty:
        return
    table = run.works.pivot_table(index="arm", columns="work", values="us", sort=False).reset_index()
    columns: dict[str, console.Format] = {"arm": words, **{name: fixed(1) for name in WORKS if name in table.columns}}
    console.table("Other work, microseconds: a step of which only every 16th loss is read, a step with its batch made native, predictions",
                  rows(table), columns, WORKS)  # fmt: skip


def start_up(run: Run) -> None:
    """Until the first loss, and memory."""
    first = run.timings.drop_duplicates("arm")
    columns: Mapping[str, console.Format] = {
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
    console.table("Start-up and memory", found, columns, names)
    if found and all(row["peak_mib"] is None or row["peak_mib"] != row["peak_mib"] for row in found):
        result("Memory is not measured on this system.")


def sentences(run: Run) -> Iterator[str]:
    """What the training steps prove, tier by tier, with the control."""
    for work, ranking in run.costs.rankings.items():
        if work[0] == "step" and ranking.pairs[0].epochs >= LEAST:
            own = {"masks": " (given dropout)", "native": " (own dropout)"}.get(work[1], "")
            yield from told(ranking, own)


def cautions(run: Run) -> Iterator[str]:
    """What makes one careful with the times of an arm, or of two."""
    for row in rows(run.timings):
        own = "" if row["variant"] == "plain" else f" ({row['variant']} dropout)"
        if row["steady"] is False:
            yield f"{row['arm']}{own}: no steady state in most epochs; it is not ranked."
        if row["idle"] is not None and row["idle"] > IDLE:
            yield f"{row['arm']}: burns {row['idle']:.2f} of a core when nobody asks it: its neighbours' times suffer."
    for row in rows(run.pairs):
        for flag in filter(None, row["flags"].split(", ")):
            yield f"{row['a']} and {row['b']}: {CAUTIONS[flag]}."


#: share of a core that an idle process may burn
IDLE = 0.05
CAUTIONS = {
    "tail": "means say something else than medians: some steps take much longer",
    "load": "quiet and loud rounds say something else: the ratio depends on what else the machine does",
}


def told(ranking: Ranking, own: str) -> Iterator[str]:
    """One ranking in sentences."""
    if ranking.noisy:
        yield f"Too noisy to rank{own}: {ranking.noisy}."
        return
    tiers = [", ".join(tier) for tier in ranking.tiers]
    if len(tiers) > 1:
        yield f"Speed{own}: {' > '.join(tiers)}; every arm is proved faster than all behind the next \">\"."
        for ahead, behind in zip(ranking.tiers, ranking.tiers[1:], strict=False):
            yield f"  {sentence(ranking.pair(ahead[-1], behind[0]))}"
    else:
        verdicts = sorted({pair.verdict for pair in ranking.pairs})
        yield f"Speed{own}: no arm is proved faster than all others ({', '.join(verdicts)})."
    if ranking.control is not None:
        pair = ranking.control
        yield f"Control: {pair.a} against itself in a second process: {pair.ratio:.3f} [{pair.low:.3f}, {pair.high:.3f}]."


def sentence(pair: Pair) -> str:
    """Who is how much faster, at least."""
    text = f"{pair.a} is at least {number(3)(pair.proved)} times faster than {pair.b}"
    return f"{text} ({1 / pair.ratio:.3f}, 95 % interval {1 / pair.high:.3f} to {1 / pair.low:.3f})"
