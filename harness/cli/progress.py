"""How far a piece of work is, on stderr: a live line for each arm on a terminal, few plain lines elsewhere.

Live lines are redrawn four times a second by a thread. While something is timed that thread rests: then lines are drawn only inside the
calls by which the work tells its news, and those never come while a block runs.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .console import live, notice

if TYPE_CHECKING:
    from typing import Self

    from .board import Board

#: seconds between two drawings; between two signs of life where lines stay; of a piece of work before its end is guessed
DRAW, HEARTBEAT, GUESS = 0.25, 60.0, 2.0


@dataclass
class Line:
    """What one arm is at.

    Attributes:
        phase: in words; "" for one that has ended.
        at: how much of it is done, in words; else "step of steps", where it has steps.
        beside: what else is known, e.g. the loss.
        verdict: what an arm that has ended is.
        step, steps: how much is done.
        began: when the phase began.
    """

    phase: str = "waiting"
    at: str = ""
    beside: str = ""
    verdict: str = ""
    step: int = 0
    steps: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> str:
        """How long the phase will last, if it goes on as it did."""
        spent = time.monotonic() - self.began
        if not 0 < self.step < self.steps or spent < GUESS:
            return ""
        return f"{clock(spent / self.step * (self.steps - self.step))} left"

    @property
    def parts(self) -> list[str]:
        """The line in pieces, without its name."""
        count = self.at or (f"{self.step:,} of {self.steps:,}" if self.steps else "")
        return [part for part in (self.verdict, self.phase, count, self.beside, self.left) if part]


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Lines:
    """Lines by name while work lasts: `with Lines(...) as lines`. The line of the name "" is the whole work's.

    Args:
        title: what is done.
        quiet: nothing is shown.
    """

    def __init__(self, title: str = "", quiet: bool = False) -> None:
        self.title, self.quiet = title, quiet
        self.lines = {"": Line("")}
        self.lock = threading.RLock()
        self.said = time.monotonic()
        self.board: Board | None = None
        self.timed = False
        self.over = threading.Event()

    def __enter__(self) -> Self:
        if not self.quiet and live():
            from .board import Board

            self.board = Board(self.title, self.lines)
            threading.Thread(target=self.redraw, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with self.lock:
            if self.board is not None:
                self.board.close()
            self.board = None

    def redraw(self) -> None:
        """Draw now and then, but while something is timed. Runs in a thread of its own."""
        while not self.over.wait(DRAW):
            with self.lock:
                if self.board is not None and not self.timed:
                    self.board.draw()

    def say(self, text: str) -> None:
        """A line that stays, where there are no live ones."""
        if self.board is None and not self.quiet:
            self.said = time.monotonic()
            notice(f"{self.title}: {text}" if self.title else text)

    def sign_of_life(self) -> None:
        """What is going on, where lines stay and there has been none for long."""
        if time.monotonic() - self.said > HEARTBEAT:
            self.say("; ".join(" ".join([name, *line.parts]).strip() for name, line in self.lines.items() if line.phase))


class Progress(Lines):
    """The arms of a run or a sweep. Its news are those of harness.execution.run."""

    def __call__(self, arm: str, facts: dict[str, Any]) -> None:
        """An arm's news, or the whole run's, whose name is "". Called from several threads."""
        with self.lock:
            for name in facts.get("arms", ()):
                self.lines.setdefault(name, Line())
            line = self.lines.setdefault(arm, Line())
            if "done" in facts:
                self.end(arm, line, facts)
            else:
                self.go_on(line, facts)
            if facts.get("timed", self.timed) and not self.timed:
                self.say(f"{facts['phase']}, {facts['at']} ..." if facts.get("at") else f"{facts['phase']} ...")
            self.timed = facts.get("timed", self.timed)
            if self.timed and self.board is not None:
                self.board.draw()

    def end(self, arm: str, line: Line, facts: dict[str, Any]) -> None:
        """An arm has its verdict, or has failed."""
        line.verdict, line.beside = str(facts["verdict"] or facts["done"]), str(facts["reason"])
        line.phase, line.at, line.step, line.steps = "", "", 0, 0
        self.say(f"{arm}: {line.verdict}{': ' + line.beside if line.beside else ''}")

    def go_on(self, line: Line, facts: dict[str, Any]) -> None:
        """Another phase, or another step of the same."""
        phase = str(facts.get("phase", line.phase))
        if phase != line.phase:
            line.phase, line.began, line.beside = phase, time.monotonic(), ""
        line.step, line.steps, line.at = facts.get("step", 0), facts.get("steps", 0), facts.get("at", "")
        if "loss" in facts:
            line.beside = f"loss {facts['loss']:.4g}"
        self.sign_of_life()


class Work(Lines):
    """One long piece of work, told in lines of text.

    Args:
        title: what is done.
        quiet: nothing is shown.
        telling: whether every line is worth keeping where lines stay.
    """

    def __init__(self, title: str = "", quiet: bool = False, telling: bool = True) -> None:
        super().__init__(title, quiet)
        self.telling = telling

    def __call__(self, text: str, step: int = 0, steps: int = 0) -> None:
        """What is being done now, and how much of how much is done."""
        with self.lock:
            line = self.lines[""]
            line.phase, line.step, line.steps = text, step, steps
            if self.telling:
                self.say(text)
            else:
                self.sign_of_life()
