"""The documents are followed as a reader follows them: every command is run, or says why not; what it prints is what stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli import harness
from tests.conftest import ROOT
from tests.test_documents import module

sessions: Any = module(ROOT / "docs" / "sessions.py")
#: every document with commands
COMMANDED = [
    ROOT / "CONTRIBUTING.md", *sessions.DOCUMENTS, *(ROOT / "experiments").glob("**/*.md"), ROOT / "benchmarks" / "README.md"
]  # fmt: skip
COMMAND = re.compile(r"python -m harness(?: (.*?))?(?:\s+#.*|\s*[|&;>)].*)?$", re.MULTILINE)


def name(path: Path) -> str:
    """A document, as it is called."""
    return path.relative_to(ROOT).as_posix()


def to_run(path: Path) -> bool:
    """Whether a document has a block that is run."""
    return any(block.language == "sh" and "not run" not in block.said for block in sessions.blocks(path))


@pytest.mark.parametrize("path", [path for path in sessions.DOCUMENTS if to_run(path)], ids=name)
def test_commands_run(path: Path, tmp_path: Path) -> None:
    """Every block ends with the exit code that it should, and prints what is shown, but for numbers."""
    for done in sessions.run(path, tmp_path):
        assert done.code == int(done.block.said.get("exits", 0)), f"{done.block.place}\n{done.output}{done.errors}"
        if done.block.shown is not None:
            assert sessions.masked(done.block.output) == sessions.masked(done.shown), done.block.place


def test_what_is_not_run_says_why() -> None:
    """In a sentence; and comments are none that nobody understands."""
    for path in sessions.DOCUMENTS:
        for block in sessions.blocks(path):
            assert set(block.said) <= {"exits", "tested as", "not run", "file"}, block.place
            assert len(block.said.get("not run", "a few words")) > 10, block.place


def commands() -> list[tuple[str, str]]:
    """Every command of harness' in a `sh` or `yml` block of any document, and in its sentences, with its place."""
    found = []
    for path in COMMANDED:
        inline = re.findall(r"`(python -m harness [^`]+)`", path.read_text(encoding="utf-8"))
        found += [(name(path), words) for text in inline for words in COMMAND.findall(text) if words.islower() and "..." not in words]
        for block in sessions.blocks(path):
            if block.language in ("sh", "yml", "yaml"):
                text = block.text.replace("\\\n", " ")
                found += [(block.place, words or "") for words in COMMAND.findall(text)]
    return found


@pytest.mark.parametrize(("place", "words"), commands())
def test_commands_are_understood(place: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line's own parser takes them, those too that are not run: no option that is not there."""
    monkeypatch.chdir(ROOT)
    understood(harness, shlex.split(words))


def understood(command: click.Command, words: list[str]) -> None:
    """Parse, and go on with the command that is named.

    Raises:
        click.UsageError: it is not understood.
    """
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = command.get_command(context, words[0])
        assert found is not None, words
        understood(found, words[1:])
    else:
        command.make_context(command.name, list(words), resilient_parsing=False)


def test_a_command_that_is_wrong_is_seen(tmp_path: Path) -> None:
    """Another exit code, other words, an option that is not there."""
    page = ROOT / "docs" / "howto" / "choose-a-framework.md"
    (block,) = [block for block in sessions.blocks(page) if "explain tie" in block.text]
    assert sessions.masked(block.output) != sessions.masked(block.output.replace("interval", "integral"))
    assert sessions.masked("3.5e-07 of 12") == sessions.masked("4 of 1,300")
    with pytest.raises(click.UsageError):
        understood(harness, ["run", "experiments/xor.toml", "--fast"])
