"""What the installed frameworks default: signatures of their own calls, read where they are installed."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Dict, Optional, Sequence


def signatures(paths: Sequence[str]) -> Dict[str, Optional[Dict[str, str]]]:
    """Dotted path -> parameter -> its default as Python writes it, "" where it has none. A call that says nothing of its parameters
    (compiled ones do not) has none; of one that is not there: None."""
    return {path: parameters(path) for path in paths}


def parameters(path: str) -> Optional[Dict[str, str]]:
    """The parameters of one call."""
    try:
        call = located(path)
    except (ImportError, AttributeError):
        return None
    try:
        found = inspect.signature(call)
    except (TypeError, ValueError):
        return {}
    return {name: "" if item.default is item.empty else shown(item.default) for name, item in found.parameters.items()}


def located(path: str) -> Any:
    """What a dotted path names: the longest part that is a module, then attributes."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for name in parts[count:]:
            found = getattr(found, name)
        return found
    raise ImportError(path)


def shown(value: Any) -> str:
    """A default in a few letters."""
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
