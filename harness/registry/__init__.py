"""Arm name -> where its adapter lives, which interpreter starts it, with which environment variables."""

from .arms import Arm, parse
from .backends import Backend, backend, backends, home, load, not_installed
from .environments import Launch, environments, launch

__all__ = ["Arm", "Backend", "Launch", "backend", "backends", "environments", "home", "launch", "load", "not_installed", "parse"]
