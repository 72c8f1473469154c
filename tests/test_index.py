"""Many results side by side: the index page, the gallery of the references; and a run in a notebook."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

import harness as api
from harness.records.overview import overview
from harness.report import drawing
from harness.reproduction import gallery
from harness.tables.summaries import lacking

from .conftest import ROOT, Command
from .pages import Page, Seen

HOSTILE = "<img src=x onerror=alert(1)>-20261130T000000Z-0000"
CELLS = """train.batch_size,parameters,arm,status,reason,verdict,tier,step_us
1,86,numpy,ok,,agrees,1,60.6
1,86,torch,ok,,agrees,2,160.6
2,86,numpy,ok,,agrees,1,61.7
2,86,torch,differs,off,semantic,,
"""


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


def copy_references(results: Path, *names: str) -> None:
    """Copy committed references into a folder of results, without pages that somebody made of them."""
    for name in names:
        home = ROOT / "results" / "reference" / name
        shutil.copytree(home, results / "reference" / name, ignore=shutil.ignore_patterns("*.html"))


@pytest.fixture(scope="module")
def results(harness: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run, and copies of it in every state that a folder can be in; a sweep; references, one of them edited, one damaged."""
    folder = tmp_path_factory.mktemp("results")
    words = ("--set", "train.steps=40", "--arm", "numpy,autograd", "--no-timings", "-q", "--results", folder)
    assert harness("run", "experiments/xor.toml", *words).returncode == 3  # an arm that was named is missing
    (real,) = (folder / "runs").iterdir()

    def copy(name: str, day: int) -> Path:
        return Path(shutil.copytree(real, folder / "runs" / f"{name}-202611{day:02d}T120000Z-0000"))

    differs = copy("differs", 1)
    changed = {"started": "2026-11-01T12:00:00Z", "experiment": "differs", "timing": {"preset": "standard"}, "arms": ["torch", "jax"]}
    edit(differs / "manifest.json", **changed)
    rows = [
        {"arm": "torch", "verdict": "differs", "gradient_error": 0.5, "floor_ratio": 1e6},
        {"arm": "jax", "verdict": "agrees", "gradient_error": 2e-7, "floor_ratio": 1.5},
    ]
    edit(differs / "summary.json", exit_code=1, fastest="jax", arms=rows)
    for path in differs.glob("arms/*/*.parquet"):
        path.write_bytes(b"no table is read")
    (differs / "report.html").write_text("<p>report", "utf-8")
    (copy("earlier", 2) / "summary.json").unlink()
    half, running = copy("half", 3), copy("running", 4)
    for unfinished in (half, running):
        (unfinished / "manifest.json").unlink()
        (unfinished / "summary.json").unlink()
    (running / "running.json").write_text(json.dumps({"pid": os.getpid()}), "utf-8")
    (copy("torn", 5) / "manifest.json").write_text('{"schema": "harness.run/1", "exp', "utf-8")
    edit(copy("nonsense", 6) / "summary.json", arms=5)
    (folder / "runs" / HOSTILE).mkdir()
    sweep = folder / "sweeps" / "swept-20261107T120000Z-0000"
    sweep.mkdir(parents=True)
    shutil.copy(real / "manifest.json", sweep)
    swept = {"sweep": {"train.batch_size": [1, 2]}, "timing": {"preset": "careful"}}
    edit(sweep / "manifest.json", schema="harness.sweep/1", arms=["numpy", "torch"], **swept)
    (sweep / "cells.csv").write_text(CELLS, "utf-8")
    copy_references(folder, "xor", "line", "sine-gru")
    (folder / "reference" / "line" / "errors.csv").write_text("step,tensor,floor,numpy\n0,kernel,1e-7,3e-7\n", "utf-8")
    edit(folder / "reference" / "sine-gru" / "manifest.json", arms=7)
    return folder


@pytest.fixture(scope="module")
def index(harness: Command, results: Path) -> Path:
    """The index."""
    before = {found.name for found in lacking(overview(results))}
    done = harness("report", "--all", "--results", results)
    assert (done.returncode, done.stdout.strip()) == (0, str(results / "index.html")), done.stderr
    assert before == {"earlier-20261102T120000Z-0000", "swept-20261107T120000Z-0000"}
    assert all(name in done.stderr for name in before)
    assert [found.name for found in lacking(overview(results))] == []
    return results / "index.html"


def row_of(text: str, name: str) -> str:
    """A row of the page as words."""
    found = re.search(rf'<tr role="row" id="(?:run|sweep|reference)-{re.escape(name)}.*?</tr>', text, re.DOTALL)
    assert found is not None, name
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def test_every_folder_is_a_row(index: Path) -> None:
    """Each says what it is, in whatever state; links resolve, nothing is loaded, names of files stay text."""
    text = index.read_text("utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert page.loaded == []
    assert "img" not in page.tags
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (index.parent / unquote(link)).exists(), link
    assert sum("report.html" in link for link in page.links) == 1
    expected = {
        "xor-2026": ("agrees numpy missing autograd", "holds"),
        "differs-": ("differs torch agrees jax", "0.5 1e+06 x floor standard jax differs exit 1"),
        "earlier-": ("agrees numpy missing autograd", "holds"),
        "half-": ("missing autograd agrees numpy", "incomplete it did not end", "python -m harness report"),
        "running-": ("in progress",), "torn-": ("damaged it cannot be read",), "nonsense-": ("damaged it cannot be read",),
        "%3Cimg": ("&lt;img src=x onerror=alert(1)&gt;", "incomplete"),
        "swept-": ("sweep", "differs torch", "careful numpy in 2 of 2 differs"),
        'xor"': ("agrees numpy torch keras tensorflow jax", "committed"),
        "line": ("agrees numpy torch", "committed edited since it was written: errors.csv"), "sine-gru": ("damaged its manifest",),
    }  # fmt: skip
    for name, phrases in expected.items():
        row = row_of(text, name)
        assert all(phrase in row for phrase in phrases), (name, row)
    assert "python -m" not in row_of(text, "torn-") + row_of(text, "differs-") + row_of(text, "running-")


def test_a_summary_says_what_the_run_says(harness: Command, results: Path, index: Path) -> None:
    """What a run leaves beside its manifest is its summary; the lists of the terminal and of Python read the same."""
    run = api.load("xor-", results)
    kept = json.loads((run.folder / "summary.json").read_text("utf-8"))
    assert kept["exit_code"] == run.exit_code == 0
    for row, right in zip(kept["arms"], run.summary.astype(object).to_dict("records"), strict=True):
        assert {name: row[name] for name in ("arm", "verdict")} == {name: right[name] for name in ("arm", "verdict")}
    assert kept["arms"][0]["gradient_error"] == run.gradients[run.gradients["arm"] == "numpy"]["error"].max() > 0
    made = json.loads((results / "runs" / "earlier-20261102T120000Z-0000" / "summary.json").read_text("utf-8"))
    assert made["arms"] == kept["arms"]
    table = api.runs(results).set_index("name")
    assert table.loc[run.folder.name, ["outcome", "agree"]].tolist() == ["holds", 1]
    assert table["outcome"].value_counts().to_dict() == {"holds": 2, "differs": 2, "damaged": 2, "incomplete": 2, "in progress": 1}
    assert table["started"].is_monotonic_decreasing
    listed = json.loads(harness("list", "runs", "--json", "--results", results).stdout)["runs"]
    assert [row["run"] for row in listed] == table[table["kind"] == "run"].index.tolist()


VISIBLE = "[...document.querySelectorAll('.listing tbody tr')].filter(row => !row.hidden).map(row => row.id.replace(/-2026.*/, ''))"


def test_rows_are_chosen_and_sorted(browser: Any, index: Path) -> None:
    """By keyboard; the address keeps it and gives it back; without a request or a complaint; a phone has room for it."""
    seen = Seen(browser, index)
    everything = seen(VISIBLE)
    seen.page.focus("[name=text]")
    seen.page.keyboard.type("torch jax")
    assert seen(VISIBLE) == ["run-differs", "reference-line", "reference-xor"]
    assert seen("document.getElementById('count').textContent") == "1 of 9 runs and sweeps, 2 of 3 references"
    seen.page.keyboard.press("Control+A")
    seen.page.keyboard.press("Delete")
    seen.page.select_option("[name=arm]", "torch")
    assert seen(VISIBLE) == ["sweep-swept", "run-differs", "reference-line", "reference-xor"]
    seen.page.select_option("[name=verdict]", "agrees")
    assert seen(VISIBLE) == ["reference-line", "reference-xor"]
    seen.page.select_option("[name=arm]", "")
    seen.page.focus("[data-sort=gradient] button")
    for _ in range(2):
        seen.page.keyboard.press("Enter")
    assert seen("document.querySelector('[data-sort=gradient]').getAttribute('aria-sort')") == "descending"
    assert seen("location.search") == "?verdict=agrees&sort=-gradient"
    chosen = seen(VISIBLE)
    assert chosen[0] == "run-differs"
    again = Seen(browser, index, "?verdict=agrees&sort=-gradient", color_scheme="dark")
    assert again(VISIBLE) == chosen
    again.page.click("#choices [type=reset]")
    again.page.wait_for_url(lambda url: "?" not in url)
    assert again(VISIBLE) == everything
    for width in (400, 1280):
        again.page.set_viewport_size({"width": width, "height": 900})
        assert again("document.documentElement.scrollWidth") <= width
    assert (seen.said, again.said, len(seen.asked), len(again.asked)) == ([], [], 1, 1)


def test_the_index_is_whole_without_scripts(browser: Any, index: Path) -> None:
    """Every row and column is there; what needs a script is not shown."""
    seen = Seen(browser, index, java_script_enabled=False)
    assert seen.page.locator(".listing tbody tr:visible").count() == 12
    assert seen.page.locator("#choices:visible, #theme:visible").count() == 0


def test_pictures_of_the_references(results: Path, tmp_path: Path) -> None:
    """Each is a small SVG that loads nothing and says what it was drawn from; an edited table makes page and picture stale."""
    for folder in (ROOT / "results" / "reference").iterdir():
        text = (folder / gallery.PICTURE).read_text("utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert len(text) < 40_000
        assert not re.search(r"href|<script|<image|url\(", text)
        assert "prefers-color-scheme:dark" in text
    copy_references(tmp_path, "xor", "line")
    assert gallery.stale(tmp_path) == ["README.md"]
    assert gallery.write(tmp_path) == ["README.md"]
    assert gallery.stale(tmp_path) == []
    shutil.copy(results / "reference" / "line" / "errors.csv", tmp_path / "reference" / "line")
    assert gallery.stale(tmp_path) == ["README.md", "reference/line/distance.svg"]
    assert gallery.write(tmp_path) == ["README.md", "reference/line/distance.svg"]
    assert "3.0 times what rounding alone does" in (tmp_path / "README.md").read_text("utf-8")


def test_a_run_in_a_notebook(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, table and picture, without script, in the notebook's own colours; without what draws, the table alone."""
    run = api.load("xor-", results)
    shown = run._repr_mimebundle_(include=None, exclude=None)
    assert set(shown) == {"text/plain", "text/markdown", "text/html"}
    for text in shown.values():
        assert "1 of 2 arms agree with the reference" in text
        assert run.folder.name in text
        assert "missing" in text
    assert "| arm | verdict |" in shown["text/markdown"]
    html = shown["text/html"]
    assert len(html) < 60_000
    assert not re.search(r"<script|href=|src=|url\(|var\(", html)
    (picture,) = re.findall(r"<svg.*</svg>", html, re.DOTALL)
    assert ElementTree.fromstring(picture).get("role") == "img"
    assert "currentColor" in picture
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    bare = run._repr_mimebundle_()
    assert "<svg" not in bare["text/html"]
    assert bare["text/markdown"] == shown["text/markdown"]
