"""The parent's side of workers: start, talk, time out, stop."""

from .crew import Crew
from .worker import Worker

__all__ = ["Crew", "Worker"]
