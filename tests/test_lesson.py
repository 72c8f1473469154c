"""The lesson does what it says: each page is followed from top to bottom in a process of its own, its figures are of today's code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import pairwise

import click
import pytest

from harness.cli import harness as program
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "docs" / "lesson"))

from figures import FIGURES, stale
from follow import FOLDER, PAGES, WentWrong, blocks, masked, renewed


def text(page: str) -> str:
    """A page."""
    return (FOLDER / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(text(page))])
def test_page_prints_what_it_shows(page: str) -> None:
    """Every block of a page runs, and prints what stands below it."""
    found = subprocess.run([sys.executable, "docs/lesson/follow.py", page], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_slow_commands_are_commands() -> None:
    """What is not run here has at least names, flags and files that exist."""
    program_context = click.Context(program)
    told = 0
    for page in PAGES:
        for block in blocks(text(page)):
            for line in block.code.splitlines() if block.slow else ():
                words = shlex.split(line.partition(" > ")[0], comments=True)
                if words[:3] == ["python", "-m", "harness"]:
                    command = program.get_command(program_context, words[3])
                    assert command is not None, line
                    command.make_context(words[3], [word for word in words[4:] if word not in ("|", "head", "-5")])
                    told += 1
    assert told > 8


def test_output_that_changed_is_told() -> None:
    """A page's text is compared to the letter, a command's with its numbers masked; what stands between `...` has to be there in order."""
    assert masked("| torch | agrees |  1.2e-07 |") == masked("| torch | agrees | 3 |")
    assert masked("| torch | agrees | 1 |") != masked("| torch | differs | 1 |")
    assert renewed("...\nb 1\n...\n", "a\nb 2\nc\n", exact=False) == "...\nb 2\n...\n"
    with pytest.raises(WentWrong, match="b 1"):
        renewed("...\nb 1\n...\n", "a\nb 2\nc\n", exact=True)
    with pytest.raises(WentWrong, match="c"):
        renewed("...\nb\n...\na\n...\n", "a\nb\nc\n", exact=True)


def test_pages_up_to_the_frameworks_need_numpy_alone() -> None:
    """Pages 1 to 6 import nothing but numpy and the standard library."""
    for page in PAGES:
        if page[:2] < "07":
            code = "".join(block.code for block in blocks(text(page)) if block.kind == "python")
            assert set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)) <= {"numpy", "csv"}, page


def test_figures_are_of_todays_code_and_tables() -> None:
    """Each picture names what it was drawn from; pages show all of them and no other."""
    assert stale() == []
    shown = {name for page in PAGES for name in re.findall(r"\]\(figures/(\w+)\.svg\)", text(page))}
    assert shown == set(FIGURES) == {path.stem for path in (FOLDER / "figures").glob("*.svg")}


def test_links_lead_somewhere() -> None:
    """Every relative link is a file, and each page is led to from the one before."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", text(page)):
            assert "://" in link or (FOLDER / link).exists(), f"{page}: {link}"
    numbered = [page for page in PAGES if page[0].isdigit()]
    for page, following in pairwise(numbered):
        assert f"]({following})" in text(page)
        assert f"]({following})" in text("README.md")
