"""Why a creation failed, in one sentence made of what the installer printed."""

from __future__ import annotations

import re

NO_PYTHON = "there is no such Python here, and uv could not download one"
#: what an installer prints -> what it means; the first that fits. `{0}` is the pattern's group
MEANINGS = (
    (r"No space left on device|os error 28", "the disk is full"),
    (r"No interpreter found|Invalid version request|No download found|Failed to download https?://\S*cpython", NO_PYTHON),
    (
        r"(?:command|unable to execute) '?\S*(?:gcc|g\+\+|cc|clang|cl\.exe)'? failed: No such file"
        r"|(?:gcc|g\+\+|cc|clang)['\"]?: (?:command not found|No such file)"
        r"|No such file or directory: '\S*(?:gcc|g\+\+|cc|clang)'"
        r"|Microsoft Visual C\+\+ \S+ or greater is required|Unknown compiler\(s\)|No working C compiler|Failed to find a C compiler",
        "a package has no wheel for this Python and system, and there is no C compiler to build it",
    ),
    (r"ERROR: No matching distribution found for ([^\n]+)", "there is no version {0} for this Python and system"),
    (r"No solution found[^\n]*\n((?:.|\n)+)", "{0}"),
    (r"(?:ERROR: )?(Cannot install [^\n]+because these package versions have conflicting dependencies)", "{0}"),
    (
        r"dns error|Temporary failure in name resolution|NewConnectionError|Connection refused|Could not connect|tcp connect error"
        r"|error sending request|Network is unreachable",
        "the package index cannot be reached",
    ),
    (r"(Failed to build `?[^\n`]+)", "{0}"),
    (r"Failed building wheel for ([^\n]+)", "failed to build {0}"),
)
LONGEST = 300


def explain(printed: str) -> str:
    """The sentence: what the known patterns mean, else the last line that was printed."""
    for pattern, meaning in MEANINGS:
        match = re.search(pattern, printed)
        if match:
            return one_line(meaning.format(*(match.groups() or ("",))))
    lines = [line for line in printed.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else "it said nothing"


def one_line(text: str) -> str:
    """Text in one line, without the marks that draw boxes."""
    words = re.sub(r"[×╰─▶├│]|\x1b\[[0-9;]*m", " ", text.partition("\n\n")[0]).split()
    line = " ".join(words)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."
