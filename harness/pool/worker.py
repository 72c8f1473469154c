"""The parent's side of one worker: start it, ask it, limit its time, say why it ended.

Requests and answers are JSON lines on pipes, each behind a record separator (RFC 7464), so that whatever else reaches the pipe
is told apart. What a worker prints goes to its log.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..environments import Launch, inherited
from ..errors import ArmFailed

SEPARATOR = "\x1e"
#: bytes that a pipe takes at least, on any system, while nobody reads
PIPE = 4096
#: seconds between two looks at whether the child is still there
LOOK = 1.0

Progress = Callable[[dict[str, Any]], None]


class Worker:
    """One child process. `ask` sends a command and waits for its answer."""

    def __init__(self, launch: Launch, path: Path, log: Path, time_limit: float) -> None:
        """Start it.

        Args:
            launch: interpreter and variables.
            path: a folder that holds `harness` and `backends` and nothing else.
            log: file for whatever the child prints.
            time_limit: seconds that one answer may take.

        Raises:
            ArmFailed: the interpreter cannot be started.
        """
        self.log, self.time_limit, self.buried = log, time_limit, False
        group: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        try:
            with log.open("ab") as errors:
                self.process = subprocess.Popen(
                    [launch.python, "-m", "harness.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=path,
                    env={**inherited(), **launch.variables},
                    **group,
                )
        except OSError as problem:
            raise ArmFailed("missing", f"cannot start {launch.python}: {problem.strerror}") from None
        self.answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Sort the child's lines into the queue; None at its end. Runs in a thread of its own."""
        if self.process.stdout is None:
            return
        for line in self.process.stdout:
            text = line.decode("utf-8", "replace").rpartition(SEPARATOR)
            try:
                answer = json.loads(text[2]) if text[1] else None
            except ValueError:
                continue
            if isinstance(answer, dict):
                self.answers.put(answer)
        self.answers.put(None)

    def ask(self, command: str, *, progress: Progress | None = None, **arguments: Any) -> Any:
        """Send a command and wait for its result.

        Raises:
            ArmFailed: the command failed, the worker died, or it took longer than its time limit.
        """
        line = (SEPARATOR + json.dumps({"command": command, "arguments": arguments}) + "\n").encode()
        # a pipe that nobody reads takes so much and then holds its writer for ever; it is empty here, since the last answer has come
        if len(line) <= PIPE:
            self.send(line)
        else:
            threading.Thread(target=self.send, args=(line,), daemon=True).start()
        while True:
            answer = self.next_answer(command)
            if "result" in answer:
                return answer["result"]
            if "error" in answer:
                raise ArmFailed(answer["status"], answer["error"])
            if progress is not None:
                progress(answer)

    def send(self, line: bytes) -> None:
        """Write a request. That the child is gone shows where its answer is waited for."""
        try:
            if self.process.stdin is not None:
                self.process.stdin.write(line)
                self.process.stdin.flush()
        except (OSError, ValueError):
            return

    def next_answer(self, command: str) -> dict[str, Any]:
        """The next line of the child. What the child started may keep its pipe open, so its end is also looked for."""
        end = time.monotonic() + self.time_limit
        while True:
            try:
                answer = self.answers.get(timeout=max(0.0, min(LOOK, end - time.monotonic())))
            except queue.Empty:
                answer = None
                if self.process.poll() is None:
                    if time.monotonic() < end:
                        continue
                    self.kill()
                    raise ArmFailed("timed out", f"no answer to {command!r} within {self.time_limit:g} s") from None
            if answer is None:
                raise self.ended()
            return answer

    def ended(self) -> ArmFailed:
        """Why the child is gone."""
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            return ArmFailed("crashed", "closed its pipe and went on; it was ended")
        self.kill()
        if code in (-9, 128 + 9):  # 137: of a shell that waited for it
            return ArmFailed("killed", "ended by signal 9 (SIGKILL): by hand, or the system ran out of memory")
        if code < 0:
            return ArmFailed("crashed", f"ended by signal {-code} ({signal.Signals(-code).name}){self.last_words()}")
        return ArmFailed("crashed", f"ended with exit code {code}{self.last_words()}")

    def last_words(self) -> str:
        """The last line that the child printed."""
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1].strip()[:300]}" if lines else ""

    def kill(self) -> None:
        """End it at once, and whatever it started; once, since its number may be another's later."""
        if self.buried:
            return
        self.buried = True
        try:
            if os.name == "nt":
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()

    def close(self) -> None:
        """End it and what it started; it keeps nothing that matters."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # the unsent rest of a request to a child that is gone
                    pipe.close()
