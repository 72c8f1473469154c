"""What is timed of an arm: which work, with whose dropout."""

from __future__ import annotations

from ..spec import ProgramSpec
from .presets import Preset

#: work, variant
Work = tuple[str, str]

#: variants: nothing is drawn; dropout and noise as the harness draws them; the framework's own
PLAIN, MASKS, NATIVE = "plain", "masks", "native"
#: beside the training step: see harness.worker.timing
OTHERS = ("throughput", "fed", "inference", "inference_1")


def works(spec: ProgramSpec, preset: Preset) -> dict[Work, int]:
    """Every work with its rounds in an epoch, the training step with given masks first; the others as people train, with the framework's
    own dropout."""
    own = NATIVE if spec.random_nodes else PLAIN
    steps = dict.fromkeys([("step", MASKS), ("step", NATIVE)] if spec.random_nodes else [("step", PLAIN)], preset.rounds)
    return {**steps, **{(work, own): preset.others for work in OTHERS}}
