"""Environments of Gymnasium and games of the Atari 2600 as tasks of a search for policies; they need the `rl` extra."""

from tasks.environments.atari import Atari
from tasks.environments.task import Environment

__all__ = ["Atari", "Environment"]
