"""Who is faster, where it is proved. Epochs (fresh processes) are the samples; what is compared is what stood side by side in one round.

For two arms: the difference of their log medians in each round, its median over the rounds of an epoch, a t interval over epochs. Over
all pairs: Holm's correction. An arm is faster only where the interval lies outside a zone of indifference. Simulated and measured false
positives and power stand in benchmarks/README.md; sources: Georges et al. 2007 (launches as samples), Kalibera & Jones 2013
(intervals of ratios), Holm 1979, Schuirmann 1987 (ties by two one-sided tests).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

#: printed intervals hold what they say in 95 % of sessions
ALPHA = 0.05
#: what ranks any of its pairs wrongly is at most one session in a hundred, however many arms there are (Holm), also on a noisy machine
PROOF = 0.01
#: a ratio so near to 1 is of no interest: the interval has to lie outside
ZONE = math.log(1.01)
#: two arms tie where the 90 % interval lies inside
TIE = math.log(1.03)
#: the control must touch the zone, and be no further from 1 than this
CONTROL = math.log(1.02)
#: medians and means whose ratios are so far apart tell of a tail; halves of the rounds, of the load
TAIL, LOADED = math.log(1.05), math.log(1.03)
#: epochs without which nothing is ranked
LEAST = 3

#: verdict -> what it means
VERDICTS = {
    "faster": "the interval of the ratio lies below 1/1.01, and Holm's p over all pairs is under 0.01",
    "slower": "the interval of the ratio lies above 1.01, and Holm's p over all pairs is under 0.01",
    "tie": "the 90 % interval of the ratio lies within 3 % of 1",
    "unresolved": "none of these: the interval is narrow, but touches the zone of 1 % around 1; never ranked",
    "too noisy": "the interval is wider than the aim, no steady state was reached, or the control differs from itself; never ranked",
    "invalid": "its numbers, its threads or its steps failed a check: its times do not count",
    "indicative": "too few epochs to say (smoke): no ranking",
}

Logs = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """Two arms.

    Attributes:
        a, b: their names.
        centre: logarithm of time of a over time of b.
        half: half its 95 % interval; infinite where there are too few epochs.
        p: of no difference, after Holm's correction.
        verdict: of a: one of VERDICTS.
        epochs: samples.
        flags: what makes one cautious: "tail" (means say something else than medians), "load" (loud rounds something else than quiet ones).
    """

    a: str
    b: str
    centre: float
    half: float
    p: float
    verdict: str
    epochs: int
    flags: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Time of a over time of b."""
        return math.exp(self.centre)

    @property
    def low(self) -> float:
        """Lower end of its 95 % interval."""
        return math.exp(self.centre - self.half)

    @property
    def high(self) -> float:
        """Upper end of its 95 % interval."""
        return math.exp(self.centre + self.half)

    @property
    def proved(self) -> float:
        """The factor that is proved where a is faster or slower: the end of the interval that is nearer to 1."""
        return math.exp(abs(self.centre) - self.half)

    def turned(self) -> Pair:
        """The same two the other way round."""
        verdict = {"faster": "slower", "slower": "faster"}.get(self.verdict, self.verdict)
        return replace(self, a=self.b, b=self.a, centre=-self.centre, verdict=verdict)


@dataclass(frozen=True)
class Ranking:
    """All pairs of a session.

    Attributes:
        pairs: every two arms, once.
        tiers: arms from fast to slow; every arm of a tier is proved faster than all of the tiers behind.
        control: an arm against itself in a second process; None where there was none.
        noisy: why nothing is ranked; "" where something may be.
    """

    pairs: tuple[Pair, ...]
    tiers: tuple[tuple[str, ...], ...]
    control: Pair | None = None
    noisy: str = ""
    found: dict[tuple[str, str], Pair] = field(default_factory=dict, compare=False)

    def pair(self, a: str, b: str) -> Pair:
        """Two arms in this order."""
        pair = self.found.get((a, b))
        return pair if pair is not None else self.found[b, a].turned()


def rank(
    logs: Logs, target: float, *, twin: Logs | None = None, means: Logs | None = None, loud: Any = None, restless: Iterable[str] = ()
) -> Ranking:
    """Compare all pairs.

    Args:
        logs: arm -> log seconds of a step, `(epochs, rounds)`: the mean of its two visits; NaN where a round is void.
        target: half width that intervals should have, in logarithms.
        twin: the arm that ran twice -> the same of its second process; one entry.
        means: as `logs`, of means instead of medians.
        loud: `(epochs, rounds)`: how much else the machine did.
        restless: arms that reached no steady state.

    Raises:
        ValueError: all differences of two arms are the same to the last bit: a clock that stands still.
    """
    arms = sorted(logs, key=lambda arm: float(numpy.nanmedian(logs[arm])))
    bare = [interval(a, b, logs[a], logs[b]) for a, b in itertools.combinations(arms, 2)]
    adjusted = holm([pair.p for pair in bare])
    control = None if not twin else interval(*control_of(logs, twin))
    noisy = unlike(control)
    unsteady = set(restless)
    pairs = tuple(
        replace(
            pair, p=p, verdict=verdict(pair, p, target, bool(noisy) or bool({pair.a, pair.b} & unsteady)),
            flags=flags(pair, logs, means, loud),
        )
        for pair, p in zip(bare, adjusted, strict=True)
    )  # fmt: skip
    found = {(pair.a, pair.b): pair for pair in pairs}
    return Ranking(pairs, tiers(arms, found), control, noisy, found)


def control_of(logs: Logs, twin: Logs) -> tuple[str, str, Any, Any]:
    """The arm that ran twice, and both series."""
    ((arm, second),) = twin.items()
    return arm, f"{arm} again", logs[arm], second


def differences(a: Any, b: Any) -> Any:
    """Log-ratio of each epoch that has any: the median over its rounds."""
    with numpy.errstate(all="ignore"):
        rows = [row[numpy.isfinite(row)] for row in numpy.asarray(a, float) - numpy.asarray(b, float)]
    return numpy.array([numpy.median(row) for row in rows if len(row)])


def interval(a: str, b: str, first: Any, second: Any) -> Pair:
    """The t interval of two arms over epochs, not judged yet.

    Raises:
        ValueError: see `rank`.
    """
    from scipy import stats

    found = differences(first, second)
    count, centre = len(found), float(numpy.mean(found)) if len(found) else math.nan
    if count < LEAST:
        return Pair(a, b, centre, math.inf, 1.0, "indicative", count)
    error = float(numpy.std(found, ddof=1)) / math.sqrt(count)
    if error == 0:
        raise ValueError(f"{a} and {b}: every epoch gives the same ratio to the last bit: the clock stands still")
    half = float(stats.t.ppf(1 - ALPHA / 2, count - 1)) * error
    p = 2 * float(stats.t.sf(abs(centre) / error, count - 1))
    return Pair(a, b, centre, half, p, "", count)


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p (1979): the k-th smallest of n times n - k + 1, never falling."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    adjusted, most = [1.0] * len(values), 0.0
    for place, index in enumerate(order):
        most = max(most, min(1.0, (len(values) - place) * values[index]))
        adjusted[index] = most
    return adjusted


def verdict(pair: Pair, p: float, target: float, noisy: bool) -> str:
    """One of VERDICTS, for a pair with its corrected p."""
    if pair.epochs < LEAST:
        return "indicative"
    if noisy:
        return "too noisy"
    if p < PROOF and abs(pair.centre) - pair.half > ZONE:
        return "slower" if pair.centre > 0 else "faster"
    if abs(pair.centre) + narrower(pair) < TIE:
        return "tie"
    return "too noisy" if pair.half > target else "unresolved"


def narrower(pair: Pair) -> float:
    """Half the 90 % interval, in logarithms: what two one-sided tests at 5 % look at."""
    from scipy import stats

    freedom = pair.epochs - 1
    return pair.half * float(stats.t.ppf(1 - ALPHA, freedom) / stats.t.ppf(1 - ALPHA / 2, freedom))


def unlike(control: Pair | None) -> str:
    """Why the control forbids a ranking; "" where it does not."""
    if control is None or control.epochs < LEAST:
        return ""
    if abs(control.centre) - control.half <= ZONE and abs(control.centre) <= CONTROL:
        return ""
    interval = f"{control.ratio:.3f} [{control.low:.3f}, {control.high:.3f}]"
    return f"the control differs from itself: {control.a} in two processes, ratio {interval}"


def flags(pair: Pair, logs: Logs, means: Logs | None, loud: Any) -> tuple[str, ...]:
    """What makes one cautious about a pair."""
    found = []
    if means is not None:
        other = differences(means[pair.a], means[pair.b])
        if len(other) and abs(float(numpy.mean(other)) - pair.centre) > TAIL:
            found.append("tail")
    if loud is not None:
        sides = halves(numpy.asarray(logs[pair.a]) - numpy.asarray(logs[pair.b]), numpy.asarray(loud, float))
        if sides is not None and abs(sides[0] - sides[1]) > LOADED:
            found.append("load")
    return tuple(found)


def halves(differences: Any, loud: Any) -> tuple[float, float] | None:
    """The median log-ratio of the quiet half of the rounds and of the loud half; None where all are alike."""
    known = numpy.isfinite(differences) & numpy.isfinite(loud)
    found, noise = differences[known], loud[known]
    if not len(found) or noise.min() == noise.max():
        return None
    quiet = noise <= numpy.median(noise)
    if quiet.all():
        return None
    return float(numpy.median(found[quiet])), float(numpy.median(found[~quiet]))


def tiers(arms: Sequence[str], found: Mapping[tuple[str, str], Pair]) -> tuple[tuple[str, ...], ...]:
    """Arms from fast to slow, cut where every arm before is proved faster than every arm behind."""
    cuts = [
        place
        for place in range(1, len(arms))
        if all(found[a, b].verdict == "faster" for a in arms[:place] for b in arms[place:])
    ]
    return tuple(tuple(arms[start:end]) for start, end in itertools.pairwise([0, *cuts, len(arms)]))


def settled(ranking: Ranking, target: float) -> bool:
    """Whether more epochs would change nothing that matters: the control is like itself, and every pair is decided, or as narrow as aimed
    at. The look is on widths, never on significance (Chow & Robbins 1965)."""
    decided = (pair.verdict in ("faster", "slower", "tie") or pair.half <= target for pair in ranking.pairs)
    return not ranking.noisy and all(decided)
