"""Pages as tests look at them: read without a browser, and opened in one."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.roles: list[str] = []
        self.feed(text)

    @property
    def headings(self) -> list[int]:
        """Their levels, in order."""
        return [int(tag[1]) for tag in self.tags if re.fullmatch("h[1-6]", tag)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        found = dict(attrs)
        self.tags.append(tag)
        self.roles += [f"{tag} {found['role']}"] if "role" in found else []
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if tag == "a" else []
        self.loaded += [value for name, value in found.items() if name in ("src", "data") and value] + (
            [str(found.get("href"))] if tag == "link" else []
        )


class Seen:
    """A page in a browser, with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, address: str = "", **options: Any) -> None:
        self.page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda problem: self.said.append(str(problem)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.resolve().as_uri() + address)

    def __call__(self, script: str) -> Any:
        """What a script finds."""
        return self.page.evaluate(script)

    def alive(self) -> None:
        """Wait until every figure answers. (`wait_for_function` asks again by eval, which pages forbid.)"""
        from playwright.sync_api import expect

        expect(self.page.locator("figure[data-live]")).to_have_count(self.page.locator("figure").count())
