"""What the documents say is so: generated parts are up to date, code blocks run, pictures are of the committed tables."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def module(path: Path) -> ModuleType:
    """A module by its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_generated_parts_are_up_to_date() -> None:
    """`python docs/generate.py --check` finds nothing to write."""
    found = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_picture_is_of_the_committed_tables() -> None:
    """The picture names the fingerprint of the tables that it was drawn from."""
    picture = module(ROOT / "docs" / "picture.py")
    assert f"fingerprint {picture.fingerprint()}" in (ROOT / "docs" / "digits-mlp.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_of_the_readme_runs(block: str) -> None:
    """Every Python block runs as it stands."""
    found = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_experiment_of_the_readme_is_the_shipped_one() -> None:
    """The experiment that the README shows is checked, and computes what experiments/xor.toml computes."""
    from harness.execution.plan import plan

    shown = re.findall(r"```toml\n(name = .*?)```", README, re.DOTALL)[0]
    (ROOT / "results" / "runs").mkdir(parents=True, exist_ok=True)
    path = ROOT / "results" / "runs" / "readme.toml"
    path.write_text(shown, encoding="utf-8")
    try:
        assert plan(path).spec == plan(ROOT / "experiments" / "xor.toml").spec
        assert plan(path).steps == plan(ROOT / "experiments" / "xor.toml").steps
    finally:
        path.unlink()


def test_links_lead_somewhere() -> None:
    """Every relative link in the documents is a file."""
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/reference.md", "docs/frameworks.md", "results/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in link:
                assert (ROOT / name).parent.joinpath(link).exists(), f"{name}: {link}"


def test_every_experiment_has_a_reference() -> None:
    """Every shipped experiment is committed as a reference, of the experiment as it stands."""
    for path in (ROOT / "experiments").glob("*.toml"):
        committed = ROOT / "results" / "reference" / path.stem / "experiment.toml"
        assert committed.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
