"""The report page: complete and linked without scripts, alive with them, and silent on the network. Looked at in a real browser."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import Record
from harness.report.curves import MOST, curves
from harness.report.run import run_page
from harness.tables import Run

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
    assert page.headings[0] == 1
    assert max(after - before for before, after in itertools.pairwise(page.headings)) == 1
    assert not re.search(r"url\(|@import|<link|src=", text.partition("</style>")[0])
    assert set(page.ids) >= FIGURES
    assert "gradient-torch-dense_1-kernel-0" in page.ids
    assert page.roles.count("svg img") == len(FIGURES)
    assert len(re.findall(r"<svg [^>]+><title id=[^>]+>[^<]+</title><desc id=[^>]+>[^<]+</desc>", text)) == len(FIGURES)
    assert not {"img", "b"} & set(page.tags)
    assert "&lt;script&gt;alert(&#39;1&#39;)" in text
    for words in ("2 of 3 arms agree", "autograd: missing: its environment is not created", "residual_1/add", "python -m harness run"):
        assert words in text, words


def test_figures_hold_the_run(report: Path) -> None:
    """What is drawn is what was measured: every loss of every step is in the figure."""
    from harness import load

    run = load(report.parent)
    specifications = re.findall(r'class="specification">(.*?)</script>', report.read_text("utf-8"))
    drawn = [row for data in json.loads(specifications[0])["datasets"].values() for row in data if "loss" in row]
    for arm in ("numpy", "torch"):
        losses = run.losses[run.losses["arm"] == arm]["loss"].tolist()
        assert sorted({row["step"]: row["loss"] for row in drawn if row["arm"] == arm}.items()) == list(enumerate(losses))


def test_the_page_lives(browser: Any, report: Path) -> None:
    """Arms are hidden in figures and tables at once, which the address keeps; the theme turns; nothing is asked of a network."""
    from playwright.sync_api import expect

    seen = Seen(browser, report)
    seen.alive()
    colour = "getComputedStyle(document.body).backgroundColor"
    before = seen(colour)
    seen.page.click("#theme")
    assert seen(colour) != before
    marks = seen.page.locator("#loss svg [aria-roledescription='line mark']")
    lines = marks.count()
    seen.page.uncheck(".chip input[value=torch]")
    expect(marks).to_have_count(lines - 1)
    assert seen("[...document.querySelectorAll('[data-arm=torch]')].every(each => each.hidden)")
    assert seen("document.querySelectorAll('tr[data-arm=torch], th[data-arm=torch], .scroll[data-arm=torch]').length") > 3
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
        seen = Seen(browser, report, f"#{anchor}", java_script_enabled=scripts, reduced_motion="reduce")
        if scripts:
            seen.alive()
        numbers = seen.page.locator(f"[id='{anchor}'] .says")
        assert numbers.is_visible()
        assert "ceiling" in numbers.inner_text()
        assert seen.page.locator(".says >> visible=true").count() == 1
        box = numbers.bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= 900


def test_it_fits_a_phone(browser: Any, report: Path) -> None:
    """Nothing but its own box is wider than the page; without scripts every figure is there."""
    phone = {"width": 400, "height": 800}
    seen = Seen(browser, report, color_scheme="dark", viewport=phone)
    seen.alive()
    assert seen("document.documentElement.scrollWidth") <= 400
    assert seen("Math.max(...[...document.querySelectorAll('#loss svg, #distance svg')].map(svg => svg.clientWidth))") <= 400
    plain = Seen(browser, report, java_script_enabled=False, viewport=phone)
    assert plain.page.locator("figure svg >> visible=true").count() == len(FIGURES)
    assert not plain.page.locator(".tools").is_visible()
    assert plain.page.locator("h1").bounding_box() is not None
    assert plain("document.documentElement.scrollWidth") <= 400


def run_of(folder: Path, losses: Sequence[float], right: Sequence[float], **manifest: Any) -> Run:
    """A saved run of one arm."""
    facts = {
        "experiment": "<i>odd</i>", "started": "2026-01-01T00:00:00Z", "parameters": 3, "rows": 4, "batch_size": 4, "steps": len(losses),
        "dtype": "float64", "device": "cpu", "threads": 1, "seed": 0,
    }  # fmt: skip
    own = Record("numpy", "ok" if losses else "killed", "" if losses else "<b>why</b>", {"backend": "numpy"}, list(losses))
    return Run(folder, {**facts, **manifest} if manifest else {}, [own, Record("reference", losses=list(right))])


@pytest.mark.parametrize(
    ("losses", "manifest", "says"),
    [
        ([1.0, math.nan, math.inf, 0.5], {"interrupted": False}, "numpy: 2 losses are not finite, the first at step 1"),
        ([1.0, 0.5], {"interrupted": True}, "This run was interrupted."),
        ([1.0, 0.0, -1.0], {}, "This run did not end."),
        ([math.nan], {"interrupted": False}, "numpy: 1 losses are not finite"),
        ([], {"interrupted": False}, "numpy: killed: &lt;b&gt;why&lt;/b&gt;"),
        ([0.5] * 3, {"interrupted": False, "description": "'\"><script>"}, "&lt;script&gt;"),
    ],
)
def test_odd_runs(tmp_path: Path, losses: list[float], manifest: dict[str, Any], says: str) -> None:
    """Runs that ended early, or have one arm, no times, or losses that are no numbers, give a right page."""
    text = run_page(run_of(tmp_path, losses, [0.0, *losses[1:]], **manifest))
    page = Page(text)
    assert says in text
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not {"i", "b"} & set(page.tags)


def test_long_trainings_keep_their_peaks(tmp_path: Path) -> None:
    """Of many steps fewer are drawn, but no peak, and no number that was not measured."""
    losses = [1.0 + 0.001 * (step % 7) for step in range(20_000)]
    losses[12_345], losses[777] = 9.0, 0.01
    drawn = curves(run_of(tmp_path, losses, losses, interrupted=False))
    assert len(drawn) <= MOST + 2
    assert {0, 777, 12_345, 19_999} <= set(drawn["step"])
    assert all(losses[step] == loss for step, loss in zip(drawn["step"], drawn["loss"], strict=True))


def test_a_committed_reference(harness: Command, tmp_path: Path) -> None:
    """Its page holds the committed numbers, every link of it leads somewhere, and a picture of it is a file."""
    done = harness("report", "xor", "-o", tmp_path / "page.html", "--figures", tmp_path, "--as", "png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "xor-heat.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "page.html").read_text("utf-8")
    page = Page(text)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "python -m harness reproduce xor" in text
    assert "gradient-torch-dense_1-kernel-0" in page.ids


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
