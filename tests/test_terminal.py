"""What people see: in windows of several widths, in pipes, in papers and pull requests, behind a TAB, and in files to start from. The real
command in a real pseudo-terminal."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from harness.cli import harness as program
from harness.cli import progress
from harness.cli.answer import write
from harness.cli.glossary import meanings
from harness.cli.show import answer, sections
from harness.cli.terminal import draw
from harness.errors import UsageError
from harness.report.comment import comment
from harness.report.latex import escaped, latex, number
from harness.report.parts import Cell, Row, Section, Table, Text
from harness.spec.reader.codes import CODES
from harness.tables import Run, load

from .conftest import ROOT, Command

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
LAYERS = '[{ type = "dense", units = 3, activation = "tanh" }, { type = "dense", units = 2 }]'
EXPERIMENT = f"""
name = "seen"
description = "a | b & c_d <i>@all</i>"
[data]
type = "xor"
[model]
layers = {LAYERS}
[train]
loss = "mse"
optimizer = {{ type = "sgd", learning_rate = 0.1 }}
steps = 12
"""


def in_window(columns: int, *words: Any, env: dict[str, str] | None = None) -> tuple[int, str]:
    """A command in a pseudo-terminal so many columns wide: its exit code and all that it wrote."""
    pty, fcntl, termios, struct = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios", "struct"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, words)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**kept, "TERM": "xterm-256color", **(env or {})}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    return process.wait(timeout=120), written.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A results folder with one run in it, made on a terminal, and what that showed."""
    folder = tmp_path_factory.mktemp("seen")
    (folder / "seen.toml").write_text(EXPERIMENT)
    code, written = in_window(80, "run", folder / "seen.toml", "--arm", "numpy,numpy,flax", "--results", folder)
    assert code == 3, written  # an arm that was named is missing
    return folder, written


def test_every_arm_is_seen_while_a_run_lasts(seen: tuple[Path, str]) -> None:
    """The live lines go through the phases, come to a verdict or a reason, stay within the window, and are gone in the end."""
    text = ESCAPE.sub("", seen[1])
    for line in (r"numpy +importing", r"reference +(training|forced steps|directed probes|measuring)", r"numpy +agrees  timed in turn",
                 r"numpy#2 +agrees  starting alone", r"flax +missing  its environment", r"timing 2 arms in turn"):  # fmt: skip
        assert re.search(line, text), line
    assert "2 of 3 arms agree" in text
    assert seen[1].rindex("\x1b[?25h") < seen[1].rindex("Agreement with"), "the cursor is back before the tables"


@pytest.fixture(scope="module")
def run(seen: tuple[Path, str]) -> Run:
    """The same run, loaded."""
    return load("latest", seen[0])


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_tables_fit_the_window(seen: tuple[Path, str], run: Run, columns: int) -> None:
    """No line is wider than the window, no number is cut, and no column is left out: what is too wide comes below. Drawn by the command in
    a window of 80 columns, by the same function for the others."""
    text = ESCAPE.sub("", seen[1][seen[1].rindex("\x1b[?25h") :]).replace("\r", "") if columns == 80 else drawn(run, columns)
    assert max(len(line) for line in text.splitlines() if not line.startswith((" ", "saved", "not run"))) <= columns
    assert "…" not in text
    row = run.summary.set_index("arm").loc["numpy#2"]
    for shown in (f"{row['gradient_error']:.2g}", f"{row['final_loss']:.6g}", f"{row['metric']:.4g}"):
        assert re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.])", text), shown
    assert text.index("arms agree") < text.index("Agreement with"), "the verdict comes first"
    assert ("the same, " in text) == (columns < 200)


def drawn(run: Run, columns: int) -> str:
    """A run in a window so wide."""
    paper = io.StringIO()
    console = Console(width=columns, file=paper, force_terminal=False, highlight=False)
    draw(list(sections(run)), console)
    return paper.getvalue()


def test_colour_is_asked_for_and_refused(harness: Command) -> None:
    """NO_COLOR takes colour away, TERM=dumb everything, FORCE_COLOR brings it into a pipe; a pipe alone has none. A terminal that is not
    UTF-8 gets its rules in ASCII."""
    green = re.compile(r"\x1b\[(?:\d+;)*32m")
    words = ("list", "arms")
    assert green.search(in_window(100, *words)[1])
    assert not green.search(in_window(100, *words, env={"NO_COLOR": "1"})[1])
    dumb = in_window(100, *words, env={"TERM": "dumb"})[1]
    assert "\x1b" not in dumb
    assert "| arm " in dumb
    assert green.search(harness(*words, env={"FORCE_COLOR": "1"}).stdout)
    assert "\x1b" not in harness(*words).stdout
    plain = in_window(100, *words, env={"PYTHONIOENCODING": "ascii"})[1]
    assert plain.isascii()
    assert "-----" in plain


def test_every_form_says_the_same(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown on demand, exact CSV of every table, LaTeX, a comment: none of them is broken by what stands in the experiment."""

    def written(form: str, name: str | None = None) -> str:
        write(answer(run), form, name)
        return capsys.readouterr().out

    document = json.loads(written("json"))
    losses = list(csv.DictReader(io.StringIO(written("csv", "losses"))))
    assert [float(row["loss"]) for row in losses] == [row["loss"] for row in document["losses"]]
    summary = list(csv.DictReader(io.StringIO(written("csv"))))
    assert list(summary[0]) == list(document["summary"][0])
    only = written("md", "summary")
    assert only.startswith("**Agreement")
    assert only.count("**") == 2
    paper = written("latex")
    assert paper.count(r"\toprule") == paper.count(r"\end{tabular}") == paper.count(r"\begin{table}") > 3
    assert r" \times 10^{-" in paper
    note = written("github")
    assert note.startswith("**seen**: 2 of 3 arms agree")
    assert "1 missing" in note.splitlines()[0]
    assert note.count("<details>") == note.count("</details>") > 3
    assert "| flax" in note.split("<details>")[0]
    assert "| numpy" not in note.split("<details>")[0]
    with pytest.raises(UsageError, match='no table "nothing"'):
        written("csv", "nothing")


def test_latex_escapes_everything() -> None:
    """Read back by TeX's own rules, every printable character is the one that was written; braces are balanced, rows end in two
    backslashes, and none begins with what would be an option of the one before."""
    letters = "".join(map(chr, range(33, 127)))
    assert unescaped(escaped(letters)) == letters
    table = Table([("[a]_%", False), ("x^2", True)], [Row([Cell("[b] & *c*"), Cell("-1,234.5e-07")]), Row([Cell("{d}\\"), Cell("n/a#")])])
    text = latex([Section("t", "50 % of $x_1$", [Text(["what & why"]), table])])
    assert number("1.2e-07") == r"$1.2 \times 10^{-7}$"
    assert number("-1,234.5e-07 us") == r"$-1{,}234.5 \times 10^{-7}$ us"
    body = re.sub(r"\\[\\{}]", "", text)
    assert body.count("{") == body.count("}")
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 3
    assert not any(row.strip().startswith(("[", "*")) for row in rows)


def unescaped(text: str) -> str:
    """What TeX sets of escaped text."""
    names = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">", "textbar": "|",
        "textasciigrave": "`", "textquotedbl": '"', "textquotesingle": "'",
    }  # fmt: skip
    token = re.compile(r"\\(?P<name>[a-z]+)\{\}|\\(?P<sign>[&%$#_{}])|\{(?P<group>[][*])\}|-\{\}|(?P<plain>[^\\{}~^&%$#_<>|`\"'*\[\]-])")
    found = list(token.finditer(text))
    assert "".join(match[0] for match in found) == text, "something is not escaped"
    return "".join(names[m["name"]] if m["name"] else m["sign"] or m["group"] or m["plain"] or "-" for m in found)


def test_comments_are_harmless_and_short() -> None:
    """What comes from an experiment calls nobody and is no HTML; what makes a comment too long is left out, and named."""
    long = Section("long", "Long & more", [Text(["x" * 70_000])])
    text = comment("<b>@all</b>", "it & that", [Text(["@team, see <script>"])], [long, Section("short", "Short", [Text(["y"])])])
    assert not re.search(r"@\w|<(?!/?details>|/?summary>)", text)
    assert "Too long for a comment: Long &amp; more." in text
    assert "Short" in text


def test_problems_are_annotations(harness: Command, tmp_path: Path) -> None:
    """`check --format github` points GitHub at each line; `--json` is one document also where nothing could be read."""
    (tmp_path / "bad,1.toml").write_text('name = "x"\n[data]\ntype = "digit"\n')
    found = harness("check", "bad,1.toml", "--format", "github", cwd=tmp_path)
    assert found.returncode == 2
    assert "::error file=bad%2C1.toml,line=3,col=8,title=error[unknown-type]::unknown data set" in found.stdout
    document = json.loads(harness("check", "bad,1.toml", "--json", cwd=tmp_path).stdout)
    assert document["problems"][0]["code"] in CODES
    assert document["experiments"] == []


def codes() -> Iterator[str]:
    """Every code that the sources can raise: of SpecProblem, Finding, Problem and `wrong`, in their place or by name."""
    places = {"SpecProblem": 3, "Finding": 1, "Problem": 4, "wrong": 1, "problem": 3}
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            found = [word.value for word in node.keywords if word.arg == "code"]
            found += node.args[places[name] : places[name] + 1] if name in places else []
            yield from (value.value for value in found if isinstance(value, ast.Constant) and isinstance(value.value, str))


def test_every_code_is_explained() -> None:
    """Each word in `error[word]` has an explanation, and none is explained that no source knows."""
    returned = {"out-of-range", "wrong-type", "unknown-choice"}  # harness/spec/reader/values.py returns them
    assert {*codes(), "shape", *returned} == set(CODES)


def test_every_column_is_explained(run: Run, harness: Command) -> None:
    """Whatever stands above a column of a run, `explain` knows it; and it knows codes, keys, options, exit codes, arms; else it guesses."""
    heads = {head for each in sections(run) for part in each.shown if isinstance(part, Table) for head, _ in part.heads}
    own = {"numpy", "numpy#2", "train accuracy", "version"} | {head for head in heads if head.startswith("step ")}
    assert len(heads - own) > 20
    unknown = {head for head in heads - own if not meanings(head) and not meanings(head.replace(" ", "_"))}
    assert not unknown - {"/ numpy"}
    for word in ("error[unknown-key]", "exit 3", "epsilon", "out_features", "--timing", "agrees", "model.width", "train.epochs"):
        assert meanings(word), word
    found = harness("explain", "steadyy")
    assert found.returncode == 2
    assert 'did you mean "steady"?' in found.stderr
    whole = json.loads(harness("explain", "--json").stdout)["words"]
    assert {"layers", "options", "arms", "code of errors"} <= set(whole)


def test_help_teaches_within_80_columns() -> None:
    """Every command's help has an example of it, and no line that is cut or wider than 80 columns."""

    def shown(path: str, command: click.Command) -> None:
        text = command.get_help(click.Context(command, info_name=f"python -m harness {path}", terminal_width=80, max_content_width=80))
        assert max(map(len, text.splitlines())) <= 80, path
        assert f"  python -m harness {path}" in text or path == "completion", path
        if isinstance(command, click.Group):
            assert not re.search(r"[a-z]\.\.\.$", text, re.MULTILINE), path
            for name, inner in command.commands.items():
                shown(f"{path} {name}", inner)

    context = click.Context(program)
    for name in program.list_commands(context):
        found = program.get_command(context, name)
        assert found is not None
        shown(name, found)


def test_tab_completes(harness: Command) -> None:
    """The shells' own protocol: arms behind a comma, experiments by their names, keys, words; in bash `python -m harness`, too."""
    for words, at, wanted in (
        ("harness run --arm numpy,tor", 3, "plain,numpy,torch:compile"),
        ("harness run xor", 2, "plain,experiments/xor.toml"),
        ("harness run --set train.st", 3, "plain,train.steps="),
        ("harness explain unknown-k", 2, "plain,unknown-key"),
        ("harness reproduce xo", 2, "plain,xor"),
    ):
        found = harness(env={"COMP_WORDS": words, "COMP_CWORD": str(at), "_HARNESS_COMPLETE": "bash_complete"})
        assert wanted in found.stdout.splitlines(), (words, found.stdout, found.stderr)
    for shell in ("bash", "zsh", "fish"):
        assert "_HARNESS_COMPLETE" in harness("completion", shell).stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_the_module() -> None:
    """A real bash takes the script and completes `python -m harness che`."""
    script = (
        f'eval "$({sys.executable} -m harness completion bash)"; COMP_WORDS=({sys.executable} -m harness che); COMP_CWORD=3; COMPREPLY=()\n'
        f"_harness_as_module {sys.executable}; echo \"${{COMPREPLY[@]}}\""
    )
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.stdout == "check\n", found.stderr


def test_new_experiments_run_and_teach(harness: Command, tmp_path: Path) -> None:
    """Each kind is written, whole, explained line by line, and is right; one that is there is left alone."""
    for kind in ("mlp", "cnn", "rnn", "transformer"):
        assert harness("new", f"my_{kind}", "--from", kind, "--folder", tmp_path).returncode == 0
        text = (tmp_path / f"my_{kind}.toml").read_text()
        assert tomllib.loads(text)["name"] == f"my_{kind}"
        assert text.count("#") > 10
    assert harness("check", *sorted(tmp_path.glob("*.toml"))).returncode == 0
    again = harness("new", "my_mlp", "--folder", tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_new_looks_at_a_file(harness: Command, tmp_path: Path) -> None:
    """Of somebody's CSV the target is found to be classes or values, words are left out, and the experiment runs. Names in it that try to
    be TOML, or a placeholder, are data."""
    lines = "\n".join(f"{i},{i * 7 % 10}.5,town {i},k{i % 3}" for i in range(60))
    (tmp_path / "DATA.csv").write_text(f'a,"LOSS ""\nx = 1",city,kind\n{lines}\n')
    assert harness("new", "flowers", "--data", tmp_path / "DATA.csv", "--folder", tmp_path).returncode == 0
    tree = tomllib.loads((tmp_path / "flowers.toml").read_text())
    assert tree["data"]["inputs"] == ["a", 'LOSS "\nx = 1']
    assert (tree["data"]["task"], tree["model"]["layers"][-1]["units"]) == ("classification", 3)
    assert tree["train"]["loss"] == "softmax_cross_entropy"
    made = harness("new", "values", "--data", tmp_path / "DATA.csv", "--target", "a", "--folder", tmp_path)
    assert made.returncode == 0, made.stderr
    tree = tomllib.loads((tmp_path / "values.toml").read_text())
    assert (tree["data"]["task"], tree["train"]["loss"]) == ("regression", "mse")
    assert harness("check", tmp_path / "values.toml", tmp_path / "flowers.toml").returncode == 0
    assert harness("new", "x", "--data", tmp_path / "nothing.csv", "--folder", tmp_path).returncode == 2


def test_nothing_is_drawn_while_blocks_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live lines are redrawn by a thread until something is timed; from then on only inside the calls that tell news, until it is over."""
    drawings: list[int] = []

    class Board:
        """Counts."""

        def __init__(self, *_: Any) -> None:
            """Nothing is shown."""

        def draw(self) -> None:
            """Count it."""
            drawings.append(1)

        def close(self) -> None:
            """Nothing was shown."""

    monkeypatch.setattr(progress, "live", lambda: True)
    monkeypatch.setattr(progress, "DRAW", 0.01)
    monkeypatch.setattr("harness.cli.board.Board", Board)
    with progress.Progress("x") as told:
        while not drawings:
            time.sleep(0.01)
        told("", {"phase": "timing", "timed": True})
        before = len(drawings)
        time.sleep(0.2)
        assert len(drawings) == before
        told("numpy", {"phase": "timed in turn"})
        assert len(drawings) == before + 1
        told("", {"phase": "timed", "timed": False})
        while len(drawings) == before + 1:
            time.sleep(0.01)
