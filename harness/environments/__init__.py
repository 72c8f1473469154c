"""Which interpreter starts an arm, with which variables; and making the environments that their files describe. Nothing is created
without being asked for."""

from .environment import Environment
from .files import environment, environment_files
from .launch import Launch, inherited, launch
from .resolve import environment_of, why_missing

__all__ = ["Environment", "Launch", "environment", "environment_files", "environment_of", "inherited", "launch", "why_missing"]
