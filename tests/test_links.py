"""Links of all documents lead somewhere, by GitHub's rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^()\s>]+(?:\([^()\s]*\)[^()\s]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
#: folders whose files are not the repository's
FOREIGN = {".venv", "runs", "sweeps", "build", "dist"}
PAGES = [path for path in sorted(ROOT.glob("**/*.md")) if not FOREIGN & set(path.relative_to(ROOT).parts)]


def name(path: Path) -> str:
    """A document, as it is called."""
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """Without fenced blocks, inline code and comments."""
    text = re.sub(r"^(```|~~~).*?^\1\s*$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`|<!--.*?-->", "", text, flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Anchors of a document, by GitHub's rules: small letters, digits, - and _; spaces become -; the same once more gets -1, -2, ..."""
    text = re.sub(r"^(```|~~~).*?^\1\s*$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: dict[str, int] = {}
    known = set(re.findall(r"<a (?:name|id)=\"([^\"]+)\"", text))
    for title in re.findall(r"^#{1,6} +(.*?)#* *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        known.add(anchor if anchor not in found else f"{anchor}-{found[anchor]}")
        found[anchor] = found.get(anchor, 0) + 1
    return known


def broken(path: Path, text: str) -> list[str]:
    """Links of a document that lead nowhere, and external ones that are none."""
    wrong = []
    for link in [*LINK.findall(prose(text)), *re.findall(r'(?:src|srcset|href)="([^"]+)"', prose(text))]:
        if re.match(r"[a-z]+:", link):
            if not re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]{2,}(?:/[^\s<>\"]*)?", link):
                wrong.append(link)
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and (target.suffix != ".md" or anchor not in anchors(target))):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link is a file of the repository, every anchor a heading there; external ones are well formed (and not fetched)."""
    assert broken(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "link",
    ["docs/nothing.md", "docs/reference.md#nothing", "#nothing", "../out.md", "http://example.org", "https://example", "LICENSE#x"],
)
def test_a_broken_link_is_seen(link: str) -> None:
    """Each kind."""
    text = f"[well](docs/reference.md#layers), [two](docs/reference.md#data-sets), `[code](nowhere)` and [broken]({link})"
    assert broken(ROOT / "README.md", f'<img src="{link}">') == [link]
    assert broken(ROOT / "README.md", text) == [link]
