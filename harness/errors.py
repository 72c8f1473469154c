"""What can go wrong, each with its exit code: 2 usage or spec (nothing was run), 3 something failed (the rest is saved)."""

from __future__ import annotations


class HarnessError(Exception):
    """A problem that the user can do something about; shown as one message, without a traceback."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(HarnessError):
    """A wrong argument or file: nothing was run."""

    exit_code = 2


class ArmFailed(HarnessError):
    """One arm could not do its work; `status` is what its row says."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
