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

from harness.environments import Environment, environment_files, why_missing
from harness.environments.files import read_environment
from harness.pool import Crew
from harness.registry import Arm, backends
from harness.reproduction.page import rows
from harness.reproduction.reference import read

DOCUMENTS = ("README.md", "docs/reference.md", "docs/frameworks.md")
#: what harness itself depends on
BUNDLED = ("numpy", "sklearn")
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
    files = environment_files()
    lines = ["| arm | what it is | how to get it |", "| --- | --- | --- |"]
    for backend in backends().values():
        for mode in backend.modes:
            extras = dict.fromkeys(filter(None, backend.needs(mode).values()))
            apart = backend.name in files and not extras and backend.name not in BUNDLED
            got = f"`pip install -e '.[{','.join(extras)}]'`" if extras else "comes with harness"
            got = f"`python -m harness env create {backend.name}`" if apart else got
            lines.append(f"| `{Arm(backend.name, mode).name}` | {backend.title} | {got} |")
    return "\n".join(lines)


def frameworks() -> str:
    """What each backend took, and what its environment's file says of it."""
    files = environment_files()
    lines = ["| backend | lines | Python | what is installed |", "| --- | ---: | --- | --- |"]
    notes = []
    for name in backends():
        sources = (
            [ROOT / "backends" / f"{name}.py"]
            if (ROOT / "backends" / f"{name}.py").is_file()
            else (ROOT / "backends" / name).glob("*.py")
        )
        count = sum(len(source.read_text(encoding="utf-8").splitlines()) for source in sources)
        found = read_environment(files[name]) if name in files else Environment(name)
        lines.append(
            f"| `{name}` | {count} | {found.python or '3.11 to 3.13'} | {', '.join(f'`{text}`' for text in found.requirements)} |"
        )
        if found.notes:
            notes += ["", f"**{name}.** {' '.join(found.notes.split())}"]
    return "\n".join([*lines, *notes])


def support(old: str) -> str:
    """Which arm knows which layer, activation, loss and optimizer, and why not: what the adapters say of small programs, each in its
    worker. An arm that cannot be started here keeps what the document says of it."""
    names = [arm for backend in backends().values() for arm in (Arm(backend.name, mode) for mode in backend.modes)]
    cases: list[str] = []
    rows, reasons = kept(old, "| `"), kept(old, "- `")
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(Path(folder), "cpu", 1, 300)
        for arm in names:
            if why_missing(arm):
                continue
            adapter = backends()[arm.backend]
            with crew.worker(arm) as worker:
                worker.ask("open", module=adapter.module, place=adapter.place)
                narrow, wide = (
                    worker.ask("supports", dtype=dtype, device="cpu", mode=arm.mode) for dtype in ("float32", "float64")
                )
            cases = list(narrow)
            marks = ["no" if lacks(narrow[case]) else "float32" if lacks(wide[case]) else "yes" for case in cases]
            rows[arm.name] = f"| `{arm.name}` | " + " | ".join(marks) + " |"
            said = dict.fromkeys(reason for found in (narrow, wide) for case in cases for reason in lacks(found[case]))
            reasons[arm.name] = f"- `{arm.name}`: {'; '.join(said)}." if said else ""
    head = ["| arm | " + " | ".join(cases) + " |", "| --- |" + " --- |" * len(cases)]
    order = [arm.name for arm in names]
    return "\n".join(
        [*head, *(rows[name] for name in order if name in rows), "", *(reasons[name] for name in order if reasons.get(name))]
    )


def kept(old: str, start: str) -> dict[str, str]:
    """Lines of a document's part that begin with an arm: arm -> line."""
    lines = [line for line in old.splitlines() if line.startswith(start)]
    return {line[len(start) :].split("`")[0]: line for line in lines}


def lacks(reasons: list[str]) -> list[str]:
    """Reasons that are the framework's, not this machine's."""
    return [reason for reason in reasons if "compiler" not in reason]


PARTS: dict[str, Callable[..., str]] = {
    "output": command,
    "table": table,
    "list": listing,
    "arms": arms,
    "frameworks": frameworks,
}


def filled(text: str) -> str:
    """A document with its generated parts made anew. `<!-- output run --help -->` names a part and its words."""

    def part(match: re.Match[str]) -> str:
        kind, *words = match["name"].split()
        if kind == "support":
            return f"{match[1]}{support(match[0])}\n{match[3]}"
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
