"""What is timed of an arm: which work, with whose dropout."""

from __future__ import annotations

from ..spec import ProgramSpec
from .engine import Work
from .presets import Preset

#: variants: nothing is drawn; dropout and noise as the harness draws them; the framework's own
PLAIN, MASKS, NATIVE = "plain", "masks", "native"
#: beside the training step: see harness.worker.timing
OTHERS = ("throughput", "fed", "inference", "inference_1")


def works(spec: ProgramSpec, preset: Preset, point: int = 0) -> dict[Work, int]:
    """Every work of a program with its rounds in an epoch, the training step with given masks first; the others as people train, with the
    framework's own dropout."""
    own = NATIVE if spec.random_nodes else PLAIN
    steps = [Work("step", variant, point) for variant in ([MASKS, NATIVE] if spec.random_nodes else [PLAIN])]
    others = [Work(name, own, point) for name in OTHERS] if preset.others else []
    return {**dict.fromkeys(steps, preset.rounds), **dict.fromkeys(others, preset.others)}
