"""Functions that scripts bring with them: text in harness/export/functions, of which a script gets what it uses."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

FUNCTIONS = Path(__file__).parent / "functions"


class Library:
    """The functions, classes, constants and imports of one file, as text. The file is read, never imported.

    Attributes:
        blocks: name -> text of what defines it, in the file's order.
        imports: name -> the statement that brings it.
    """

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        self.blocks: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        for node in ast.parse(text).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports.update(imported(node))
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.blocks[node.name] = source(text, node)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.blocks[node.targets[0].id] = source(text, node)

    @property
    def names(self) -> frozenset[str]:
        """All names that it defines or imports."""
        return frozenset({*self.blocks, *self.imports})

    def used(self, body: str) -> tuple[list[str], list[str]]:
        """What a text needs of it: the import statements, and the blocks, those included that these need."""
        wanted: set[str] = set()
        waiting = words(body)
        while waiting:
            name = waiting.pop()
            if name in self.names and name not in wanted:
                wanted.add(name)
                waiting |= words(self.blocks.get(name, ""))
        statements = {self.imports[name] for name in wanted if name in self.imports}
        return sorted_imports(statements), [text for name, text in self.blocks.items() if name in wanted]


@cache
def library(framework: str) -> Library:
    """The functions for scripts of a framework."""
    return Library(FUNCTIONS / f"{framework}.txt")


def imported(node: ast.Import | ast.ImportFrom) -> Mapping[str, str]:
    """Name -> the statement that brings it alone."""
    start = f"from {node.module} import" if isinstance(node, ast.ImportFrom) else "import"
    return {
        (alias.asname or alias.name).split(".")[0]: f"{start} {alias.name}{f' as {alias.asname}' if alias.asname else ''}"
        for alias in node.names
    }


def source(text: str, node: ast.FunctionDef | ast.ClassDef | ast.Assign) -> str:
    """The text of a definition, decorators and the comment right above it included."""
    lines = text.splitlines()
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(item.lineno for item in decorators)]) - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])


def words(text: str) -> set[str]:
    """All names that a text reads or writes."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def sorted_imports(statements: Iterable[str]) -> list[str]:
    """The standard library's first, then a blank line, then the others; `import x` before `from x import y`."""

    def order(statement: str) -> tuple[bool, str]:
        return statement.startswith("from"), statement.split()[1].lower()

    statements = merged(statements)
    own = [line for line in statements if line.split()[1].split(".")[0] in sys.stdlib_module_names]
    others = [line for line in statements if line not in own]
    return [*sorted(own, key=order), *([""] if own and others else []), *sorted(others, key=order)]


def merged(statements: Iterable[str]) -> list[str]:
    """Statements, those that import from one module made one."""
    found: dict[str, list[str]] = {}
    for statement in sorted(statements, key=str.lower):
        start, word, name = statement.rpartition(" import ")
        found.setdefault(start + word, []).append(name)
    return [start + name for start, names in found.items() for name in ([", ".join(names)] if start else names)]
