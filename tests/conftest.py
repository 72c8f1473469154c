"""What tests share. Frameworks run in workers, as they do for users; nothing is mocked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def nothing_created(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests do not see the environments that were created on this machine, but those that need them all."""
    if request.config.option.markexpr != "environments":
        os.environ["HARNESS_CACHE"] = str(tmp_path_factory.mktemp("nothing-created"))


@pytest.fixture(scope="session")
def harness() -> Command:
    """The real command in a real process: `harness("run", "xor.toml", env={...})`."""

    def command(
        *words: Any, env: dict[str, str] | None = None, cwd: Path = ROOT, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            timeout=600,
            check=False,
            **options,
        )

    return command


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, headless."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


def heed_interrupts() -> None:
    """Undo what a shell does to jobs in its background: they ignore SIGINT. For `preexec_fn`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
