"""Environments of Gymnasium as tasks of a search for policies; they need the `rl` extra."""

from tasks.environments.task import Environment

__all__ = ["Environment"]
