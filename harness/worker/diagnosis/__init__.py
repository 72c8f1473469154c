"""Where an arm that differs goes wrong, and why: each node replayed alone by the reference, then asked "what if"."""

from .locate import located
from .setting import Setting

__all__ = ["Setting", "located"]
