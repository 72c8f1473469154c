"""Follow the lesson as a reader does: run every block of its pages from top to bottom, and hold what they print against what stands there.

    python docs/lesson/follow.py                       all pages, each in a process of its own
    python docs/lesson/follow.py 03-forward-pass.md    one page
    python docs/lesson/follow.py --write               put what was printed into the pages
    python docs/lesson/follow.py --write --whole       and run what is slow, too

A page runs in a folder made for it, with the repository's experiments and documents in it, so that what it writes is gone afterwards.

- `python` runs; all blocks of a page share their names. One that begins with `# mine/NAME` is a file that the reader saves: it is written.
- `toml` always is such a file.
- `sh` runs in bash. A comment `exit code 1` in it says how it ends, where that is not with 0.
- `text` right behind a block is what that block prints: of Python to the letter, of commands with numbers masked. A line `...` stands for
  lines that are left out.
- A block below `<!-- slow -->` takes a while: only `--whole` runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import linecache
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PAGES = tuple(path.name for path in sorted(FOLDER.glob("*.md")))
#: what a reader finds in the repository and a page may use
LINKED = ("experiments", "docs", "results/reference")
BLOCK = re.compile(
    r"(?P<slow><!-- slow -->\n)?^```(?P<kind>python|sh|toml)\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
SAVED = re.compile(r"# (mine/\S+)\n")
NUMBER = re.compile(r"[-+]?(\d[\d,.]*(e[-+]?\d+)?|\binf\b|\bnan\b)")


class WentWrong(Exception):
    """A block did not do what its page says."""


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        kind: python, sh or toml.
        code: what it holds.
        slow: whether it takes too long for a test.
        shown: what the page says that it prints; None where it says nothing.
        place: of `shown` in the page, in characters.
        line: of the page where it begins, from 1.
    """

    kind: str
    code: str
    slow: bool
    shown: str | None
    place: tuple[int, int]
    line: int


def blocks(text: str) -> list[Block]:
    """The blocks of a page, from top to bottom."""
    return [
        Block(
            match["kind"],
            match["code"],
            bool(match["slow"]),
            match["shown"],
            match.span("shown"),
            text.count("\n", 0, match.start()) + 1,
        )
        for match in BLOCK.finditer(text)
    ]


def run(block: Block, names: dict[str, Any]) -> str:
    """Do what a block says; what it printed.

    Raises:
        WentWrong: a command ended otherwise than the page says.
        Exception: whatever a block of Python raises.
    """
    if saved := SAVED.match(block.code):
        path = Path(saved[1])
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return ""
    if block.kind == "sh":
        return shell(block.code)
    place, printed = f"block at line {block.line}", io.StringIO()
    # frameworks and tracebacks look for the lines of a function where they look for those of a file
    linecache.cache[place] = (len(block.code), None, block.code.splitlines(keepends=True), place)
    with contextlib.redirect_stdout(printed):
        exec(compile(block.code, place, "exec"), names)
    return printed.getvalue()


def shell(code: str) -> str:
    """Run commands; what they printed to stdout."""
    wanted = re.search(r"# exit code (\d+)", code)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    world = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=world, check=False)
    if done.returncode != int(wanted[1] if wanted else 0):
        raise WentWrong(f"exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def masked(line: str) -> str:
    """A line of a command's output without its numbers, and without what tables do to make room for them."""
    return re.sub(r"[ :-]{2,}", " ", NUMBER.sub("#", line)).strip()


def renewed(shown: str, printed: str, exact: bool) -> str:
    """What a page shows of an output, with the lines as they were printed now.

    Raises:
        WentWrong: a piece between two `...` was not printed; masked unless `exact`.
    """
    lines = printed.rstrip("\n").split("\n")
    if "..." not in shown.split("\n"):
        return "\n".join([*lines, ""])
    known = lines if exact else [masked(line) for line in lines]
    new, at = [], 0
    for piece in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE):
        wanted = [line if exact else masked(line) for line in piece.rstrip("\n").split("\n")] if piece else []
        found = next(
            (start for start in range(at, len(known) - len(wanted) + 1) if known[start : start + len(wanted)] == wanted), None
        )
        if found is None:
            raise WentWrong(f"not printed:\n{piece}\nprinted:\n{printed}")
        at = found + len(wanted)
        new.append("".join(f"{line}\n" for line in lines[found:at]))
    return "...\n".join(new)


def follow(name: str, whole: bool = False) -> str:
    """Run a page; its text with every output as it was printed now, where a command's numbers alone have changed, as it stands.

    Raises:
        WentWrong: a block failed; the message says where.
    """
    text = (FOLDER / name).read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    new, end = [], 0
    for block in blocks(text):
        if block.slow and not whole:
            continue
        try:
            printed = run(block, names)
            if block.shown is not None:
                new += [text[end : block.place[0]], renewed(block.shown, printed, block.kind == "python")]
                end = block.place[1]
        except Exception as problem:
            raise WentWrong(f"docs/lesson/{name}:{block.line}: {type(problem).__name__}: {problem}") from problem
    return "".join([*new, text[end:]])


def same(old: str, new: str) -> bool:
    """Whether two texts of a page are the same but for the numbers that commands print."""

    def shown(block: Block) -> list[str]:
        lines = (block.shown or "").split("\n")
        return lines if block.kind == "python" else [masked(line) for line in lines]

    return [shown(block) for block in blocks(old)] == [shown(block) for block in blocks(new)]


def in_a_folder(name: str, write: bool, whole: bool) -> None:
    """Follow one page, in this process.

    Raises:
        WentWrong: a block fails, or prints something else than the page shows.
    """
    with tempfile.TemporaryDirectory() as place:
        for linked in LINKED:
            (Path(place) / linked).parent.mkdir(exist_ok=True)
            (Path(place) / linked).symlink_to(ROOT / linked)
        sys.path[0] = ""  # as in a reader's Python: the folder one is in
        with contextlib.chdir(place):
            new = follow(name, whole)
    old = (FOLDER / name).read_text(encoding="utf-8")
    if write:
        (FOLDER / name).write_text(new, encoding="utf-8")
    elif not same(old, new):
        raise WentWrong(
            f"docs/lesson/{name} shows other output than its blocks print; python docs/lesson/follow.py --write {name}"
        )


def main(words: Sequence[str]) -> int:
    """The command: 0 where every page is as it says."""
    reader = argparse.ArgumentParser(description="Follow the lesson as a reader does.")
    reader.add_argument("pages", nargs="*", metavar="PAGE", help=", ".join(PAGES))
    reader.add_argument("--write", action="store_true", help="put what was printed into the pages")
    reader.add_argument("--whole", action="store_true", help="run what is slow, too")
    said = reader.parse_args(words)
    pages = said.pages or PAGES
    if len(pages) > 1:
        options = [word for word in words if word.startswith("--")]
        return max(subprocess.run([sys.executable, __file__, page, *options], check=False).returncode for page in pages)
    try:
        in_a_folder(pages[0], said.write, said.whole)
    except WentWrong as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
