r"""Tables as LaTeX, for papers: with booktabs' rules, every special character escaped, powers of ten written out.

Not by pandas: its Styler rounds where cells are text already, and needs to be told each escape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .parts import Section, Table, Text

#: what stands for each character that means something to LaTeX; `[` and `*` are options behind the end of a row
ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "-": "-{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "×": r"$\times$", "µ": r"$\mu$", "…": r"\dots{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip
NUMBER = re.compile(r"(?P<digits>-?[\d,]+(\.\d+)?)(e(?P<power>[+-]\d+))?(?P<unit>.*)")


def latex(sections: Sequence[Section]) -> str:
    """All tables, with their sections' titles as captions; sentences as comments."""
    found = [line for section in sections for line in of_section(section)]
    return "\n".join([r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}", *found])


def of_section(section: Section) -> Iterator[str]:
    """The tables and sentences of a section."""
    for part in section.shown:
        if isinstance(part, Text):
            yield from (f"% {' '.join(line.split())}".rstrip() for line in part.lines)
        elif isinstance(part, Table):
            yield from ("", *table_lines(part, part.caption or section.title))


def table_lines(table: Table, caption: str) -> list[str]:
    """One table."""
    columns = "".join("r" if is_number else "l" for _, is_number in table.heads)
    heads = " & ".join(escaped(text) for text, _ in table.heads)
    rows = [
        " & ".join((number if right else escaped)(cell.text) for cell, (_, right) in zip(row.cells, table.heads, strict=True))
        for row in table.rows
    ]
    return [
        r"\begin{table}", r"  \centering", *([rf"  \caption{{{escaped(caption)}}}"] if caption else []),
        rf"  \begin{{tabular}}{{{columns}}}", r"    \toprule", rf"    {heads} \\", r"    \midrule",
        *(rf"    {row} \\" for row in rows), r"    \bottomrule", r"  \end{tabular}", r"\end{table}",
    ]  # fmt: skip


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return "".join(ESCAPES.get(letter, letter) for letter in " ".join(text.split()))


def number(text: str) -> str:
    r"""A number: `1.2e-07` as $1.2 \times 10^{-7}$, a minus as one; what is none, as text."""
    match = NUMBER.fullmatch(text)
    if match is None or not (match["power"] or text.startswith("-")):
        return escaped(text)
    power = rf" \times 10^{{{int(match['power'])}}}" if match["power"] else ""
    unit = f" {escaped(match['unit'])}".rstrip()
    return f"${match['digits'].replace(',', '{,}')}{power}${unit}"
