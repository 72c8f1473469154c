"""What the times of a run prove, in sentences. The terminal and the report say the same words."""

from __future__ import annotations

from collections.abc import Iterator

from ..tables import Run
from ..tables.ranking import LEAST, Pair, Ranking
from .formats import number

#: share of a core that an idle process may burn
IDLE = 0.05
CAUTIONS = {
    "tail": "means say something else than medians: some steps take much longer",
    "load": "quiet and loud rounds say something else: the ratio depends on what else the machine does",
}


def title(run: Run) -> str:
    """How it was measured, in a few words."""
    session = run.costs.session
    epochs = len(session.get("epochs") or [1])
    many = f"medians of interleaved blocks in {epochs} epochs of fresh processes"
    return many if epochs > 1 else "indicative: one process an arm, no ranking"


def ranked(run: Run) -> bool:
    """Whether there were epochs enough to rank."""
    return any(ranking.pairs[0].epochs >= LEAST for ranking in run.costs.rankings.values())


def sentences(run: Run) -> Iterator[str]:
    """What the training steps prove, tier by tier, with the control."""
    for work, ranking in run.costs.rankings.items():
        if work[0] == "step" and ranking.pairs[0].epochs >= LEAST:
            own = {"masks": " (given dropout)", "native": " (own dropout)"}.get(work[1], "")
            yield from told(ranking, own)


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


def cautions(run: Run) -> Iterator[str]:
    """What makes one careful with the times of an arm, or of two."""
    for row in run.timings.astype(object).to_dict("records"):
        own = "" if row["variant"] == "plain" else f" ({row['variant']} dropout)"
        if row["steady"] is False:
            yield f"{row['arm']}{own}: no steady state in most epochs; it is not ranked."
        if row["idle"] is not None and row["idle"] > IDLE:
            yield f"{row['arm']}: burns {row['idle']:.2f} of a core when nobody asks it: its neighbours' times suffer."
    for row in run.pairs.astype(object).to_dict("records"):
        for flag in filter(None, row["flags"].split(", ")):
            yield f"{row['a']} and {row['b']}: {CAUTIONS[flag]}."
