"""Committed tables hold when they are run again, and no number in them can be wrong unseen."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from harness.execution.plan import plan
from harness.reproduction import cells, reference
from tests.conftest import ROOT, Command

REFERENCE = ROOT / "results" / "reference"


#: dense nets, one with dropout, and one graph; all of them, which takes many minutes: python -m harness reproduce --all
QUICK = ("digits-dropout", "digits-mlp", "perceptron-and", "wide-and-deep", "xor")


def test_they_hold(harness: Command) -> None:
    """Every committed number is bitwise equal or within rounding on this machine."""
    found = harness("reproduce", *QUICK, "--no-timings", "--json", "--quiet")
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr
    judged = json.loads(found.stdout)["references"]
    assert {item["verdict"] for item in judged} == {"holds"}
    assert [item["reference"] for item in judged] == list(QUICK)
    assert sum(len(item["cells"]) for item in judged) > 1500


def test_every_one_can_be_run_again() -> None:
    """Each stands for itself: what it was made of lies beside it, as it was."""
    for path in (ROOT / "experiments").glob("*.toml"):
        committed = reference.read(REFERENCE / path.stem)
        assert committed.edited == []
        assert plan(committed.experiment).spec == plan(path).spec


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a copy of one reference."""
    results = tmp_path_factory.mktemp("copied")
    shutil.copytree(REFERENCE / "xor", results / "reference" / "xor")
    return results


def change(path: Path, factor: float, row: int, column: str) -> tuple[str, str]:
    """Multiply one number of a CSV; what it was and what it is."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    old = rows[row][column]
    rows[row][column] = repr(float(old) * factor)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return old, rows[row][column]


def renew_checksums(folder: Path) -> None:
    """Make an edit look original, so that only the judge can see it."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {name: reference.checksum(folder / name) for name in reference.FILES}
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("table", ["losses", "tensors", "metrics"])
def test_one_percent_is_seen_by_the_judge(harness: Command, copied: Path, table: str) -> None:
    """A number changed by 1 %, its checksum made to fit, is called changed; exit code 1; nothing else is."""
    folder = copied / "reference" / "xor"
    shutil.copytree(REFERENCE / "xor", folder, dirs_exist_ok=True)
    old, new = change(folder / f"{table}.csv", 1.01, 1, "torch")
    renew_checksums(folder)
    found = harness("reproduce", "xor", "--results", copied, "--no-timings", "--json", "--quiet", "--arm", "numpy,torch")
    assert found.returncode == 1, found.stderr
    changed = [cell for cell in json.loads(found.stdout)["references"][0]["cells"] if cell["state"] == "changed"]
    assert [(cell["table"], cell["arm"], cell["committed"]) for cell in changed] == [(table, "torch", float(new))]
    assert changed[0]["found"] == pytest.approx(float(old), rel=1e-3)


@pytest.mark.parametrize("table", list(cells.KEYS))
def test_any_edit_is_seen(harness: Command, copied: Path, table: str) -> None:
    """Any number of any table, also one that is only reported or that rounding could move by 1 %, is seen: by the file's checksum."""
    folder = copied / "reference" / "xor"
    shutil.copytree(REFERENCE / "xor", folder, dirs_exist_ok=True)
    change(folder / f"{table}.csv", 1.01, 0, "numpy")
    found = harness("reproduce", "xor", "--results", copied, "--no-timings", "--quiet", "--arm", "numpy")
    assert found.returncode == 1, found.stdout
    assert f"edited since it was written: {table}.csv" in found.stdout


def test_versions_that_changed_come_first(harness: Command, copied: Path) -> None:
    """Another version than the committed one is said before any number."""
    folder = copied / "reference" / "xor"
    shutil.copytree(REFERENCE / "xor", folder, dirs_exist_ok=True)
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"torch": "2.13.0', '"torch": "2.12.9'))
    found = harness("reproduce", "xor", "--results", copied, "--no-timings", "--quiet", "--arm", "torch")
    assert found.returncode == 0, found.stdout
    lines = found.stdout.splitlines()
    assert lines[0] == "xor: holds"
    assert lines[1].startswith("  version changed: torch: torch 2.12.9")


def test_unknown_and_damaged(harness: Command, copied: Path) -> None:
    """A reference that is not there, or is damaged, is one line and exit code 2."""
    found = harness("reproduce", "nothing")
    assert found.returncode == 2
    assert 'no reference "nothing"' in found.stderr
    folder = copied / "reference" / "broken"
    shutil.copytree(REFERENCE / "xor", folder, dirs_exist_ok=True)
    (folder / "losses.csv").write_bytes(b"\x00\xff")
    found = harness("reproduce", "broken", "--results", copied)
    shutil.rmtree(folder)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
