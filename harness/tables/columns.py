"""What stands in the tables."""

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
    "variant": "whose dropout is timed: given masks (masks), or the framework's own (native); plain where there is none",
    "time": "step time over that of the first version, of one run each",
    "memory": "peak memory over that of the first version",
}

#: the same of the tables of agreement
AGREEMENT_COLUMNS: Mapping[str, str] = {
    "arm": "what is compared: backend[:mode][@environment]; `list arms` shows them",
    "verdict": "what a comparison concludes, from a closed list: `explain agrees`, `explain semantic`, ...",
    "form": "the formula that the framework fixes where several mean something else by one word; the arm is judged in its own",
    "first_difference": "the first forced step (or probe) and the first tensor that is off by more than rounding",
    "gradient_error": "the largest relative error of any parameter's gradient, over the steps that start from the reference's state: the "
    "length of the difference over the length of the reference's gradient",
    "floor_ratio": "the largest error of any tensor over its floor",
    "final_loss": "loss of the last step of the free training",
    "metric": "accuracy, r2, ... on the test rows at the end; on the training rows where there are no test rows",
    "reason": "why an arm failed, is missing or is unsupported",
    "loss": "loss of a step of the free training, in which every arm goes its own way from the same first weights",
    "reference": "the loss of the float64 reference in the same step, in the arm's form",
    "gap": "relative distance of an arm's loss from the reference's",
    "envelope": "the largest gap of replicas of the reference that differ in nothing but their roundings",
    "tensor": "a loss, an output, a gradient or an update, by the name of its layer",
    "norm": "length of a tensor",
    "error": "length of the difference between an arm's tensor and the reference's, over the length of the reference's",
    "floor": "how far rounding alone moves a tensor: the root mean square of the errors of replicas of the reference that round otherwise",
    "ceiling": "the furthest that any replica comes, those with sequential sums included",
    "seen_from": "the smallest relative error of a gradient that would have been called a difference",
    "probe": "a step that training does not bring, forced on purpose: `explain ties`, ...",
    "moved": "relative distance of the final loss from that of the first run",
    "allowed": "how far rounding may move a committed number",
    "committed": "the number in results/reference",
    "found": "the same number, made anew",
    "parts_at": "the step from which on two versions' losses are no longer the same",
    "loss_moved": "largest relative distance of a version's losses from those of the first version",
    "parameters_moved": "the same of the parameters at the end",
    "first_step_ms": "milliseconds of the first training step, behind the compilation, until its loss is read",
}
#: what stands above columns, where it is not their name
HEADS: Mapping[str, str] = {
    "largest gradient error": "gradient_error", "x floor": "floor_ratio", "seen from": "seen_from", "95 % interval": "low",
    "p95 us": "step_p95_us", "rows/s": "samples_per_s", "GFLOP/s": "gflops", "% of peak": "of_peak", "interval": "low",
    "dropout": "variant", "breaks even after": "break_even_steps", "until first loss s": "first_loss_s",
    "MiB after import": "after_import_mib",
    "MiB peak": "peak_mib", "training": "train_mib", "inference": "inference_mib", "loss moved by": "moved", "step, unread": "throughput",
    "step, fed": "fed", "all test rows": "inference", "one row": "inference_1", "losses part at": "parts_at",
    "parameters moved by": "parameters_moved", "time x": "time", "memory x": "memory", "x ceiling": "ceiling",
}  # fmt: skip
