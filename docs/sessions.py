"""Run the commands of the documents, and write what they print: `python docs/sessions.py [FILE...]`.

A document is a session: its `sh` blocks run one after the other, each in a shell that stops at the first failure, in a folder that
looks like the repository. Comments in front of a block, which nobody sees on the rendered page, say what differs:

    <!-- exits: 1 -->                     the exit code of a block that does not end with 0
    <!-- tested as: COMMAND -->           what is run in its place, because the block itself takes minutes
    <!-- not run: REASON -->              it is not run, and why
    <!-- file: PATH -->                   in front of a block of any language: its text is added to that file of the folder,
    <!-- file: PATH below LINE -->        or put below the first line that holds these words

`<!-- shown: START | START -->` behind a block begins a part that shows the paragraphs of its output from lines with these beginnings on,
`<!-- shown: all -->` one that shows everything; it ends with `<!-- end -->`, as the parts of docs/generate.py do. Tests compare what is
shown with numbers masked.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md")])]
#: fenced blocks with the comments in front of them, and what is shown of the output behind them
BLOCK = re.compile(
    r"^(?P<comments>(?:<!-- (?:exits|tested as|not run|file): .*? -->\n)*)```(?P<language>\w+)\n(?P<text>.*?)^```$"
    r"(?:\n+<!-- shown: (?P<shown>.*?) -->\n(?P<output>.*?)<!-- end -->)?",
    re.DOTALL | re.MULTILINE,
)
COMMENT = re.compile(r"<!-- ([\w ]+): (.*?) -->")
#: what differs from run to run and from machine to machine
RUN = re.compile(r"\b[\w.-]+-\d{8}T\d{6}Z-[0-9a-f]{4}\b")
NUMBER = re.compile(r"[-+]?(?<!\w)\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")


class Block(NamedTuple):
    """One fenced block.

    Attributes:
        place: file and line.
        language: `sh` where it is run.
        text: as it stands.
        said: what the comments in front of it say.
        shown: beginnings of the paragraphs that are shown of the output; None where nothing is.
        output: what is shown.
    """

    place: str
    language: str
    text: str
    said: dict[str, str]
    shown: str | None
    output: str

    @property
    def command(self) -> str:
        """What is run."""
        return self.said.get("tested as", self.text)


class Ran(NamedTuple):
    """A block that was run."""

    block: Block
    code: int
    output: str
    errors: str

    @property
    def shown(self) -> str:
        """What the document has to show of it."""
        return f"```text\n{excerpt(self.output, self.block.shown or 'all')}\n```\n"


def blocks(path: Path) -> Iterator[Block]:
    """All fenced blocks of a document, in order."""
    text = path.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("text"))
        place = f"{path.relative_to(ROOT).as_posix()}:{line}"
        said = dict(COMMENT.findall(found["comments"]))
        yield Block(place, found["language"], found["text"], said, found["shown"], found["output"] or "")


def run(path: Path, folder: Path) -> Iterator[Ran]:
    """Run a document's blocks in a folder.

    Raises:
        subprocess.TimeoutExpired: a block takes more than five minutes.
    """
    found = list(blocks(path))
    furnish(folder, changes_harness=any(block.said.get("file", "").startswith("harness/") for block in found))
    for block in found:
        if "file" in block.said:
            put(block, folder)
        elif block.language == "sh" and "not run" not in block.said:
            done = subprocess.run(
                ["bash", "-e", "-c", block.command],
                cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            yield Ran(block, done.returncode, done.stdout, done.stderr)


def put(block: Block, folder: Path) -> None:
    """Add a block to a file.

    Raises:
        ValueError: the line below which it belongs is not there.
    """
    name, _, words = block.said["file"].partition(" below ")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    at = next((index for index, line in enumerate(lines) if words in line), None) if words else len(lines) - 1
    if at is None:
        raise ValueError(f"{block.place}: {name} has no line with {words}")
    lines.insert(at + 1, f"\n\n{block.text}" if block.language == "python" and lines and not words else block.text)
    path.write_text("".join(lines), encoding="utf-8")


def furnish(folder: Path, changes_harness: bool) -> None:
    """Make a folder look like the repository: what commands write into is copied, what they only read is linked."""
    for name in ("experiments", "results/reference", *(("harness", "backends", "tests") if changes_harness else ())):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("docs", "tests", "pyproject.toml"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)


def environment(folder: Path) -> dict[str, str]:
    """This interpreter is `python`; harness is the folder's own where it has one."""
    home = folder if (folder / "harness").is_dir() else ROOT
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def excerpt(output: str, shown: str) -> str:
    """The paragraphs of an output, each from its first line on that begins in one of these ways; a table belongs to its title. What is left
    out is `...`."""
    if shown == "all":
        return output.rstrip()
    starts = tuple(start.strip() for start in shown.split(" | "))
    found: list[str] = []
    for paragraph in parted(output):
        lines = paragraph.splitlines()
        first = next((place for place, line in enumerate(lines) if line.lstrip("*").startswith(starts)), None)
        if first != 0 and found[-1:] != ["..."]:
            found.append("...")
        if first is not None:
            found.append("\n".join(lines[first:]))
    return "\n\n".join(found)


def parted(output: str) -> list[str]:
    """Paragraphs; a table and what stands above it are one."""
    found: list[str] = []
    for paragraph in re.split(r"\n\n+", output.strip()):
        if paragraph.startswith("|") and found:
            found[-1] += f"\n\n{paragraph}"
        else:
            found.append(paragraph)
    return found


def masked(text: str) -> str:
    """Without numbers, names of runs and the widths of columns."""
    return re.sub(r"-{2,}", "-", re.sub(r" +", " ", NUMBER.sub("#", RUN.sub("RUN", text))))


def rewritten(path: Path, ran: list[Ran]) -> str:
    """A document with what its commands print now."""
    shown = {done.block.place: done.shown for done in ran}
    places = iter(block.place for block in blocks(path))

    def part(found: re.Match[str]) -> str:
        place = next(places)
        if found["shown"] is None or place not in shown:
            return found[0]
        return f"{found[0][: found.start('output') - found.start()]}{shown[place]}<!-- end -->"

    return BLOCK.sub(part, path.read_text(encoding="utf-8"))


def main() -> None:
    """Run documents and write what is shown."""
    for path in map(Path.resolve, map(Path, sys.argv[1:])) if sys.argv[1:] else DOCUMENTS:
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            ran = list(run(path, Path(folder)))
        for done in ran:
            if done.code != int(done.block.said.get("exits", 0)):
                sys.exit(f"{done.block.place}: exit code {done.code}\n{done.output}{done.errors}")
        path.write_text(rewritten(path, ran), encoding="utf-8")


if __name__ == "__main__":
    main()
