"""From a file to its text and TOML tree, or to the one problem that keeps it from being read."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from .problem import Problem, SpecError

#: what tomllib says, what stands at the place: what to do about it
SLIPS: tuple[tuple[str, str, str], ...] = (
    ("Invalid value", r"(True|False|yes|no|on|off)\b", "TOML writes true and false, in lower case and without quotes"),
    ("Invalid value", r"(None|null|nil|~)", "TOML has no null: leave the key out"),
    ("Invalid value", "[\u201c\u201d\u2018\u2019\u00ab\u00bb]", 'use straight quotes: "text"'),
    ("Invalid value", r"[^\W\d]", 'text goes in quotes: "text"'),
    ("Invalid value", r"[+-]?\.\d", "a digit must stand before the point: 0.5"),
    ("Invalid value", r"\s*(#|$)", "a value is missing here"),
    ("Expected newline", r"\.", "a digit must stand after the point: 1.0"),
    ("Expected newline", r"\d", "numbers have no leading zeros; dates and text go in quotes"),
    ("Expected newline", r"[,;]", "one key a line, with nothing between the lines"),
    ("Expected newline", r"", "one key a line; text goes in quotes"),
    ("Invalid initial character|Unclosed inline", r"\s*(#|\n|$)", "{ ... } must stand on one line (more lines are TOML 1.1)"),
    ("Invalid initial character", r"\}", 'no "," may stand before "}"'),
    ("Unclosed inline", r"", 'a "," or a "}" is missing here'),
    ("Unclosed array", r"", 'a "," or a "]" is missing here'),
    ("Expected '='", r"\s*:", "TOML writes key = value"),
    ("Expected '='", r"", "TOML writes key = value; a key of several words goes in quotes"),
    ("Expected '\\]'", r"", "a table is written [name]; a name of several words goes in quotes"),
    ("Illegal character '\\\\n'|Expected \"'\"|Unterminated", r"", "a closing quote is missing"),
    ("Unescaped", r"", "a backslash is written \\\\, or the text goes in single quotes: 'C:\\data'"),
    ("Invalid statement", r"//|;|--|%", "comments start with #"),
    ("Invalid statement", r"\{", "this looks like JSON; experiments are TOML"),
    ("Invalid statement", r"- ", "this looks like YAML; experiments are TOML"),
    ("Cannot|Duplicate", r"", "each key and each [table] may stand once"),
)
PLACE = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
TOKEN = re.compile(r"[^\s,\[\]{}#=]+|\S|")


def read_text(path: Path) -> str:
    """The text of a file, with `\\n` between its lines.

    Raises:
        SpecError: there is no such file, or it holds no UTF-8 text.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise failed(path, "there is no such file", similar(path)) from None
    except IsADirectoryError:
        raise failed(path, "this is a folder, not an experiment file", similar(path)) from None
    except (OSError, ValueError) as problem:
        raise failed(path, f"cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise not_utf8(path, raw, problem.start) from None


def parse(name: str, text: str) -> dict[str, Any]:
    """The tree of a TOML text.

    Raises:
        SpecError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SpecError([Problem(name, 1, 1, 1, "syntax", "lists or tables are nested too deeply")], name) from None
    except tomllib.TOMLDecodeError as problem:
        raise SpecError([syntax_problem(name, text, str(problem))], name) from None
    except ValueError:  # Python reads no more than 4300 digits
        raise SpecError([Problem(name, 1, 1, 1, "syntax", "a number has too many digits")], name) from None


def syntax_problem(name: str, text: str, said: str) -> Problem:
    """What tomllib says, with its place and a hint. Its place stands in its message only, before Python 3.14."""
    match = PLACE.fullmatch(said)
    what = re.sub(r"\('(.+?)',?\)", lambda key: f"[{key[1]}]".replace("', '", "."), match["what"] if match else said)
    if match and match["line"]:
        line, column = int(match["line"]), int(match["column"])
    else:
        line, column = at_end(text)
    source = text.split("\n")[line - 1]
    if what.startswith("Cannot"):  # tomllib points behind the second mention
        column = len(source) - len(source.lstrip()) + 1
    rest = source[column - 1 :]
    hint = next((hint for said, here, hint in SLIPS if re.match(said, what) and re.match(here, rest)), "")
    length = len(TOKEN.match(rest).group())  # type: ignore[union-attr]
    message = f"this is not TOML: {what[:1].lower()}{what[1:]}"
    return Problem(name, line, column, column + max(length, 1), "syntax", message, hint, source)


def at_end(text: str) -> tuple[int, int]:
    """Line and column behind the last character that is not white space."""
    body = text.rstrip()
    return body.count("\n") + 1, len(body) - body.rfind("\n")


def not_utf8(path: Path, raw: bytes, at: int) -> SpecError:
    """The error for a file that is not UTF-8."""
    line = raw.count(b"\n", 0, at) + 1
    start = raw.rfind(b"\n", 0, at) + 1
    column = len(raw[start:at].decode("utf-8-sig" if start == 0 else "utf-8")) + 1
    source = raw[start:].partition(b"\n")[0].decode("utf-8-sig", "replace").rstrip("\r")
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    hint = f"save it as UTF-8{'; it looks like UTF-16' if utf16 else ''}"
    message = f"this is not UTF-8: byte {raw[at]:#04x}"
    shown = "" if utf16 else source
    return SpecError([Problem(str(path), line, column, column + 1, "encoding", message, hint, shown)], str(path))


def failed(path: Path, message: str, hint: str = "") -> SpecError:
    """The error for a file that cannot be read at all."""
    return SpecError([Problem(str(path), 0, 0, 0, "file", message, hint)], str(path))


def similar(path: Path) -> str:
    """Experiments nearby whose names are like this one, as a hint."""
    folders = dict.fromkeys([path if path.is_dir() else path.parent, Path("experiments")])
    nearby = {file.stem: file for folder in folders for file in sorted(folder.glob("*.toml"))}
    close = difflib.get_close_matches(path.stem, nearby, 1)
    if close:
        return f'did you mean "{nearby[close[0]]}"?'
    return f"experiments nearby: {', '.join(map(str, list(nearby.values())[:9]))}" if nearby else ""
