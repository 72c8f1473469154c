"""An experiment together with the text that it came from, so that later problems have their place too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.spec import Experiment, SpecProblem

from .changes import NAME, Change
from .places import Entry, Span, Trail, find
from .problem import Finding, Problem, SpecError


class Spot(NamedTuple):
    """A place, and the `--set` it stands in; 0 is the file itself."""

    change: int
    entry: Entry


@dataclass(frozen=True)
class Origin:
    """Where an experiment came from: a file and changes of it, or a mapping, which has a name only."""

    name: str
    text: str | None = None
    changes: tuple[str, ...] = ()
    spots: Mapping[Trail, Spot] = field(default_factory=dict)

    @classmethod
    def of_file(cls, name: str, text: str, changes: Sequence[tuple[Change, Trail]]) -> Origin:
        """A file's text and the changes that were made."""
        spots = {trail: Spot(0, entry) for trail, entry in find(text).items()}
        for number, (change, trail) in enumerate(changes, start=1):
            for old in [old for old in spots if old[: len(trail)] == trail]:
                del spots[old]
            for inner, entry in change.places.items():
                place = trail[: len(inner)] if len(inner) <= len(trail) else trail + inner[len(trail) :]
                spots.setdefault(place, Spot(number, entry))
        return cls(name, text, tuple(change.text for change, _ in changes), spots)

    def error(self, findings: Iterable[Finding]) -> SpecError:
        """All findings in the order of the file."""
        return SpecError([self.locate(finding) for finding in sorted(findings, key=self.order)], self.name)

    def order(self, finding: Finding) -> tuple[int, int]:
        """By place; what has none comes first."""
        spot = self.spot(finding.trail)
        return (spot.change, self.span(spot, finding.at_key).start) if spot else (0, -1)

    def spot(self, trail: Trail) -> Spot | None:
        """The place of a trail, or of the nearest thing that holds it."""
        while trail and trail not in self.spots:
            trail = trail[:-1]
        return self.spots.get(trail)

    def span(self, spot: Spot, at_key: bool) -> Span:
        """The piece of text to mark: the key where that is wrong, or where the value goes over several lines."""
        key, value = spot.entry
        return key if at_key or "\n" in self.text_of(spot)[value.start : value.end] else value

    def text_of(self, spot: Spot) -> str:
        """The text that a place stands in."""
        return self.changes[spot.change - 1] if spot.change else self.text or ""

    def locate(self, finding: Finding) -> Problem:
        """A finding with its place."""
        trail, code, message, hint, at_key = finding
        spot = self.spot(trail)
        if spot is None:
            where = f"{self.name}:{'.'.join(map(str, trail))}" if trail and self.text is None else self.name
            return Problem(where, 0 if self.text is None else 1, 1, 1, code, message, hint)
        text, span = self.text_of(spot), self.span(spot, at_key)
        start = text.rfind("\n", 0, span.start) + 1
        source = text[start:].partition("\n")[0]
        end = min(span.end - start, len(source)) + 1
        line = 0 if spot.change else text.count("\n", 0, start) + 1
        return Problem(NAME if spot.change else self.name, line, span.start - start + 1, end, code, message, hint, source)


@dataclass(frozen=True)
class Source:
    """An experiment and where it came from."""

    path: Path
    text: str
    experiment: Experiment
    #: the `--set` changes that were made, as they were given
    changes: tuple[str, ...]
    origin: Origin
    #: the experiment as it was written, the changes made in it: what it states
    tree: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, problem: SpecProblem) -> Problem:
        """A problem that was found later, with its place in the file: of the thing itself, or of the nearest that holds it."""
        trail = tuple(part if isinstance(part, int) else str(part) for part in problem.path)
        return self.origin.locate(Finding(trail, problem.code, problem.message, problem.hint))

    def error(self, problem: SpecProblem) -> SpecError:
        """The same as an error to raise."""
        return SpecError([self.problem(problem)], self.origin.name)
