"""What stands in the tables of costs."""

from __future__ import annotations

from collections.abc import Mapping

TIMINGS = [
    "arm", "variant", "tier", "import_s", "build_s", "compile_s", "compile_again_s", "first_step_s", "first_loss_s", "step_us",
    "step_p95_us", "ratio", "low", "high", "verdict", "samples_per_s", "gflops", "of_peak", "break_even_steps", "busy_threads", "cores",
    "idle", "steady",
]  # fmt: skip
WORKS = ["arm", "work", "us", "ratio", "low", "high", "verdict", "samples_per_s"]
MEMORY = ["arm", "after_import_mib", "build_mib", "compile_mib", "train_mib", "inference_mib", "peak_mib"]
PAIRS = ["variant", "a", "b", "ratio", "low", "high", "p", "verdict", "proved", "epochs", "flags"]

#: column -> what it is
COLUMNS: Mapping[str, str] = {
    "import_s": "seconds from before the first import of the framework to after the last one, in a fresh process whose files lie in the "
    "disk's cache",
    "build_s": "seconds to make model and optimizer and to set the first weights; no step is run",
    "compile_s": "seconds to trace, lower and compile ahead of the first step, in the first epoch; nothing where there is no such stage",
    "compile_again_s": "the same in later epochs: what was compiled before may lie on the disk (PyTorch's Inductor keeps it for the run)",
    "first_step_s": "seconds of the first training step, behind the compilation, until its loss is read",
    "first_loss_s": "import, build, compilation and first step together: what one waits",
    "step_us": "microseconds of a training step whose loss is read, from batches that lie on the device: the median over epochs of the "
    "median over blocks of the median step",
    "step_p95_us": "microseconds that 95 % of the steps of an epoch do not exceed, median over epochs; never ranked: on a shared machine "
    "it tells of the neighbours",
    "ratio": "step time over that of the base arm: the mean over epochs of the median over rounds of the log-ratio of what was visited in "
    "the same round",
    "low": "lower end of the ratio's 95 % interval, by t over epochs",
    "high": "upper end of the ratio's 95 % interval, by t over epochs",
    "tier": "place among the arms: every arm of a tier is proved faster than every arm of the tiers behind",
    "samples_per_s": "rows in a second: the batch over the median step",
    "gflops": "10^9 floating-point operations in a second: those of a step, counted from the experiment and the same for all arms, over "
    "its time",
    "of_peak": "the same over the rate of a large matrix product on the same threads, measured in the same epochs",
    "break_even_steps": "steps after which a compiled mode has won back its compilation against the plain mode of the same backend",
    "busy_threads": "threads that computed for more than 5 % of the warm-up",
    "cores": "CPU seconds in a second of the warm-up: more than the threads allowed, and the arm's times are invalid",
    "idle": "CPU seconds in a second that the process burns when nobody asks it",
    "steady": "whether two windows of the warm-up were alike; where it is not in most epochs, the arm is not ranked",
    "throughput": "microseconds of a step of which only every 16th loss is read: the framework may run ahead, scan or loop",
    "fed": "microseconds of a step that makes its batch native first, from numpy",
    "inference": "microseconds to predict all test rows (training rows where there are none)",
    "inference_1": "microseconds to predict one row",
    "after_import_mib": "resident MiB after the import",
    "build_mib": "largest resident MiB while it was built",
    "compile_mib": "largest resident MiB while it was compiled and took its first step",
    "train_mib": "largest resident MiB while it trained",
    "inference_mib": "largest resident MiB while it predicted",
    "peak_mib": "largest resident MiB of all",
}
