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
from harness.export import Draft
from harness.export.onnx.lacking import FLOAT64
from harness.export.onnx.model import graph_of
from harness.numeric.known import FILE, read_known
from harness.numeric.words import RIGHT, WORDS
from harness.pool import Crew
from harness.registry import Arm, backends
from harness.reproduction import gallery
from harness.reproduction.page import rows
from harness.reproduction.reference import read
from harness.spec.layers import Activation
from harness.tables.columns import COLUMNS
from harness.tables.ranking import VERDICTS
from harness.worker.conformance import cases
from harness.worker.conformance.data import drawn
from harness.worker.probes import PROBES

PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md")])
DOCUMENTS = ("README.md", *(path.relative_to(ROOT).as_posix() for path in PAGES))
#: what harness itself depends on
BUNDLED = ("numpy", "sklearn")


def command(*words: str) -> str:
    """The real output of a command, as it is in a pipe."""
    found = subprocess.run([sys.executable, "-m", "harness", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"```text\n{(found.stdout + found.stderr).rstrip()}\n```"


def table(name: str) -> str:
    """The committed table of an experiment."""
    reference = read(ROOT / "results" / "reference" / name)
    return "\n".join(rows(reference))


#: columns of a committed table that fit beside each other on a page
NARROW = ("arm", "last loss", "gradient error", "x floor", "test accuracy", "step / numpy", "peak memory / numpy")


def narrow(name: str) -> str:
    """The same with fewer columns, of each arm and of one reference."""
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in table(name).splitlines()]
    kept = [index for index, title in enumerate(cells[0]) if title in NARROW]
    return "\n".join(dict.fromkeys(f"| {' | '.join(line[index] for index in kept)} |" for line in cells))


def source(path: str) -> str:
    """A file as it is."""
    return f"```{Path(path).suffix[1:]}\n{(ROOT / path).read_text(encoding='utf-8').rstrip()}\n```"


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
    """What each arm can do, item by item: what the adapters say of the cases of the conformance suite, each in its worker. An arm that
    cannot be started here keeps what the document says of it."""
    names = [arm for backend in backends().values() for arm in (Arm(backend.name, mode) for mode in backend.modes)]
    found = kept(old)
    order: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(Path(folder), "cpu", 1, 300)
        for arm in names:
            if why_missing(arm):
                continue
            adapter = backends()[arm.backend]
            with crew.worker(arm) as worker:
                worker.ask("open", module=adapter.module, place=adapter.place)
                cases = worker.ask("cases")
                said = {dtype: worker.ask("supports", dtype=dtype, device="cpu", mode=arm.mode) for dtype in ("float32", "float64")}
            order = list(dict.fromkeys(item for case in cases.values() for item in case["about"]))
            for item in order:
                about = [name for name, case in cases.items() if item in case["about"]]
                found.setdefault(item, {})[arm.name] = mark([{dtype: lacks(said[dtype][name]) for dtype in said} for name in about])
    shown = [arm.name for arm in names]
    order = sorted(order or found, key=lambda item: (FAMILIES.index(item.partition("/")[0]), item))
    lines = ["| | " + " | ".join(f"`{name}`" for name in shown) + " |", "| --- |" + " --- |" * len(shown)]
    lines += [f"| {item} | " + " | ".join(found[item].get(name, "no") for name in shown) + " |" for item in order]
    return "\n".join(lines)


def mark(cases: list[dict[str, list[str]]]) -> str:
    """One word for all cases about an item: yes, float32 (only), part (some cases, some not), no."""
    narrow, wide = (sum(not case[dtype] for case in cases) for dtype in ("float32", "float64"))
    if wide == len(cases):
        return "yes"
    if narrow == len(cases) and not wide:
        return "float32"
    return "part" if narrow else "no"


def kept(old: str) -> dict[str, dict[str, str]]:
    """The table as the document has it: item -> arm -> mark."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in old.splitlines() if line.startswith("|")]
    if not lines:
        return {}
    arms = [name.strip("`") for name in lines[0][1:]]
    return {item: dict(zip(arms, marks, strict=True)) for item, *marks in lines[2:]}


def lacks(reasons: list[str]) -> list[str]:
    """Reasons that are the framework's, not this machine's."""
    return [reason for reason in reasons if "compiler" not in reason]


def differences() -> str:
    """What backends/known_differences.toml says, one line an entry."""
    lines = ["| arm | what | number format | kind | size | reason |", "| --- | --- | --- | --- | ---: | --- |"]
    for known in read_known(ROOT / "backends" / FILE):
        what = ", ".join((*known.items, *known.cases))
        dtypes = "" if len(known.dtypes) > 1 else known.dtypes[0]
        size = "" if known.size is None else f"{known.size:.0e}"
        reason = f"[{known.reason}]({known.link})" if known.link else known.reason
        lines.append(f"| {', '.join(f'`{arm}`' for arm in known.arms)} | {what} | {dtypes} | {known.kind} | {size} | {reason} |")
    return "\n".join(lines)


def verdicts() -> str:
    """What a difference can be."""
    lines = ["| word | an arm agrees | what it means |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {word} | {'yes' if word in RIGHT else 'no'} | {text} |" for word, text in WORDS.items())])


def costs() -> str:
    """What stands in the tables of costs."""
    lines = [f"| {name} | {about} |" for name, about in COLUMNS.items()]
    return "\n".join(["| column | what it is |", "| --- | --- |", *lines])


def speed() -> str:
    """What two arms' times can be."""
    lines = [f"| {name} | {about} |" for name, about in VERDICTS.items()]
    return "\n".join(["| word | what it means |", "| --- | --- |", *lines])


def probes() -> str:
    """Steps that training does not bring."""
    lines = [f"| {name} | {about} |" for name, (about, _) in PROBES.items()]
    return "\n".join(["| probe | what it is good for |", "| --- | --- |", *lines])


def float64_graphs() -> str:
    """Operators that ONNX files cannot have in float64, with the layers and activations that need them."""
    needing: dict[str, set[str]] = {operator: set() for operator in FLOAT64}
    for case in cases().values():
        layers = {node.name: node.layer for node in case.spec.nodes}
        for each in graph_of(Draft("case", case.spec, "float32"), drawn(case, 0)[0][0]).operators:
            if each.op_type in needing:
                layer = layers.get(each.name) or layers[each.name.rpartition("/")[0]]
                function = layer.activation if isinstance(layer, Activation) else None
                needing[each.op_type].add(function.type if function else layer.type)
    lines = [f"| {operator} | {', '.join(sorted(needing[operator]))} | {reason} |" for operator, reason in FLOAT64.items()]
    return "\n".join(["| operator | what needs it | why not |", "| --- | --- | --- |", *lines])


PARTS: dict[str, Callable[..., str]] = {
    "output": command,
    "table": table,
    "narrow": narrow,
    "source": source,
    "list": listing,
    "arms": arms,
    "frameworks": frameworks,
    "differences": differences,
    "verdicts": verdicts,
    "probes": probes,
    "costs": costs,
    "speed": speed,
    "float64-graphs": float64_graphs,
}
#: `<!-- NAME WORDS -->` to `<!-- end -->`; other comments are those of docs/sessions.py
PART = re.compile(rf"(<!-- (?P<name>(?:{'|'.join(PARTS)}|support)\b[^>:]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
#: families of items, in the order of the table
FAMILIES = ("layer", "activation", "loss", "optimizer", "schedule", "regularizer", "option")


def filled(text: str) -> str:
    """A document with its generated parts made anew. `<!-- output run --help -->` names a part and its words."""

    def part(match: re.Match[str]) -> str:
        kind, *words = match["name"].split()
        if kind == "support":
            return f"{match[1]}{support(match[0])}\n{match[3]}"
        return f"{match[1]}{PARTS[kind](*words)}\n{match[3]}"

    return PART.sub(part, text)


def main() -> None:
    """Write the documents and the gallery of the references, or say which are out of date."""
    check = "--check" in sys.argv
    stale = [f"results/{name}" for name in (gallery.stale if check else gallery.write)(ROOT / "results")]
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            stale.append(name)
            if not check:
                path.write_text(new, encoding="utf-8")
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; python docs/generate.py writes them")


if __name__ == "__main__":
    main()
