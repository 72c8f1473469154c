"""The report page: complete and linked without scripts, alive with them, and silent on the network. Looked at in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, Command
from .pages import Page, Seen

#: an experiment whose name, text and keys try to be HTML
HOSTILE = """
name = "hostile"
description = "<script>alert('1')</script> & <b>bold</b> </script>"  # <img src=x onerror=alert(2)>
[data]
type = "xor"
[model]
layers = [
  { type = "dense", units = 3, activation = "tanh" },
  { type = "residual", layers = [{ type = "dense", units = 3 }] },
  { type = "dense", units = 2 },
]
[train]
loss = "mse"
optimizer = { type = "sgd", learning_rate = 0.1 }
steps = 12
[compare]
arms = ["numpy", "torch", "autograd"]
"""
FIGURES = {"loss", "distance", "time", "memory"}


@pytest.fixture(scope="module")
def report(harness: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a timed run of two arms, with a third that is missing."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "hostile.toml").write_text(HOSTILE, "utf-8")
    done = harness("run", folder / "hostile.toml", "-q", "--results", folder)
    assert done.returncode in (0, 3), done.stderr
    done = harness("report", "--results", folder, "--figures", folder / "figures")
    assert done.returncode == 0, done.stderr
    assert {path.name.rpartition("-")[2] for path in (folder / "figures").iterdir()} == {f"{key}.svg" for key in (*FIGURES, "heat")}
    return Path(done.stdout.strip())


def test_the_page_is_whole_without_scripts(report: Path) -> None:
    """Every id is unique, every link resolves, nothing is loaded, every figure is drawn; text from files stays text."""
    text = report.read_text("utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert page.loaded == []
    assert set(page.ids) >= FIGURES
    assert "gradient-torch-dense_1-kernel-0" in page.ids
    assert len(re.findall(r'<svg role="img" aria-label="[^"]+"', text)) == len(FIGURES)
    assert not {"img", "b"} & set(page.tags)
    assert "&lt;script&gt;alert(&#39;1&#39;)" in text
    for words in ("2 of 3 arms agree", "its environment is not created", "residual_1/add", "python -m harness run"):
        assert words in text, words


def test_figures_hold_the_run(report: Path) -> None:
    """What is drawn is what was measured: every loss of every step is in the figure."""
    from harness import load

    run = load(report.parent)
    specifications = re.findall(r'class="specification">(.*?)</script>', report.read_text("utf-8"))
    drawn = [row for data in json.loads(specifications[0])["datasets"].values() for row in data if "worst" in row]
    for arm in ("numpy", "torch"):
        losses = run.losses[run.losses["arm"] == arm]["loss"].tolist()
        assert sorted({row["step"]: row["loss"] for row in drawn if row["arm"] == arm}.items()) == list(enumerate(losses))


def test_the_page_lives(browser: Any, report: Path) -> None:
    """Arms are hidden in figures and tables at once, which the address keeps; the theme turns; nothing is asked of a network."""
    seen = Seen(browser, report)
    seen.alive()
    colour = "getComputedStyle(document.body).backgroundColor"
    before = seen(colour)
    seen.page.click("#theme")
    assert seen(colour) != before
    marks = "document.querySelectorAll('#loss svg [aria-roledescription=\"line mark\"]').length"
    lines = seen(marks)
    seen.page.uncheck(".chip input[value=torch]")
    seen.page.wait_for_function(f"{marks} === {lines - 1}")
    assert seen("[...document.querySelectorAll('tr[data-arm=torch]')].every(row => row.hidden)")
    assert seen("[...document.querySelectorAll('tr[data-arm=numpy]')].some(row => !row.hidden)")
    assert seen("location.search") == "?hide=torch"
    assert (seen.said, len(seen.asked)) == ([], 1)
    again = Seen(browser, report, "?hide=torch")
    again.alive()
    assert not again("document.querySelector('.chip input[value=torch]').checked")


def test_a_cell_can_be_sent(browser: Any, report: Path) -> None:
    """A link to a number shows it, with scripts and without."""
    anchor = "gradient-torch-dense_1-kernel-0"
    for scripts in (True, False):
        seen = Seen(browser, report, f"#{anchor}", java_script_enabled=scripts)
        if scripts:
            seen.alive()
        box = seen.page.locator(f"[id='{anchor}']").bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= 900


def test_it_fits_a_phone(browser: Any, report: Path) -> None:
    """Nothing but its own box is wider than the page; without scripts every figure is there."""
    seen = Seen(browser, report, color_scheme="dark")
    seen.alive()
    seen.page.set_viewport_size({"width": 400, "height": 800})
    assert seen("document.documentElement.scrollWidth") <= 400
    plain = Seen(browser, report, java_script_enabled=False)
    assert plain.page.locator("figure svg").count() == len(FIGURES)
    assert not plain.page.locator(".tools").is_visible()


def test_what_cannot_be_reported_is_said(harness: Command, tmp_path: Path) -> None:
    """One clear error."""
    assert harness("report", "nothing", "--results", tmp_path).stderr.startswith('error: there is no run "nothing"')
    two = harness("report", "a", "b", "-o", tmp_path / "page.html")
    assert (two.returncode, two.stderr.splitlines()[0]) == (2, "error: --output is the file of one page")
    without = harness("report", env={"PYTHONPATH": f"{tmp_path / 'without'}:{ROOT}"}) if blocked(tmp_path / "without") else None
    assert without is not None
    assert (without.returncode, "pip install -e '.[report]'" in without.stderr) == (2, True)


def blocked(folder: Path) -> bool:
    """A folder that hides Altair from a process that has it first on its path."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\nu.find_spec = lambda name, *a: None if name == 'altair' else found(name, *a)\n"
    )
    return True
