"""Write the generated parts of the documents: `python docs/generate.py`; `--check` only says whether they are up to date.

A generated part stands between `<!-- NAME -->` and `<!-- end -->`; what it says comes from the code, from a command's real output or
from the committed tables.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from harness.registry import Arm, backends
from harness.reproduction.page import rows
from harness.reproduction.reference import read

DOCUMENTS = ("README.md", "docs/reference.md")
PART = re.compile(r"(<!-- (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def command(*words: str) -> str:
    """The real output of a command, as it is in a pipe."""
    found = subprocess.run([sys.executable, "-m", "harness", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"```text\n{(found.stdout + found.stderr).rstrip()}\n```"


def table(name: str) -> str:
    """The committed table of an experiment."""
    reference = read(ROOT / "results" / "reference" / name)
    return "\n".join(rows(reference))


def listing(what: str) -> str:
    """One of `harness list`'s tables."""
    found = subprocess.run([sys.executable, "-m", "harness", "list", what], cwd=ROOT, capture_output=True, text=True, check=True)
    return found.stdout.rstrip()


def arms() -> str:
    """All arms, from the adapters' own declarations."""
    lines = ["| arm | what it is | needs |", "| --- | --- | --- |"]
    for backend in backends().values():
        for mode in backend.modes:
            lines.append(f"| `{Arm(backend.name, mode).name}` | {backend.title} | {', '.join(backend.needs(mode))} |")
    return "\n".join(lines)


def support() -> str:
    """Which arm knows which layer, activation, loss and optimizer: what the adapters say of small programs, each in its worker."""
    from harness.pool import Crew
    from harness.registry import parse
    from harness.worker.conformance import cases

    names = [arm for backend in backends().values() for arm in (Arm(backend.name, mode).name for mode in backend.modes)]
    known: dict[str, dict[str, dict[str, list[str]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(Path(folder), "cpu", 1, 300)
        for name in names:
            arm = parse(name)
            with crew.worker(arm) as worker:
                worker.ask("open", backend=arm.backend)
                known[name] = {
                    dtype: worker.ask("supports", dtype=dtype, device="cpu", mode=arm.mode) for dtype in ("float32", "float64")
                }
    lines = ["| arm | " + " | ".join(cases()) + " | float64 |", "| --- |" + " --- |" * (len(cases()) + 1)]
    for name, found in known.items():
        marks = ["no" if lacks(found["float32"][case]) else "yes" for case in cases()]
        wide = [reason for case in cases() for reason in lacks(found["float64"][case]) if not lacks(found["float32"][case])]
        lines.append(f"| `{name}` | " + " | ".join(marks) + f" | {wide[0] if wide else 'yes'} |")
    return "\n".join(lines)


def lacks(reasons: list[str]) -> list[str]:
    """Reasons that are the framework's, not this machine's."""
    return [reason for reason in reasons if "compiler" not in reason]


PARTS: dict[str, Callable[..., str]] = {"output": command, "table": table, "list": listing, "arms": arms, "support": support}


def filled(text: str) -> str:
    """A document with its generated parts made anew. `<!-- output run --help -->` names a part and its words."""

    def part(match: re.Match[str]) -> str:
        kind, *words = match["name"].split()
        return f"{match[1]}{PARTS[kind](*words)}\n{match[3]}" if kind in PARTS else match[0]

    return PART.sub(part, text)


def main() -> None:
    """Write the documents, or say which are out of date."""
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    if "--check" in sys.argv and stale:
        sys.exit(f"out of date: {', '.join(stale)}; python docs/generate.py writes them")


if __name__ == "__main__":
    main()
