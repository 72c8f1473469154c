"""One arm's outcome in one run, complete in itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = "harness.record/1"


@dataclass
class Record:
    """What a run keeps of one arm, or of the reference in one set of forms.

    Attributes:
        arm: its name; `reference`, with its forms in brackets where there are any, for the reference.
        status: `ok`, or what went wrong in a word: missing, unsupported, refused, failed, crashed, killed, timed out, out of memory,
            diverged, interrupted.
        reason: why, in a sentence; "" where it is ok.
        facts: versions, forms, fingerprints, the verdict and the medians, as JSON.
        losses: loss of each step of the free pass.
        envelope: of the reference, by step, how far rounding alone carries the loss of a free training; shorter where that would take long.
        metrics: rows of step, split, metric, value.
        agreement: rows of step, kind, tensor, norm, reference, error, floor, ceiling, ratio, verdict.
        probes: the same of the directed probes, whose names stand in place of the step.
        blocks: rows of variant, round, position, ns (the raw step times of a timed block).
        final: file with the final state, until it is saved.
    """

    arm: str
    status: str = "ok"
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    envelope: list[float] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    final: Path | None = None

    def timed(self, epochs: list[dict[str, Any]], blocks: list[dict[str, Any]], failure: tuple[str, str] | None) -> None:
        """Take in what the timing lane found: facts of each launch, blocks, and (status, reason) where it failed."""
        self.facts["timing"], self.blocks = {"epochs": epochs}, blocks
        if failure is not None:
            self.status, self.reason = failure[0], f"while it was timed: {failure[1]}"

    @property
    def version(self) -> str:
        """The version of its framework, which an adapter gives under the backend's own name."""
        return str((self.facts.get("versions") or {}).get(self.facts.get("backend"), ""))

    @property
    def is_reference(self) -> bool:
        """Whether this is the reference's own record."""
        return self.arm.startswith("reference")
