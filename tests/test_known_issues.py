"""Issues of today's releases are found, located and, where there is a name for them, named; what was reported and is none is not accused.
What is expected is the table in experiments/known-issues/README.md, and every row of it is."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from harness.tables.run import Run, load

from .conftest import ROOT, Command

FOLDER = ROOT / "experiments" / "known-issues"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
#: experiment -> words of the command
COMMANDS = {
    found[2]: found[1].split() for found in re.finditer(r"^python -m harness (run \S+/(\S+)\.toml.*)$", README, re.MULTILINE)
}
COLUMNS = ("issue", "experiment", "arm", "says", "where", "off by", "cause", "upstream")
#: what needs an environment of its own, and what depends on the CPU
ELSEWHERE, ON_AVX2 = "jax-0.10.2", "torch-strided-convolution"
HERE = sorted(set(COMMANDS) - {ELSEWHERE, ON_AVX2})
#: what a directed probe shows and no step of the training
PROBED = "torch-group-normalization"

Row = dict[str, str]


def expected(experiment: str) -> list[Row]:
    """The rows of the table about an experiment."""
    table = README.partition("\n## ")[0].splitlines()
    lines = [line.strip().strip("|").split("|") for line in table if line.startswith("|")][2:]
    rows = [dict(zip(COLUMNS, (cell.strip(" `") for cell in line), strict=True)) for line in lines]
    return [row for row in rows if row["experiment"] == experiment]


def found(run: Run) -> list[Row]:
    """What a run says, in rows like those of the table: one for every node that is wrong, or one for an arm that agrees or failed."""
    rows = []
    for record in run.arms:
        says = str(record.facts["verdict"]) if record.status == "ok" else record.status
        entries = record.facts.get("located") or []
        if not entries:
            rows.append({"arm": record.arm, "says": says, "where": "", "off by": "", "cause": ""})
        for entry in entries:
            worst, cause = entry["tensors"][0], entry["cause"]
            kind, _, tensor = worst["tensor"].partition("/")
            step = entry["step"]
            at = record.agreement if isinstance(step, int) else [{**row, "step": row["probe"]} for row in record.probes]
            words = {row["verdict"] for row in at if (row["step"], row["kind"], row["tensor"]) == (step, kind, tensor)}
            rows.append({
                "arm": record.arm, "says": " ".join(words), "where": worst["tensor"], "off by": f"{worst['error']:.1e}",
                "cause": cause["text"] if cause else "none found",
            })  # fmt: skip
    return rows


def run_of(harness: Command, experiment: str, folder: Path) -> tuple[Run, dict[str, Any]]:
    """The command of the README, in a process of its own, and its one document; without what it needs not, to be short."""
    short = ["--no-timings"] if experiment == PROBED else ["--no-timings", "--no-probes"]
    done = harness(*COMMANDS[experiment], *short, "--json", "--quiet", "--results", folder)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"], done.stderr
    return load(document["manifest"]["id"], folder), document


def magnitude(number: str) -> int:
    """The power of ten that a number is closest to; those of other processors round otherwise."""
    return round(math.log10(float(number))) if number else 0


@pytest.mark.parametrize("experiment", HERE)
def test_what_the_readme_says(harness: Command, tmp_path: Path, experiment: str) -> None:
    """Words, places and causes as they stand, errors to the nearest power of ten or its neighbour; nobody else is accused."""
    run, document = run_of(harness, experiment, tmp_path)
    rows, wanted = found(run), expected(experiment)
    told = ("arm", "says", "where", "cause")
    assert [[row[name] for name in told] for row in rows] == [[row[name] for name in told] for row in wanted]
    for row, other in zip(rows, wanted, strict=True):
        assert abs(magnitude(row["off by"]) - magnitude(other["off by"])) <= 1, row
    undecided = {row["arm"] for row in rows if row["says"] == "undecided"}
    assert {record.arm for record in run.arms if "no_float64" in record.facts} == undecided
    assert document["exit_code"] == any(row["says"] != "agrees" for row in rows)
    assert not any(record.facts.get("faults") for record in run.arms)


def test_strided_windows_of_one_number(harness: Command, tmp_path: Path) -> None:
    """What comes of writing beyond a memory is no law: the arm ends, hangs, or is wrong at that convolution and nowhere else."""
    flags = Path("/proc/cpuinfo")
    if not flags.exists() or "avx2" not in flags.read_text(encoding="utf-8"):
        pytest.skip("oneDNN takes this path where the processor has AVX2")
    run, _ = run_of(harness, ON_AVX2, tmp_path)
    (row,), (wanted,) = found(run), expected(ON_AVX2)
    assert row["says"] in (wanted["says"], "timed out") or row["where"] == "gradients/conv2d_2/kernel", row
    assert row["says"] != "crashed" or "signal" in run.arms[0].reason


@pytest.mark.environments
def test_a_faulty_version_is_called_that(harness: Command, tmp_path: Path) -> None:
    """jaxlib 0.10.2 is right here, and wrong elsewhere: the exit code is 1, and the reason is said of that arm alone."""
    run, document = run_of(harness, ELSEWHERE, tmp_path)
    assert [row["says"] for row in found(run)] == ["agrees", "agrees"]
    (wanted,) = expected(ELSEWHERE)
    assert [bool(record.facts["faults"]) for record in run.arms] == [False, True]
    assert wanted["cause"] in run.arms[1].facts["faults"][0]
    assert document["exit_code"] == 1


def test_the_table_is_whole() -> None:
    """Every experiment of the folder stands in it with a command; every row has a link, or says that there is no thread; every mode is
    explained where it is declared."""
    experiments = {path.stem for path in FOLDER.glob("*.toml")}
    assert set(COMMANDS) == experiments
    for name in experiments:
        rows = expected(name)
        assert rows, name
        assert all("https://github.com/" in row["upstream"] or row["upstream"] == "no thread found" for row in rows)
    for path in FOLDER.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        docstring = text.split('"""')[1]
        modes = re.findall(r'^ +"(\w+)": \{|"(\w+)": \{\}', text, re.MULTILINE)
        assert all(f"\n    {one or other} " in docstring for one, other in modes if one or other), path
